//! Named f64 arrays in safetensors files: strict to read, atomic to write. Files are untrusted: safetensors compares
//! every length with the file, and here names, types, shapes and values are compared with what is expected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2, Axis};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use whole_file::CONTENT_SHA256;

use crate::StatsError;
use crate::dense::{check_finite, check_symmetric, mirror_lower};

/// Metadata key of what the file holds.
const KIND_KEY: &str = "kind";

struct Stored {
    name: &'static str,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Writer {
    arrays: Vec<Stored>,
}

impl Writer {
    pub(crate) fn count(&mut self, name: &'static str, value: u64) {
        self.arrays.push(Stored {
            name,
            dtype: Dtype::U64,
            shape: vec![1],
            bytes: value.to_le_bytes().to_vec(),
        });
    }

    pub(crate) fn vector(&mut self, name: &'static str, values: &Array1<f64>) {
        self.floats(name, vec![values.len()], values.iter());
    }

    pub(crate) fn matrix(&mut self, name: &'static str, values: &Array2<f64>) {
        self.floats(name, values.shape().to_vec(), values.iter());
    }

    fn floats<'v>(
        &mut self,
        name: &'static str,
        shape: Vec<usize>,
        values: impl Iterator<Item = &'v f64>,
    ) {
        self.arrays.push(Stored {
            name,
            dtype: Dtype::F64,
            shape,
            bytes: values.flat_map(|v| v.to_le_bytes()).collect(),
        });
    }

    /// Writes to a temporary file beside `path`, then renames it.
    pub(crate) fn write(self, path: &Path, kind: &'static str) -> Result<(), StatsError> {
        let views = self.arrays.iter().map(|array| {
            let view = TensorView::new(array.dtype, array.shape.clone(), &array.bytes)
                .expect("the bytes were made from the shape");
            (array.name, view)
        });
        let mut metadata = BTreeMap::from([(KIND_KEY.to_owned(), kind.to_owned())]);
        let mut in_order_of_names: Vec<&Stored> = self.arrays.iter().collect();
        in_order_of_names.sort_by_key(|array| array.name);
        let arrays = in_order_of_names.iter().map(|array| {
            let shape = array.shape.as_slice();
            (array.name, dtype_name(array.dtype), shape, &*array.bytes)
        });
        let digest = whole_file::content_sha256(&metadata, arrays);
        metadata.insert(CONTENT_SHA256.to_owned(), digest);
        let bytes = safetensors::serialize(views, Some(metadata.into_iter().collect()))
            .expect("arrays of checked shapes can be serialized");
        whole_file::write_durably(path, |out| out.write_all(&bytes)).map_err(|source| {
            StatsError::Io {
                path: path.to_owned(),
                source,
            }
        })
    }
}

/// The arrays of one file, by name.
pub(crate) struct StoredArrays {
    path: PathBuf,
    kind: &'static str,
    arrays: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>,
}

/// Longest file that is read: a covariance of 8192 features takes half a gigabyte.
const MAX_BYTES: u64 = 16 << 30;

impl StoredArrays {
    /// Reads a file that says it is of `kind` and has exactly the arrays `names`.
    pub(crate) fn read(
        path: &Path,
        kind: &'static str,
        names: &[&str],
    ) -> Result<Self, StatsError> {
        let bytes = whole_file::read(path, MAX_BYTES).map_err(|source| StatsError::Io {
            path: path.to_owned(),
            source,
        })?;
        let mut file = Self {
            path: path.to_owned(),
            kind,
            arrays: BTreeMap::new(),
        };
        let parsed = SafeTensors::read_metadata(&bytes)
            .and_then(|(_, header)| Ok((header, SafeTensors::deserialize(&bytes)?)));
        let (header, tensors) = parsed.map_err(|e| file.malformed(format!("{e}")))?;
        let found_kind = header.metadata().as_ref().and_then(|m| m.get(KIND_KEY));
        if found_kind.map(String::as_str) != Some(kind) {
            return Err(file.malformed(format!(
                "its metadata says {}, expected {KIND_KEY} = {kind:?}",
                found_kind.map_or("nothing of its kind".to_owned(), |k| format!("{k:?}"))
            )));
        }
        for (name, tensor) in tensors.tensors() {
            if !names.contains(&name.as_str()) {
                return Err(file.malformed(format!(
                    "it has the tensor {name:?}, expected only {}",
                    names.join(", ")
                )));
            }
            let parts = (
                tensor.dtype(),
                tensor.shape().to_vec(),
                tensor.data().to_vec(),
            );
            file.arrays.insert(name, parts);
        }
        let metadata: BTreeMap<String, String> = header
            .metadata()
            .iter()
            .flatten()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        // Files of earlier versions and of others have none.
        if let Some(recorded) = metadata.get(CONTENT_SHA256) {
            let arrays = file.arrays.iter().map(|(name, (dtype, shape, bytes))| {
                (&**name, dtype_name(*dtype), &**shape, &**bytes)
            });
            let found = whole_file::content_sha256(&metadata, arrays);
            if found != *recorded {
                return Err(file.malformed(format!(
                    "its content has the SHA-256 {found}, but it was written with {:?}; it was changed or damaged since, so make it again",
                    recorded.chars().take(found.len()).collect::<String>()
                )));
            }
        }
        Ok(file)
    }

