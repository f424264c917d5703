use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

use crate::{CheckpointError, StoredDType, StoredTensor};

/// How floating-point tensors are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the types")]
pub enum FloatPrecision {
    F32,
    F16,
    BF16,
}

/// Writes a safetensors file atomically: to a temporary file beside it, then renamed.
///
/// # Errors
/// When the file system refuses.
pub fn save_safetensors(
    path: impl AsRef<Path>,
    tensors: &BTreeMap<String, StoredTensor>,
    metadata: &BTreeMap<String, String>,
    precision: FloatPrecision,
) -> Result<(), CheckpointError> {
    let path = path.as_ref();
    let io = |source: std::io::Error| CheckpointError::Io {
        path: path.to_owned(),
        source,
    };
    let stored: Vec<(&String, Dtype, &[usize], Vec<u8>)> = tensors
        .iter()
        .map(|(name, tensor)| {
            let (dtype, bytes) = encode(tensor, precision);
            (name, dtype, tensor.shape(), bytes)
        })
        .collect();
    let views = stored.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.to_vec(), bytes).expect("encode keeps the shape");
        (name.as_str(), view)
    });
    let metadata = metadata
        .iter()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let bytes =
        safetensors::serialize(views, Some(metadata)).map_err(|e| CheckpointError::Malformed {
            path: path.to_owned(),
            format: "safetensors",
            reason: e.to_string(),
        })?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".partial");
    std::fs::write(&temporary, bytes).map_err(io)?;
    std::fs::rename(&temporary, path).map_err(io)
}

fn encode(tensor: &StoredTensor, precision: FloatPrecision) -> (Dtype, Vec<u8>) {
    if tensor.dtype().is_float() {
        let values = tensor.to_f32();
        return match precision {
            FloatPrecision::F32 => (
                Dtype::F32,
                values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            ),
            FloatPrecision::F16 => (
                Dtype::F16,
                values
                    .iter()
                    .flat_map(|v| half::f16::from_f32(*v).to_le_bytes())
                    .collect(),
            ),
            FloatPrecision::BF16 => (
                Dtype::BF16,
                values
                    .iter()
                    .flat_map(|v| half::bf16::from_f32(*v).to_le_bytes())
                    .collect(),
            ),
        };
    }
    let dtype = match tensor.dtype() {
        StoredDType::I64 => Dtype::I64,
        StoredDType::I32 => Dtype::I32,
        StoredDType::I16 => Dtype::I16,
        StoredDType::I8 => Dtype::I8,
        StoredDType::Bool => Dtype::BOOL,
        _ => Dtype::U8,
    };
    (dtype, tensor.bytes().to_vec())
}
