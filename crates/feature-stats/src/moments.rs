use std::path::Path;

use faer::Accum;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::dense::{check_dimension, check_finite, mirror_lower, view, view_mut};
use crate::stored::{self, StoredArrays};
use crate::{MeanCovariance, StatsError};

/// Rows that are widened to f64 at a time, so that memory does not grow with the batch: 8 MiB at dimension 2048.
const CHUNK_ROWS: usize = 512;

const KIND: &str = "feature moments";

/// Delta degrees of freedom: what is taken off the number of samples in the divisor of a covariance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ddof {
    /// 0: the covariance of exactly these features, divisor `n`.
    Population,
    /// 1: the unbiased estimate, divisor `n - 1`, as `numpy.cov` and the FID papers use it.
    Sample,
}

impl Ddof {
    fn value(self) -> u64 {
        match self {
            Self::Population => 0,
            Self::Sample => 1,
        }
    }
}

/// Number, mean and scatter of features, updated batch by batch in f64.
///
/// Each batch is centered on its own mean and then merged after Chan, Golub and LeVeque, "Updating formulae and a
/// pairwise algorithm for computing sample variances" (1979): with `delta` the difference of the means of `n` and `m`
/// features,
///
/// `scatter = scatter_n + scatter_m + n m / (n + m) delta delta^T`.
///
/// No sum of squares is ever taken about zero, so that features with a mean far larger than their spread lose nothing.
/// Streams can be accumulated apart, saved, resumed and merged in any order; results agree up to rounding.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    count: u64,
    /// `[d]`.
    mean: Array1<f64>,
    /// `[d, d]`: sum of `(x - mean)(x - mean)^T`; the lower triangle only.
    scatter: Array2<f64>,
}

impl Moments {
    /// Of no features yet, of the given dimension.
    pub fn new(dimension: usize) -> Self {
        Self {
            count: 0,
            mean: Array1::zeros(dimension),
            scatter: Array2::zeros((dimension, dimension)),
        }
    }

    /// Dimension of the features.
    pub fn dimension(&self) -> usize {
        self.mean.len()
    }

    /// How many features have been added.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Of `count` features with the given mean, `[d]`, and scatter as [`packed_scatter`](Self::packed_scatter) gives
    /// it.
    ///
    /// # Errors
    /// When a number is not finite.
    ///
    /// # Panics
    /// When the scatter has not the `d (d + 1) / 2` numbers of a triangle.
    pub fn from_packed(count: u64, mean: Vec<f64>, scatter: &[f64]) -> Result<Self, StatsError> {
        let dimension = mean.len();
        let expected = dimension * (dimension + 1) / 2;
        assert_eq!(
            scatter.len(),
            expected,
            "numbers of a packed scatter of dimension {dimension}"
        );
        let mean = Array1::from_vec(mean);
        check_finite("a mean", mean.view().insert_axis(Axis(0)))?;
        let mut full = Array2::zeros((dimension, dimension));
        let mut left = scatter;
        for (index, mut row) in full.rows_mut().into_iter().enumerate() {
            let (values, others) = left.split_at(index + 1);
            for (to, value) in row.iter_mut().zip(values) {
                *to = *value;
            }
            left = others;
        }
        check_finite("a packed scatter", full.view())?;
        Ok(Self {
            count,
            mean,
            scatter: full,
        })
    }

    /// The mean, `[d]`; zeros before any feature was added.
    pub fn mean(&self) -> &Array1<f64> {
        &self.mean
    }

    /// The lower triangle of the scatter, the sum of `(x - mean) (x - mean)^T`: row after row, `d (d + 1) / 2` numbers.
    pub fn packed_scatter(&self) -> Vec<f64> {
        let rows = self.scatter.rows().into_iter().enumerate();
        rows.flat_map(|(index, row)| row.into_iter().take(index + 1).copied())
            .collect()
    }

    /// Adds features, `[n, d]`, of f32 or f64.
    ///
    /// # Errors
    /// When the dimension differs or a number is not finite; nothing has been added then.
    pub fn add_rows<T: Copy + Into<f64>>(
        &mut self,
        rows: ArrayView2<'_, T>,
    ) -> Result<(), StatsError> {
        check_dimension("a batch of features", rows.ncols(), self.dimension())?;
        check_finite("a batch of features", rows)?;
        for chunk in rows.axis_chunks_iter(Axis(0), CHUNK_ROWS) {
            self.add_chunk(chunk.as_standard_layout().mapv(Into::into));
        }
        Ok(())
    }