    pub(crate) fn malformed(&self, reason: String) -> StatsError {
        StatsError::Malformed {
            path: self.path.clone(),
            kind: self.kind,
            reason,
        }
    }

    fn array(&self, name: &str, dtype: Dtype) -> Result<(&[usize], &[u8]), StatsError> {
        let (found, shape, bytes) = self
            .arrays
            .get(name)
            .ok_or_else(|| self.malformed(format!("the tensor {name:?} is missing")))?;
        if *found != dtype {
            return Err(self.malformed(format!(
                "tensor {name:?} has elements of type {found:?}, expected {dtype:?}"
            )));
        }
        Ok((shape, bytes))
    }

    fn wrong_shape(&self, name: &str, found: &[usize], expected: &str) -> StatsError {
        self.malformed(format!(
            "tensor {name:?} has shape {found:?}, expected {expected}"
        ))
    }

    pub(crate) fn count(&self, name: &str) -> Result<u64, StatsError> {
        let (shape, bytes) = self.array(name, Dtype::U64)?;
        match bytes.try_into() {
            Ok(bytes) => Ok(u64::from_le_bytes(bytes)),
            Err(_) => Err(self.wrong_shape(name, shape, "[1]")),
        }
    }

    /// An array of one dimension, of `length` where that is given.
    pub(crate) fn vector(
        &self,
        name: &str,
        length: Option<usize>,
    ) -> Result<Array1<f64>, StatsError> {
        let (shape, bytes) = self.array(name, Dtype::F64)?;
        if shape.len() != 1 || length.is_some_and(|expected| shape[0] != expected) {
            let expected = length.map_or("one dimension".to_owned(), |n| format!("[{n}]"));
            return Err(self.wrong_shape(name, shape, &expected));
        }
        let values = Array1::from_vec(floats(bytes));
        self.finite(name, values.view().insert_axis(Axis(0)))?;
        Ok(values)
    }

    /// An array of the given shape.
    pub(crate) fn matrix(
        &self,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> Result<Array2<f64>, StatsError> {
        let (shape, bytes) = self.array(name, Dtype::F64)?;
        if *shape != [rows, columns] {
            return Err(self.wrong_shape(name, shape, &format!("[{rows}, {columns}]")));
        }
        let values = Array2::from_shape_vec((rows, columns), floats(bytes))
            .expect("as many values as safetensors has checked against the shape");
        self.finite(name, values.view())?;
        Ok(values)
    }

    /// A symmetric matrix of `dimension` rows.
    pub(crate) fn symmetric(
        &self,
        name: &'static str,
        dimension: usize,
    ) -> Result<Array2<f64>, StatsError> {
        let mut values = self.matrix(name, dimension, dimension)?;
        check_symmetric(name, values.view()).map_err(|e| self.malformed(e.to_string()))?;
        mirror_lower(&mut values);
        Ok(values)
    }

    fn finite(&self, name: &str, values: ndarray::ArrayView2<'_, f64>) -> Result<(), StatsError> {
        check_finite("tensor", values).map_err(|e| self.malformed(format!("{name:?}: {e}")))
    }
}

/// As safetensors writes it.
fn dtype_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::U64 => "U64",
        Dtype::F64 => "F64",
        // No array of these files is of another type: a digest of one cannot be right.
        _ => "",
    }
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    let (values, _) = bytes.as_chunks();
    values.iter().map(|b| f64::from_le_bytes(*b)).collect()
}
