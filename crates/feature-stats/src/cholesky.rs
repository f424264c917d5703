use faer::Side;
use faer::linalg::{triangular_inverse, triangular_solve};
use ndarray::Array2;

use crate::dense::{from_faer, view, view_mut};
use crate::{MeanCovariance, StatsError};

/// What is added to the diagonal of a covariance before it is factored, in the features' unit squared.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Ridge(f64);

impl Ridge {
    /// Nothing: the covariance must be positive definite by itself.
    pub const NONE: Self = Self(0.0);

    /// 1e-3, for L2-normalized features (Lu et al., "Content-based search for deep generative models", 2023;
    /// `gaussian_density_estimate` of its code).
    pub const CONTENT_BASED_SEARCH: Self = Self(1e-3);

    /// A ridge of any size.
    ///
    /// # Errors
    /// When the value is negative or not finite.
    pub fn new(value: f64) -> Result<Self, StatsError> {
        if value.is_finite() && value >= 0.0 {
            Ok(Self(value))
        } else {
            Err(StatsError::InvalidRidge { found: value })
        }
    }

    /// The number that is added.
    pub fn value(self) -> f64 {
        self.0
    }
}

/// Cholesky factor of a covariance with a ridge: `L L^T = covariance + ridge I`, with its log-determinant.
#[derive(Clone, Debug, PartialEq)]
pub struct Cholesky {
    lower: Array2<f64>,
    log_determinant: f64,
    ridge: Ridge,
}

impl Cholesky {
    /// Factors `covariance + ridge I`.
    ///
    /// # Errors
    /// When that is not positive definite.
    pub fn new(statistics: &MeanCovariance, ridge: Ridge) -> Result<Self, StatsError> {
        let mut matrix = statistics.covariance().clone();
        for value in matrix.diag_mut() {
            *value += ridge.value();
        }
        let refused = |pivot| StatsError::NotPositiveDefinite {
            ridge: ridge.value(),
            pivot,
            dimension: statistics.dimension(),
        };
        let factored = view(&matrix).llt(Side::Lower).map_err(|error| {
            let faer::linalg::cholesky::llt::factor::LltError::NonPositivePivot { index } = error;
            refused(index)
        })?;
        let mut lower = from_faer(factored.L());
        for ((row, column), value) in lower.indexed_iter_mut() {
            if column > row {
                *value = 0.0;
            }
        }
        let log_determinant = 2.0 * lower.diag().iter().map(|v| v.ln()).sum::<f64>();
        if !log_determinant.is_finite() {
            return Err(refused(0));
        }
        Ok(Self {
            lower,
            log_determinant,
            ridge,
        })
    }

    /// `L`, `[d, d]`; zero above the diagonal.
    pub fn lower(&self) -> &Array2<f64> {
        &self.lower
    }

    /// `log det (covariance + ridge I)`.
    pub fn log_determinant(&self) -> f64 {
        self.log_determinant
    }

    /// The ridge that was added.
    pub fn ridge(&self) -> Ridge {
        self.ridge
    }

    /// `L^-1`, `[d, d]`, lower triangular: `|L^-1 x|^2` is the squared Mahalanobis length of `x`.
    pub fn inverse_lower(&self) -> Array2<f64> {
        let mut inverse = Array2::zeros(self.lower.dim());
        triangular_inverse::invert_lower_triangular(
            view_mut(&mut inverse),
            view(&self.lower),
            faer::get_global_parallelism(),
        );
        inverse
    }

    /// Overwrites the columns of `right`, `[d, n]`, by `L^-1 right`.
    pub(crate) fn solve_lower(&self, right: &mut Array2<f64>) {
        triangular_solve::solve_lower_triangular_in_place(
            view(&self.lower),
            view_mut(right),
            faer::get_global_parallelism(),
        );
    }
}
