use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use half::{bf16, f16};
use serde_json::{Map, json};
use whole_file::{CONTENT_SHA256, content_sha256};

use crate::safetensors_file::METADATA;
use crate::{CheckpointError, StoredDType, StoredTensor};

/// How floating-point tensors are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the types")]
#[non_exhaustive]
pub enum FloatPrecision {
    F64,
    F32,
    F16,
    BF16,
}

impl FloatPrecision {
    fn dtype(self) -> StoredDType {
        match self {
            Self::F64 => StoredDType::F64,
            Self::F32 => StoredDType::F32,
            Self::F16 => StoredDType::F16,
            Self::BF16 => StoredDType::BF16,
        }
    }
}

impl fmt::Display for FloatPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.dtype())
    }
}

/// The header is padded so that the data starts at a multiple of this many bytes, the size of the largest element.
const ALIGNMENT: usize = 8;

/// Writes a safetensors file atomically: to a temporary file beside it, then renamed.
///
/// The same tensors and metadata give the same bytes. Tensors of whole numbers keep their type whatever the
/// `precision`; with `None` all do. A SHA-256 of tensors and metadata becomes the metadata entry `content_sha256`;
/// [`Checkpoint::open`](crate::Checkpoint::open) checks it and does not list it.
///
/// # Errors
/// When the file system refuses, or a finite value does not fit the `precision`. An existing file then stays as it was.
pub fn save_safetensors(
    path: impl AsRef<Path>,
    tensors: &BTreeMap<String, StoredTensor>,
    metadata: &BTreeMap<String, String>,
    precision: impl Into<Option<FloatPrecision>>,
) -> Result<(), CheckpointError> {
    let path = path.as_ref();
    let (header, written) = lay_out(path, tensors, metadata, precision.into())?;
    whole_file::write_durably(path, |output| {
        output.write_all(&(header.len() as u64).to_le_bytes())?;
        output.write_all(&header)?;
        written
            .iter()
            .try_for_each(|tensor| output.write_all(&tensor.bytes))
    })
    .map_err(|source| CheckpointError::Io {
        path: path.to_owned(),
        source,
    })
}

/// A tensor as it is written.
struct Written<'t> {
    name: &'t str,
    dtype: StoredDType,
    shape: &'t [usize],
    bytes: Cow<'t, [u8]>,
}

/// The header and the tensors in the order of the file.
fn lay_out<'t>(
    path: &Path,
    tensors: &'t BTreeMap<String, StoredTensor>,
    metadata: &BTreeMap<String, String>,
    precision: Option<FloatPrecision>,
) -> Result<(Vec<u8>, Vec<Written<'t>>), CheckpointError> {
    let mut written = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let (dtype, bytes) = match precision {
            Some(precision) if tensor.dtype().is_float() && tensor.dtype() != precision.dtype() => {
                let bytes = encode(path, name, tensor, precision)?;
                (precision.dtype(), Cow::Owned(bytes))
            }
            _ => (tensor.dtype(), Cow::Borrowed(tensor.bytes())),
        };
        written.push(Written {
            name,
            dtype,
            shape: tensor.shape(),
            bytes,
        });
    }
    let mut metadata = metadata.clone();
    let in_order_of_names = written.iter().map(|tensor| {
        let dtype = tensor.dtype.safetensors_name();
        (tensor.name, dtype, tensor.shape, &*tensor.bytes)
    });
    let digest = content_sha256(&metadata, in_order_of_names);
    metadata.insert(CONTENT_SHA256.to_owned(), digest);

    // Larger elements first, so that each tensor starts at a multiple of its element's size.
    written.sort_by_key(|tensor| std::cmp::Reverse(tensor.dtype.size()));
    let mut header = Map::new();
    header.insert(METADATA.to_owned(), json!(metadata));
    let mut begin = 0;
    for tensor in &written {
        let end = begin + tensor.bytes.len();
        header.insert(
            tensor.name.to_owned(),
            json!({
                "dtype": tensor.dtype.safetensors_name(),
                "shape": tensor.shape,
                "data_offsets": [begin, end],
            }),
        );
        begin = end;
    }
    let mut header = serde_json::Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
    Ok((header, written))
}

fn encode(
    path: &Path,
    name: &str,
    tensor: &StoredTensor,
    precision: FloatPrecision,
) -> Result<Vec<u8>, CheckpointError> {
    let values = tensor.to_f32();
    let rounded = |value: f32| match precision {
        FloatPrecision::F64 | FloatPrecision::F32 => value,
        FloatPrecision::F16 => f16::from_f32(value).to_f32(),
        FloatPrecision::BF16 => bf16::from_f32(value).to_f32(),
    };
    // Before the cast, which itself makes infinities of the largest doubles.
    let exact = |index: usize| match tensor.dtype() {
        StoredDType::F64 => f64::from_le_bytes(tensor.bytes().as_chunks().0[index]),
        _ => f64::from(values[index]),
    };
    let too_large = (0..values.len())
        .find(|index| !rounded(values[*index]).is_finite() && exact(*index).is_finite());
    if let Some(index) = too_large {
        return Err(CheckpointError::DoesNotFit {
            path: path.to_owned(),
            tensor: name.to_owned(),
            index,
            value: exact(index),
            precision,
        });
    }
    Ok(match precision {
        FloatPrecision::F64 => values
            .iter()
            .flat_map(|v| f64::from(*v).to_le_bytes())
            .collect(),
        FloatPrecision::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        FloatPrecision::F16 => values
            .iter()
            .flat_map(|v| f16::from_f32(*v).to_le_bytes())
            .collect(),
        FloatPrecision::BF16 => values
            .iter()
            .flat_map(|v| bf16::from_f32(*v).to_le_bytes())
            .collect(),
    })
}
