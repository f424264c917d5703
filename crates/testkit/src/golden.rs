use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};

/// Where a reference file lies: `REFERENCE_DIR/file` when that variable is set, else `tests/fixtures/file` of the
/// crate.
///
/// Call it with `env!("CARGO_MANIFEST_DIR")` and a path such as `stylegan2/generator_skip.safetensors`.
pub fn reference_path(manifest_dir: &str, file: &str) -> PathBuf {
    match std::env::var_os("REFERENCE_DIR") {
        Some(folder) => Path::new(&folder).join(file),
        None => Path::new(manifest_dir).join("tests/fixtures").join(file),
    }
}

/// A safetensors file of reference inputs and outputs.
#[derive(Debug)]
pub struct Golden {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Golden {
    /// Opens `file` as [`reference_path`] finds it.
    ///
    /// # Panics
    /// When the file cannot be read: a test without its reference has nothing to say.
    pub fn open(manifest_dir: &str, file: &str) -> Self {
        let path = reference_path(manifest_dir, file);
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self { path, bytes }
    }

    fn parsed(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes)
            .unwrap_or_else(|e| panic!("{}: {e}", self.path.display()))
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .parsed()
            .names()
            .into_iter()
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    }

    /// Whether the file has the tensor.
    pub fn contains(&self, name: &str) -> bool {
        self.parsed().tensor(name).is_ok()
    }

    /// Shape of a tensor.
    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.parsed()
            .tensor(name)
            .unwrap_or_else(|e| panic!("{}: {name}: {e}", self.path.display()))
            .shape()
            .to_vec()
    }

    /// Values of a tensor in row-major order, cast to f32 (from f32, f64, i32 or u8).
    pub fn values(&self, name: &str) -> Vec<f32> {
        let parsed = self.parsed();
        let view = parsed
            .tensor(name)
            .unwrap_or_else(|e| panic!("{}: {name}: {e}", self.path.display()));
        let data = view.data();
        match view.dtype() {
            Dtype::F32 => cast(data, f32::from_le_bytes),
            Dtype::F64 => cast(data, |b| f64::from_le_bytes(b) as f32),
            Dtype::I32 => cast(data, |b| i32::from_le_bytes(b) as f32),
            Dtype::U8 => data.iter().map(|v| f32::from(*v)).collect(),
            other => panic!("{}: {name}: unexpected {other:?}", self.path.display()),
        }
    }

    /// A tensor on `device` as f32.
    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        Tensor::from_data(TensorData::new(self.values(name), self.shape(name)), device)
    }

    /// A JSON value of the file's metadata, such as `config` or `cases`.
    pub fn metadata_json(&self, key: &str) -> serde_json::Value {
        let (_, header) = SafeTensors::read_metadata(&self.bytes)
            .unwrap_or_else(|e| panic!("{}: {e}", self.path.display()));
        let text = header
            .metadata()
            .as_ref()
            .and_then(|m| m.get(key))
            .unwrap_or_else(|| panic!("{}: no metadata {key}", self.path.display()));
        serde_json::from_str(text).unwrap_or_else(|e| panic!("{}: {key}: {e}", self.path.display()))
    }
}

fn cast<const N: usize>(data: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    data.as_chunks::<N>()
        .0
        .iter()
        .map(|b| convert(*b))
        .collect()
}
