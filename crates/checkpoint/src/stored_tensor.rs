/// Element types that checkpoints hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the types")]
#[non_exhaustive]
pub enum StoredDType {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

/// One tensor of a file: element type, shape and row-major little-endian bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTensor {
    dtype: StoredDType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl StoredDType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::BF16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// Whether elements are floating-point numbers.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::BF16)
    }
}

impl StoredTensor {
    /// A tensor from its parts.
    ///
    /// # Panics
    /// When `bytes` does not hold exactly the elements of `shape`.
    pub fn new(dtype: StoredDType, shape: Vec<usize>, bytes: Vec<u8>) -> Self {
        let expected = shape.iter().product::<usize>() * dtype.size();
        assert_eq!(
            bytes.len(),
            expected,
            "bytes of a {dtype:?} tensor of shape {shape:?}"
        );
        Self {
            dtype,
            shape,
            bytes,
        }
    }

    /// An f32 tensor.
    ///
    /// # Panics
    /// When `values` does not hold exactly the elements of `shape`.
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> Self {
        Self::new(
            StoredDType::F32,
            shape,
            values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        )
    }

    /// Element type in the file.
    pub fn dtype(&self) -> StoredDType {
        self.dtype
    }

    /// Shape; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Row-major little-endian bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The values cast to f32, row-major.
    pub fn to_f32(&self) -> Vec<f32> {
        fn cast<const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
            bytes
                .as_chunks::<N>()
                .0
                .iter()
                .map(|b| convert(*b))
                .collect()
        }
        let bytes = self.bytes.as_slice();
        match self.dtype {
            StoredDType::F64 => cast(bytes, |b| f64::from_le_bytes(b) as f32),
            StoredDType::F32 => cast(bytes, f32::from_le_bytes),
            StoredDType::F16 => cast(bytes, |b| half::f16::from_le_bytes(b).to_f32()),
            StoredDType::BF16 => cast(bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
            StoredDType::I64 => cast(bytes, |b| i64::from_le_bytes(b) as f32),
            StoredDType::I32 => cast(bytes, |b| i32::from_le_bytes(b) as f32),
            StoredDType::I16 => cast(bytes, |b| f32::from(i16::from_le_bytes(b))),
            StoredDType::I8 => cast(bytes, |b| f32::from(i8::from_le_bytes(b))),
            StoredDType::U8 | StoredDType::Bool => cast(bytes, |b: [u8; 1]| f32::from(b[0])),
        }
    }
}
