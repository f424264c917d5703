use std::collections::HashSet;
use std::io::Cursor;
use std::path::Path;

use cpu_kernels::triangle;
use feature_stats::{Gaussian, MeanCovariance};
use half::f16;
use ndarray::ArrayView2;

use crate::format::{self, NAME_LIMIT, Record, is_valid_name};
use crate::settings::{IndexPrecision, IndexSettings};
use crate::storage::Storage;
use crate::{Index, RetrievalError};

/// Factors models one by one for an [`Index`] or to be appended to a file.
#[derive(Clone, Debug)]
pub struct IndexBuilder {
    settings: IndexSettings,
    models: Vec<Model>,
    names: HashSet<String>,
}

#[derive(Clone, Debug)]
struct Model {
    name: String,
    log_normalizer: f64,
    mean: Vec<f32>,
    factor: Vec<u8>,
    sample_count: u32,
    samples: Vec<u8>,
}

impl IndexBuilder {
    /// Without models.
    ///
    /// # Errors
    /// When a dimension of the settings is out of range.
    pub fn new(settings: IndexSettings) -> Result<Self, RetrievalError> {
        settings.validate()?;
        Ok(Self {
            settings,
            models: Vec::new(),
            names: HashSet::new(),
        })
    }

    /// What all models have in common.
    pub fn settings(&self) -> &IndexSettings {
        &self.settings
    }

    /// How many models have been added.
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// Whether no models have been added.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }

    /// Adds a model by the statistics of its features, of the settings' input dimension (and of length 1 where the
    /// settings normalize).
    ///
    /// # Errors
    /// When the name cannot be kept or is taken, the statistics have another dimension, their covariance plus ridge is
    /// not positive definite, or its factor does not fit the precision.
    pub fn add(&mut self, name: &str, statistics: &MeanCovariance) -> Result<(), RetrievalError> {
        let none = ArrayView2::from_shape((0, self.settings.input_dimension), &[]);
        self.add_with_samples(name, statistics, none.expect("no rows fit no numbers"))
    }

    /// As [`add`](Self::add), with features of samples, `[n, input_dimension]`, for
    /// [`MonteCarlo`](crate::RetrievalMethod::MonteCarlo).
    ///
    /// As in the published code, samples are taken as they are (unless the settings normalize them): normalize them for
    /// the score to be one of cosines.
    ///
    /// # Errors
    /// As [`add`](Self::add); when the samples have another dimension or a number that is not finite or does not fit.
    pub fn add_with_samples(
        &mut self,
        name: &str,
        statistics: &MeanCovariance,
        samples: ArrayView2<'_, f32>,
    ) -> Result<(), RetrievalError> {
        if !is_valid_name(name) {
            return Err(RetrievalError::InvalidName {
                name: name.to_owned(),
                limit: NAME_LIMIT,
            });
        }
        if self.names.contains(name) {
            return Err(RetrievalError::DuplicateModel {
                name: name.to_owned(),
            });
        }
        let sample_count =
            u32::try_from(samples.nrows()).map_err(|_| RetrievalError::InvalidSetting {
                what: "the number of samples",
                found: samples.nrows().to_string(),
                expected: "at most 4294967295",
            })?;
        let refused = |source| RetrievalError::Statistics {
            model: name.to_owned(),
            source,
        };
        let statistics = self
            .settings
            .prepare_statistics(statistics)
            .map_err(refused)?;
        let gaussian = Gaussian::new(&statistics, self.settings.ridge).map_err(refused)?;
        let lower = gaussian.cholesky().inverse_lower();
        let factor = triangle::pack(lower.nrows(), |row, column| lower[[row, column]]);
        let samples = self.settings.prepare_rows(samples)?;
        let model = Model {
            name: name.to_owned(),
            log_normalizer: gaussian.log_normalizer(),
            mean: gaussian.mean().iter().map(|v| *v as f32).collect(),
            factor: encode(name, self.settings.precision, &factor)?,
            sample_count,
            samples: encode(
                name,
                self.settings.precision,
                samples.as_slice().expect("made in standard layout"),
            )?,
        };
        check_fits(name, &model.mean, f32::is_finite)?;
        self.names.insert(model.name.clone());
        self.models.push(model);
        Ok(())
    }

    /// The index of these models, in memory.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn build(&self) -> Result<Index, RetrievalError> {
        let mut bytes = Cursor::new(Vec::new());
        format::write_index(&mut bytes, &self.settings, &self.records())
            .expect("a vector takes everything");
        let path = Path::new("index in memory");
        let storage = Storage::from_bytes(path, bytes.get_ref())?;
        Index::from_storage(path, storage, crate::Verification::Tables)
    }

    pub(crate) fn records(&self) -> Vec<Record<'_>> {
        self.models.iter().map(Model::record).collect()
    }
}

impl Model {
    fn record(&self) -> Record<'_> {
        Record {
            name: &self.name,
            log_normalizer: self.log_normalizer,
            mean: &self.mean,
            factor: &self.factor,
            sample_count: self.sample_count,
            samples: &self.samples,
        }
    }
}

/// Little-endian bytes in the precision of an index.
fn encode(
    model: &str,
    precision: IndexPrecision,
    values: &[f32],
) -> Result<Vec<u8>, RetrievalError> {
    match precision {
        IndexPrecision::F32 => {
            check_fits(model, values, f32::is_finite)?;
            Ok(values.iter().flat_map(|v| v.to_le_bytes()).collect())
        }
        IndexPrecision::F16 => {
            check_fits(model, values, |v| f16::from_f32(v).is_finite())?;
            Ok(values
                .iter()
                .flat_map(|v| f16::from_f32(*v).to_le_bytes())
                .collect())
        }
    }
}

fn check_fits(
    model: &str,
    values: &[f32],
    fits: impl Fn(f32) -> bool,
) -> Result<(), RetrievalError> {
    match values.iter().find(|v| !fits(**v)) {
        None => Ok(()),
        Some(value) => Err(RetrievalError::DoesNotFit {
            model: model.to_owned(),
            value: *value,
        }),
    }
}
