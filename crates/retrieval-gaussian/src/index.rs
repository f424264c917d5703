use std::ops::Range;
use std::path::{Path, PathBuf};

use cpu_kernels::triangle::{self, Triangle};
use half::f16;
use ndarray::Array1;

use crate::RetrievalError;
use crate::format::{self, Layout, ModelSegment, Record, Verification};
use crate::settings::{IndexPrecision, IndexSettings};
use crate::storage::{Storage, io};

/// Gaussian statistics of many models, factored once and ready to be searched; from
/// [`IndexBuilder`](crate::IndexBuilder) or mapped from a file.
///
/// Of every model it has the inverse Cholesky factor of `Sigma + ridge I` as a packed triangle, the mean and the
/// log-normalizer: a log-density is one pass over the triangle. Clones share the bytes.
#[derive(Clone, Debug)]
pub struct Index {
    path: PathBuf,
    storage: Storage,
    layout: Layout,
}

/// One model's numbers where they lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModelView<'a> {
    pub(crate) log_normalizer: f64,
    /// `[d]`.
    pub(crate) mean: &'a [f32],
    /// `W = L^-1`.
    pub(crate) factor: Triangle<'a>,
    /// `[n, d]`.
    pub(crate) samples: Samples<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Samples<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
}

impl Index {
    /// Maps a file and compares all of it with its checksums.
    ///
    /// The file stays mapped as long as the index or a clone lives. [`IndexFile`](crate::IndexFile) may append to it
    /// and remove models meanwhile, also in another process: this index keeps the models that it was opened with. Other
    /// programs must not write into the file or shorten it while it is mapped.
    ///
    /// # Errors
    /// When the file cannot be read, is not an index, or is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RetrievalError> {
        Self::open_with(path, Verification::Full)
    }

    /// As [`open`](Self::open), with the choice of how much is compared with checksums.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        path: impl AsRef<Path>,
        verification: Verification,
    ) -> Result<Self, RetrievalError> {
        let path = path.as_ref();
        Self::from_storage(path, Storage::map(path)?, verification)
    }

    pub(crate) fn from_storage(
        path: &Path,
        storage: Storage,
        verification: Verification,
    ) -> Result<Self, RetrievalError> {
        let layout = format::read(path, &storage, verification)?;
        Ok(Self {
            path: path.to_owned(),
            storage,
            layout,
        })
    }

    /// Compares factors and samples with their checksums, which [`Verification::Tables`] leaves out.
    ///
    /// # Errors
    /// When they are damaged.
    pub fn verify(&self) -> Result<(), RetrievalError> {
        let precision = self.settings().precision;
        self.layout.segments.iter().try_for_each(|segment| {
            format::verify_bulk(&self.path, self.storage.segments(), precision, segment)
        })
    }

    /// Writes the index atomically, in one piece and without what was removed; an index that is mapped from the same
    /// file is not disturbed.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), RetrievalError> {
        let path = path.as_ref();
        let records: Vec<Record<'_>> = self.present().into_iter().map(|i| self.record(i)).collect();
        whole_file::write_durably(path, |mut out| {
            format::write_index(&mut out, self.settings(), &records)
        })
        .map_err(|source| io(path, source))
    }

    /// What all models have in common.
    pub fn settings(&self) -> &IndexSettings {
        &self.layout.settings
    }

    /// How many models there are.
    pub fn len(&self) -> usize {
        self.layout.positions.len()
    }

    /// Whether there are no models.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is a model of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.layout.positions.contains_key(name)
    }

    /// Names of all models in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let removed = self.layout.removed.iter();
        let present = self
            .layout
            .names
            .iter()
            .zip(removed)
            .filter(|(_, removed)| !**removed);
        present.map(|(name, _)| name.as_str())
    }

    /// Bytes of the index in its file or in memory.
    pub fn size_in_bytes(&self) -> u64 {
        self.layout.header.committed
    }

    /// Statistics of a model as they are scored (normalized, projected), rebuilt from its factor: the covariance up to
    /// the rounding of the index.
    ///
    /// # Errors
    /// When there is no such model, or its factor cannot be inverted.
    pub fn statistics(&self, name: &str) -> Result<feature_stats::MeanCovariance, RetrievalError> {
        let model = self.model(self.position(name)?);
        let dimension = self.settings().dimension();
        // Column i of L^T is L^T e_i.
        let mut transposed = ndarray::Array2::zeros((dimension, dimension));
        for index in 0..dimension {
            let mut column = vec![0.0; dimension];
            column[index] = 1.0;
            triangle::solve_transposed(dimension, |i| model.factor.value(i), &mut column);
            transposed.column_mut(index).assign(&Array1::from(column));
        }
        let mut covariance = transposed.t().dot(&transposed);
        for value in covariance.diag_mut() {
            *value -= self.settings().ridge.value();
        }
        let mean = model.mean.iter().map(|v| f64::from(*v)).collect();
        feature_stats::MeanCovariance::new(mean, covariance).map_err(|source| {
            RetrievalError::Statistics {
                model: name.to_owned(),
                source,
            }
        })
    }

    pub(crate) fn into_layout(self) -> Layout {
        self.layout
    }

    /// Positions of all models that are there.
    pub(crate) fn present(&self) -> Vec<usize> {
        (0..self.layout.names.len())
            .filter(|i| !self.layout.removed[*i])
            .collect()
    }

    pub(crate) fn position(&self, name: &str) -> Result<usize, RetrievalError> {
        let position = self.layout.positions.get(name).copied();
        position.ok_or_else(|| RetrievalError::UnknownModel {
            name: name.to_owned(),
            count: self.len(),
        })
    }

    pub(crate) fn name(&self, position: usize) -> &str {
        &self.layout.names[position]
    }

    /// A model by its position, removed or not.
    pub(crate) fn model(&self, position: usize) -> ModelView<'_> {
        let record = self.record(position);
        let (factor, samples) = match self.settings().precision {
            IndexPrecision::F32 => (
                Triangle::F32(bytemuck::cast_slice(record.factor)),
                Samples::F32(bytemuck::cast_slice(record.samples)),
            ),
            IndexPrecision::F16 => (
                Triangle::F16(bytemuck::cast_slice(record.factor)),
                Samples::F16(bytemuck::cast_slice(record.samples)),
            ),
        };
        ModelView {
            log_normalizer: record.log_normalizer,
            mean: record.mean,
            factor,
            samples,
        }
    }

    fn record(&self, position: usize) -> Record<'_> {
        let (segment, index) = self.segment(position);
        let dimension = self.settings().dimension();
        let samples = segment.sample_starts[index]..segment.sample_starts[index + 1];
        Record {
            name: self.name(position),
            log_normalizer: segment.log_normalizers[index],
            mean: self.mean(position),
            factor: self.rows(
                &segment.factors,
                index..index + 1,
                triangle::length(dimension),
            ),
            sample_count: samples.len() as u32,
            samples: self.rows(&segment.samples, samples, dimension),
        }
    }

    /// A model's mean alone, `[d]`.
    pub(crate) fn mean(&self, position: usize) -> &[f32] {
        let (segment, index) = self.segment(position);
        let dimension = self.settings().dimension();
        let means: &[f32] = bytemuck::cast_slice(&self.storage.segments()[segment.means.clone()]);
        &means[index * dimension..][..dimension]
    }

    fn segment(&self, position: usize) -> (&ModelSegment, usize) {
        let segments = &self.layout.segments;
        let after = segments.partition_point(|s| s.first + s.count <= position);
        (&segments[after], position - segments[after].first)
    }

    /// Bytes of some of the rows that lie in `range`, of `width` numbers each.
    fn rows(&self, range: &Range<usize>, rows: Range<usize>, width: usize) -> &[u8] {
        let size = match self.settings().precision {
            IndexPrecision::F32 => 4,
            IndexPrecision::F16 => 2,
        };
        &self.storage.segments()[range.clone()][rows.start * width * size..rows.end * width * size]
    }
}