    /// Adds features that lie one after another in a slice of `n d` numbers.
    ///
    /// # Errors
    /// When the slice does not divide into features of this dimension or a number is not finite; nothing has been added
    /// then.
    pub fn add_slice(&mut self, rows: &[f32]) -> Result<(), StatsError> {
        let dimension = self.dimension();
        let remainder = rows.len().checked_rem(dimension).unwrap_or(rows.len());
        if remainder != 0 {
            return Err(StatsError::WrongDimension {
                what: "the last feature of a slice",
                found: remainder,
                expected: dimension,
            });
        }
        let count = rows.len() / dimension.max(1);
        let view =
            ArrayView2::from_shape((count, dimension), rows).expect("the slice divides into rows");
        self.add_rows(view)
    }

    fn add_chunk(&mut self, rows: Array2<f64>) {
        let Some(mean) = rows.mean_axis(Axis(0)) else {
            return;
        };
        let centered = rows - &mean;
        add_product(&mut self.scatter, &centered, 1.0);
        self.shift_to(&mean, centered.nrows() as u64);
    }

    /// Adds what another stream has accumulated.
    ///
    /// # Errors
    /// When its features have another dimension.
    pub fn merge(&mut self, other: &Self) -> Result<(), StatsError> {
        check_dimension("the other stream", other.dimension(), self.dimension())?;
        if other.count > 0 {
            self.scatter += &other.scatter;
            self.shift_to(&other.mean, other.count);
        }
        Ok(())
    }

    /// The part of a merge that the means take: moves the mean, and adds the scatter of the two means about it.
    fn shift_to(&mut self, other_mean: &Array1<f64>, other_count: u64) {
        let (n, m) = (self.count as f64, other_count as f64);
        let delta = other_mean - &self.mean;
        self.mean.scaled_add(m / (n + m), &delta);
        self.count += other_count;
        let weight = n * m / (n + m);
        if weight > 0.0 {
            add_product(&mut self.scatter, &delta.insert_axis(Axis(0)), weight);
        }
    }

    /// Mean and covariance of all features so far.
    ///
    /// # Errors
    /// When there are no more features than `ddof`.
    pub fn mean_covariance(&self, ddof: Ddof) -> Result<MeanCovariance, StatsError> {
        let required = ddof.value() + 1;
        if self.count < required {
            return Err(StatsError::TooFewSamples {
                found: self.count,
                required,
            });
        }
        let mut covariance = &self.scatter / (self.count - ddof.value()) as f64;
        mirror_lower(&mut covariance);
        MeanCovariance::new(self.mean.clone(), covariance)
    }

    /// Writes what has been accumulated as f64 safetensors (`count`, `mean`, `scatter`), atomically, to go on later.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), StatsError> {
        let mut scatter = self.scatter.clone();
        mirror_lower(&mut scatter);
        let mut file = stored::Writer::default();
        file.count("count", self.count);
        file.vector("mean", &self.mean);
        file.matrix("scatter", &scatter);
        file.write(path.as_ref(), KIND)
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// When the file cannot be read, or is anything but finite moments of one dimension.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, StatsError> {
        let file = StoredArrays::read(path.as_ref(), KIND, &["count", "mean", "scatter"])?;
        let mean = file.vector("mean", None)?;
        let scatter = file.symmetric("scatter", mean.len())?;
        Ok(Self {
            count: file.count("count")?,
            mean,
            scatter,
        })
    }
}

/// `scatter += weight rows^T rows`, lower triangle only, which halves the work.
fn add_product(scatter: &mut Array2<f64>, rows: &Array2<f64>, weight: f64) {
    triangular::matmul(
        view_mut(scatter),
        BlockStructure::TriangularLower,
        Accum::Add,
        view(rows).transpose(),
        BlockStructure::Rectangular,
        view(rows),
        BlockStructure::Rectangular,
        weight,
        faer::get_global_parallelism(),
    );
}
