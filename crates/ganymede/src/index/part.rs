//! Statistics of some of a zoo's models in one file: a piece of an index that is made by many processes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use checkpoint::{Checkpoint, FloatPrecision, StoredDType, StoredTensor, save_safetensors};
use feature_stats::Moments;
use serde::{Deserialize, Serialize};

use super::protocol::Protocol;
use crate::{Error, files};

/// How the name of a part's file ends; what stands before it is a part of the SHA-256 of its content.
pub const PART_SUFFIX: &str = ".part.safetensors";

/// Metadata keys: what the file is, and what it is made of.
const KIND_KEY: &str = "kind";
const KIND: &str = "part of an index";
const RECORD_KEY: &str = "part";

/// What a part is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartRecord {
    /// How samples became statistics.
    pub protocol: Protocol,
    /// Its models.
    pub models: BTreeMap<String, Source>,
    /// Models that could not be sampled and were left out on request.
    pub left_out: BTreeSet<String>,
}

/// What a model's statistics are of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// SHA-256 of the generator's file.
    pub generator: String,
    /// Class of all samples, where they are of one class.
    pub class: Option<usize>,
}

/// A part whose file was read.
pub(super) struct Part {
    pub record: PartRecord,
    file: Checkpoint,
}

impl Part {
    /// Reads and checks a file that [`save`] wrote.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = Checkpoint::open(path)?;
        let metadata = file.metadata();
        let record = match (metadata.get(KIND_KEY), metadata.get(RECORD_KEY)) {
            (Some(kind), Some(record)) if kind == KIND => record,
            _ => {
                return Err(malformed(
                    path,
                    "not a part of an index; name the files that `index build --shard` wrote",
                ));
            }
        };
        let record = serde_json::from_str(record)
            .map_err(|e| malformed(path, format!("what it is made of cannot be read ({e})")))?;
        Ok(Self { record, file })
    }

    /// Statistics of a model that the record names.
    pub fn moments(&self, model: &str) -> Result<Moments, Error> {
        let path = self.file.path();
        let mean = self.floats(&mean_of(model))?;
        let scatter = self.floats(&scatter_of(model))?;
        let dimension = mean.len();
        if scatter.len() != dimension * (dimension + 1) / 2 {
            return Err(malformed(
                path,
                format!(
                    "the scatter of {} has {} numbers, expected those of a triangle of {dimension} rows",
                    checkpoint::shown(model),
                    scatter.len()
                ),
            ));
        }
        Ok(Moments::from_packed(
            self.record.protocol.samples,
            mean,
            &scatter,
        )?)
    }

    fn floats(&self, name: &str) -> Result<Vec<f64>, Error> {
        match self.file.tensors().get(name) {
            Some(tensor) if tensor.dtype() == StoredDType::F64 => {
                let (values, _) = tensor.bytes().as_chunks();
                Ok(values.iter().map(|b| f64::from_le_bytes(*b)).collect())
            }
            _ => Err(malformed(
                self.file.path(),
                format!("has no tensor {} of type F64", checkpoint::shown(name)),
            )),
        }
    }
}

/// Writes a part into a folder, under a name that follows from its content: made twice, it is the same file.
pub(super) fn save(
    folder: &Path,
    record: &PartRecord,
    moments: impl IntoIterator<Item = (String, Moments)>,
) -> Result<PathBuf, Error> {
    let mut tensors = BTreeMap::new();
    for (model, moments) in moments {
        tensors.insert(mean_of(&model), floats(moments.mean().iter()));
        tensors.insert(scatter_of(&model), floats(moments.packed_scatter().iter()));
    }
    let metadata = BTreeMap::from([
        (KIND_KEY.to_owned(), KIND.to_owned()),
        (RECORD_KEY.to_owned(), serde_json::to_string(record)?),
    ]);
    let arrays = tensors
        .iter()
        .map(|(name, tensor)| (&**name, "F64", tensor.shape(), tensor.bytes()));
    let digest = whole_file::content_sha256(&metadata, arrays);
    let path = folder.join(format!("{}{PART_SUFFIX}", &digest[..NAME_DIGITS]));
    files::make_folder(folder)?;
    save_safetensors(&path, &tensors, &metadata, FloatPrecision::F64)?;
    Ok(path)
}

/// Digits of a part's digest in its name: enough that no two of many thousands have the same.
const NAME_DIGITS: usize = 32;

fn mean_of(model: &str) -> String {
    format!("{model}/mean")
}

fn scatter_of(model: &str) -> String {
    format!("{model}/scatter")
}

fn floats<'v>(values: impl ExactSizeIterator<Item = &'v f64>) -> StoredTensor {
    let shape = vec![values.len()];
    StoredTensor::new(
        StoredDType::F64,
        shape,
        values.flat_map(|v| v.to_le_bytes()).collect(),
    )
}

fn malformed(path: &Path, problem: impl Into<String>) -> Error {
    Error::File {
        path: path.to_owned(),
        problem: problem.into(),
    }
}
