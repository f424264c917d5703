//! Statistics of some of a zoo's models in one file: a piece of an index that is made by many processes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use checkpoint_file::{StoredDType, StoredTensor};
use feature_stats::Moments;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::protocol::Protocol;
use crate::Error;
use crate::part_file::{self, PartFile, malformed};

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

impl part_file::PartRecord for PartRecord {
    const KIND: &'static str = "part of an index";
    const WRITTEN_BY: &'static str = "index build --shard";
}

/// A part whose file was read.
pub(super) type Part = PartFile<PartRecord>;

impl PartFile<PartRecord> {
    /// Statistics of a model that the record names.
    pub fn moments(&self, model: &str) -> Result<Moments, Error> {
        let mean = self.doubles(&mean_of(model))?;
        let scatter = self.doubles(&scatter_of(model))?;
        let dimension = mean.len();
        if scatter.len() != dimension * (dimension + 1) / 2 {
            return Err(malformed(
                self.path(),
                format!(
                    "the scatter of {} has {} numbers, expected those of a triangle of {dimension} rows",
                    checkpoint_file::shown(model),
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

    /// Features `[samples, dimension]` that say how likely a model's own samples are; none in parts of earlier
    /// versions.
    pub fn own_features(&self, model: &str) -> Result<Option<Array2<f32>>, Error> {
        let Some(tensor) = self.tensor(&own_of(model)) else {
            return Ok(None);
        };
        let samples = self.record.protocol.own_samples();
        match *tensor.shape() {
            [rows, dimension] if rows == samples && tensor.dtype() == StoredDType::F32 => {
                let features = Array2::from_shape_vec((rows, dimension), tensor.to_f32());
                Ok(features.ok())
            }
            _ => Err(malformed(
                self.path(),
                format!(
                    "the own samples of {} are {:?} of shape {:?}, expected {samples} rows of F32",
                    checkpoint_file::shown(model),
                    tensor.dtype(),
                    tensor.shape()
                ),
            )),
        }
    }

    fn doubles(&self, name: &str) -> Result<Vec<f64>, Error> {
        match self.tensor(name) {
            Some(tensor) if tensor.dtype() == StoredDType::F64 => {
                let (values, _) = tensor.bytes().as_chunks();
                Ok(values.iter().map(|b| f64::from_le_bytes(*b)).collect())
            }
            _ => Err(malformed(
                self.path(),
                format!("has no tensor {} of type F64", checkpoint_file::shown(name)),
            )),
        }
    }
}

/// What a part holds of its models.
#[derive(Default)]
pub(super) struct Contents {
    tensors: BTreeMap<String, StoredTensor>,
}

impl Contents {
    /// Adds a model's statistics and the features of its own samples.
    pub fn add(&mut self, model: &str, moments: &Moments, own: Option<ArrayView2<'_, f32>>) {
        let tensors = &mut self.tensors;
        tensors.insert(mean_of(model), doubles(moments.mean().iter()));
        tensors.insert(scatter_of(model), doubles(moments.packed_scatter().iter()));
        if let Some(own) = own {
            let values: Vec<f32> = own.iter().copied().collect();
            let own = StoredTensor::from_f32(own.shape().to_vec(), &values);
            tensors.insert(own_of(model), own);
        }
    }

    /// Writes the part into a folder, under a name that follows from its content.
    pub fn save(&self, folder: &Path, record: &PartRecord) -> Result<PathBuf, Error> {
        part_file::save(folder, record, &self.tensors)
    }
}

fn mean_of(model: &str) -> String {
    format!("{model}/mean")
}

fn scatter_of(model: &str) -> String {
    format!("{model}/scatter")
}

fn own_of(model: &str) -> String {
    format!("{model}/own")
}

fn doubles<'v>(values: impl ExactSizeIterator<Item = &'v f64>) -> StoredTensor {
    let shape = vec![values.len()];
    StoredTensor::new(
        StoredDType::F64,
        shape,
        values.flat_map(|v| v.to_le_bytes()).collect(),
    )
}
