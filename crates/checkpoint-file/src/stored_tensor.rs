use std::fmt;
use std::ops::Range;
use std::sync::Arc;

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
    U64,
    U32,
    U16,
    U8,
    Bool,
}

/// One tensor of a file: element type, shape and row-major little-endian bytes.
///
/// The bytes are shared with the file and with clones, so that neither opening a checkpoint nor
/// renaming its tensors copies weights.
#[derive(Clone)]
pub struct StoredTensor {
    dtype: StoredDType,
    shape: Vec<usize>,
    owner: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl StoredDType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::BF16 | Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// What safetensors files call it.
    pub fn safetensors_name(self) -> &'static str {
        match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::I64 => "I64",
            Self::I32 => "I32",
            Self::I16 => "I16",
            Self::I8 => "I8",
            Self::U64 => "U64",
            Self::U32 => "U32",
            Self::U16 => "U16",
            Self::U8 => "U8",
            Self::Bool => "BOOL",
        }
    }

    pub(crate) fn from_safetensors_name(name: &str) -> Option<Self> {
        const ALL: [StoredDType; 13] = [
            StoredDType::F64,
            StoredDType::F32,
            StoredDType::F16,
            StoredDType::BF16,
            StoredDType::I64,
            StoredDType::I32,
            StoredDType::I16,
            StoredDType::I8,
            StoredDType::U64,
            StoredDType::U32,
            StoredDType::U16,
            StoredDType::U8,
            StoredDType::Bool,
        ];
        ALL.into_iter()
            .find(|dtype| dtype.safetensors_name() == name)
    }

    /// The type that numpy calls `f4`, `<i8`, `>f4` and so on, and whether its elements are big-endian; `None` for
    /// types that are not read.
    pub(crate) fn from_numpy_code(code: &str) -> Option<(Self, bool)> {
        let (big_endian, code) = match code.strip_prefix('>') {
            Some(code) => (true, code),
            None => (false, code.trim_start_matches(['<', '|', '='])),
        };
        let dtype = match code {
            "f8" => Self::F64,
            "f4" => Self::F32,
            "f2" => Self::F16,
            "i8" => Self::I64,
            "i4" => Self::I32,
            "i2" => Self::I16,
            "i1" => Self::I8,
            "u8" => Self::U64,
            "u4" => Self::U32,
            "u2" => Self::U16,
            "u1" => Self::U8,
            "b1" => Self::Bool,
            _ => return None,
        };
        Some((dtype, big_endian))
    }

    /// Whether elements are floating-point numbers.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::BF16)
    }
}

/// Bytes of a tensor, `None` when they cannot be addressed.
pub(crate) fn byte_count(dtype: StoredDType, shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(dtype.size(), |bytes, extent| bytes.checked_mul(*extent))
}

impl StoredTensor {
    /// A tensor from its parts.
    ///
    /// # Panics
    /// When `bytes` does not hold exactly the elements of `shape`.
    pub fn new(dtype: StoredDType, shape: Vec<usize>, bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self::shared(dtype, shape, Arc::new(bytes), range)
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

    /// A tensor whose bytes are a part of `owner`.
    pub(crate) fn shared(
        dtype: StoredDType,
        shape: Vec<usize>,
        owner: Arc<Vec<u8>>,
        range: Range<usize>,
    ) -> Self {
        assert!(
            range.end <= owner.len() && Some(range.len()) == byte_count(dtype, &shape),
            "{} bytes of a {dtype:?} tensor of shape {shape:?}",
            range.len()
        );
        Self {
            dtype,
            shape,
            owner,
            range,
        }
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
        &self.owner[self.range.clone()]
    }

    /// The same elements under another shape, without copying.
    ///
    /// # Panics
    /// When `shape` has another number of elements.
    pub fn reshape(&self, shape: Vec<usize>) -> Self {
        Self::shared(
            self.dtype,
            shape,
            Arc::clone(&self.owner),
            self.range.clone(),
        )
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
        let bytes = self.bytes();
        match self.dtype {
            StoredDType::F64 => cast(bytes, |b| f64::from_le_bytes(b) as f32),
            StoredDType::F32 => cast(bytes, f32::from_le_bytes),
            StoredDType::F16 => cast(bytes, |b| half::f16::from_le_bytes(b).to_f32()),
            StoredDType::BF16 => cast(bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
            StoredDType::I64 => cast(bytes, |b| i64::from_le_bytes(b) as f32),
            StoredDType::I32 => cast(bytes, |b| i32::from_le_bytes(b) as f32),
            StoredDType::I16 => cast(bytes, |b| f32::from(i16::from_le_bytes(b))),
            StoredDType::I8 => cast(bytes, |b| f32::from(i8::from_le_bytes(b))),
            StoredDType::U64 => cast(bytes, |b| u64::from_le_bytes(b) as f32),
            StoredDType::U32 => cast(bytes, |b| u32::from_le_bytes(b) as f32),
            StoredDType::U16 => cast(bytes, |b| f32::from(u16::from_le_bytes(b))),
            StoredDType::U8 | StoredDType::Bool => cast(bytes, |b: [u8; 1]| f32::from(b[0])),
        }
    }
}

impl PartialEq for StoredTensor {
    fn eq(&self, other: &Self) -> bool {
        self.dtype == other.dtype && self.shape == other.shape && self.bytes() == other.bytes()
    }
}

impl fmt::Debug for StoredTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredTensor")
            .field("dtype", &self.dtype)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}
