use feature_stats::{MeanCovariance, Pca, StatsError};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1};

use crate::GanspaceError;

/// Principal components of latents or activations: orthonormal directions of the largest variance, largest first.
///
/// The entry of the largest magnitude of each component is positive, so that the same samples give the same directions.
#[derive(Clone, Debug, PartialEq)]
pub struct PrincipalComponents {
    /// `[d]`.
    pub(crate) mean: Array1<f64>,
    /// `[k, d]`.
    pub(crate) components: Array2<f64>,
    /// `[k]`.
    pub(crate) variances: Array1<f64>,
    pub(crate) total_variance: f64,
}

impl PrincipalComponents {
    /// The exact components of streamed statistics (`feature_stats::Moments`), `count` of them.
    ///
    /// Memory and time grow with the square and the cube of the dimension; beyond some thousand use
    /// [`IncrementalPca`](crate::IncrementalPca).
    ///
    /// # Errors
    /// When `count` is not between 1 and the dimension, or the eigen-decomposition fails.
    pub fn fit(statistics: &MeanCovariance, count: usize) -> Result<Self, GanspaceError> {
        let pca = Pca::fit(statistics, count)?;
        Ok(Self {
            mean: pca.mean().clone(),
            components: pca.components().clone(),
            variances: pca.explained_variance().clone(),
            total_variance: statistics.covariance().diag().sum(),
        })
    }

    /// Dimension of what they are components of.
    pub fn dimension(&self) -> usize {
        self.mean.len()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.variances.len()
    }

    /// The mean that is taken off, `[d]`.
    pub fn mean(&self) -> &Array1<f64> {
        &self.mean
    }

    /// Unit vectors as rows, `[k, d]`.
    pub fn components(&self) -> &Array2<f64> {
        &self.components
    }

    /// Standard deviation along each component, `[k]`.
    pub fn stdev(&self) -> Array1<f64> {
        self.variances.mapv(f64::sqrt)
    }

    /// Variance along each component, `[k]`.
    pub fn explained_variance(&self) -> &Array1<f64> {
        &self.variances
    }

    /// Share of each component in the variance of all `d` dimensions, `[k]`; zero where there is no variance at all.
    pub fn explained_variance_ratio(&self) -> Array1<f64> {
        if self.total_variance > 0.0 {
            &self.variances / self.total_variance
        } else {
            Array1::zeros(self.variances.len())
        }
    }

    /// Coordinates `components (x - mean)` of the rows of `[n, d]`, as `[n, k]`, in the unit of `x`.
    ///
    /// # Errors
    /// When the dimension differs or a number is not finite.
    pub fn coordinates<T: Copy + Into<f64>>(
        &self,
        rows: ArrayView2<'_, T>,
    ) -> Result<Array2<f64>, GanspaceError> {
        let rows = check_rows("a sample", rows, self.dimension())?;
        Ok((rows - &self.mean).dot(&self.components.t()))
    }
}

/// Rows of the expected width as f64, all finite.
pub(crate) fn check_rows<T: Copy + Into<f64>>(
    what: &'static str,
    rows: ArrayView2<'_, T>,
    dimension: usize,
) -> Result<Array2<f64>, StatsError> {
    if rows.ncols() != dimension {
        return Err(StatsError::WrongDimension {
            what,
            found: rows.ncols(),
            expected: dimension,
        });
    }
    let rows: Array2<f64> = rows.as_standard_layout().mapv(Into::into);
    match rows.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(rows),
        Some(((row, column), value)) => Err(StatsError::NonFinite {
            what,
            row,
            column,
            value: *value,
        }),
    }
}

/// Turns a vector so that its entry of the largest magnitude, the first of equal ones, is positive.
pub(crate) fn orient(mut vector: ArrayViewMut1<'_, f64>) {
    if largest_entry(vector.view()) < 0.0 {
        vector.mapv_inplace(|value| -value);
    }
}

fn largest_entry(vector: ArrayView1<'_, f64>) -> f64 {
    vector.iter().fold(0.0, |largest: f64, value| {
        if value.abs() > largest.abs() {
            *value
        } else {
            largest
        }
    })
}
