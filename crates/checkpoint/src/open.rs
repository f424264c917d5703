use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};

use crate::{CheckpointError, StoredDType, StoredTensor};

/// Named tensors of one file, with the file's metadata.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    pub(crate) path: PathBuf,
    pub(crate) tensors: BTreeMap<String, StoredTensor>,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Opens a file of any known format, recognised by its content.
    ///
    /// # Errors
    /// When the file cannot be read or is not a well-formed checkpoint.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| CheckpointError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(path, &bytes)
    }

    /// Parses the bytes of a file; `path` only appears in messages.
    ///
    /// # Errors
    /// When the bytes are not a well-formed checkpoint.
    pub fn from_bytes(path: impl AsRef<Path>, bytes: &[u8]) -> Result<Self, CheckpointError> {
        let path = path.as_ref();
        let malformed = |reason: String| CheckpointError::Malformed {
            path: path.to_owned(),
            format: "safetensors",
            reason,
        };
        let parsed =
            safetensors::SafeTensors::deserialize(bytes).map_err(|e| malformed(e.to_string()))?;
        let (_, header) =
            safetensors::SafeTensors::read_metadata(bytes).map_err(|e| malformed(e.to_string()))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in parsed.iter() {
            use safetensors::Dtype;
            let dtype = match view.dtype() {
                Dtype::F64 => StoredDType::F64,
                Dtype::F32 => StoredDType::F32,
                Dtype::F16 => StoredDType::F16,
                Dtype::BF16 => StoredDType::BF16,
                Dtype::I64 => StoredDType::I64,
                Dtype::I32 => StoredDType::I32,
                Dtype::I16 => StoredDType::I16,
                Dtype::I8 => StoredDType::I8,
                Dtype::U8 => StoredDType::U8,
                Dtype::BOOL => StoredDType::Bool,
                other => {
                    return Err(CheckpointError::WrongDType {
                        path: path.to_owned(),
                        tensor: name.to_owned(),
                        found: format!("{other:?}"),
                    });
                }
            };
            tensors.insert(
                name.to_owned(),
                StoredTensor::new(dtype, view.shape().to_vec(), view.data().to_vec()),
            );
        }
        let metadata = header
            .metadata()
            .as_ref()
            .map(|m| m.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
            .unwrap_or_default();
        Ok(Self {
            path: path.to_owned(),
            tensors,
            metadata,
        })
    }

    /// A checkpoint from tensors in memory; `path` only appears in messages.
    pub fn from_tensors(
        path: impl AsRef<Path>,
        tensors: BTreeMap<String, StoredTensor>,
        metadata: BTreeMap<String, String>,
    ) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            tensors,
            metadata,
        }
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, StoredTensor> {
        &self.tensors
    }

    /// The file's free-form metadata; generators keep their configuration under `config` as JSON.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The tensors whose names start with `prefix`, without it; metadata and path are kept.
    pub fn subset(&self, prefix: &str) -> Self {
        self.rename(|name| name.strip_prefix(prefix).map(str::to_owned))
    }

    /// The tensors under new names; those for which `new_name` gives `None` are left out.
    pub fn rename(&self, new_name: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            path: self.path.clone(),
            tensors: self
                .tensors
                .iter()
                .filter_map(|(name, tensor)| Some((new_name(name)?, tensor.clone())))
                .collect(),
            metadata: self.metadata.clone(),
        }
    }

    /// One tensor as f32 on `device`.
    ///
    /// # Errors
    /// When it is missing, not of floating-point type, or of another rank than `D`.
    pub fn tensor<const D: usize>(
        &self,
        name: &str,
        device: &Device,
    ) -> Result<Tensor<D>, CheckpointError> {
        let stored = self
            .tensors
            .get(name)
            .ok_or_else(|| CheckpointError::MissingTensor {
                path: self.path.clone(),
                tensor: name.to_owned(),
                expected: Vec::new(),
            })?;
        if !stored.dtype().is_float() {
            return Err(CheckpointError::WrongDType {
                path: self.path.clone(),
                tensor: name.to_owned(),
                found: format!("{:?}", stored.dtype()),
            });
        }
        if stored.shape().len() != D {
            return Err(CheckpointError::WrongShape {
                path: self.path.clone(),
                tensor: name.to_owned(),
                found: stored.shape().to_vec(),
                expected: vec![0; D],
            });
        }
        Ok(Tensor::from_data(
            TensorData::new(stored.to_f32(), stored.shape().to_vec()),
            device,
        ))
    }
}
