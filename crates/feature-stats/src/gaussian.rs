use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::dense::{check_dimension, check_finite};
use crate::{Cholesky, MeanCovariance, Ridge, StatsError};

/// Normal distribution `N(mean, covariance + ridge I)` with its factor and log-determinant kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    mean: Array1<f64>,
    cholesky: Cholesky,
}

impl Gaussian {
    /// Factors the covariance of `statistics` with the ridge.
    ///
    /// # Errors
    /// When the covariance with the ridge is not positive definite.
    pub fn new(statistics: &MeanCovariance, ridge: Ridge) -> Result<Self, StatsError> {
        Ok(Self {
            mean: statistics.mean().clone(),
            cholesky: Cholesky::new(statistics, ridge)?,
        })
    }

    /// The mean, `[d]`.
    pub fn mean(&self) -> &Array1<f64> {
        &self.mean
    }

    /// The factor of `covariance + ridge I`.
    pub fn cholesky(&self) -> &Cholesky {
        &self.cholesky
    }

    /// The log-density at the mean, `-(d log 2 pi + log det (covariance + ridge I)) / 2`.
    pub fn log_normalizer(&self) -> f64 {
        let dimension = self.mean.len() as f64;
        -0.5 * (dimension * std::f64::consts::TAU.ln() + self.cholesky.log_determinant())
    }

    /// Log-density at each row of `[n, d]`: `log_normalizer - |L^-1 (x - mean)|^2 / 2`, natural logarithm.
    ///
    /// # Errors
    /// When the dimension differs or a number is not finite.
    pub fn log_densities<T: Copy + Into<f64>>(
        &self,
        rows: ArrayView2<'_, T>,
    ) -> Result<Array1<f64>, StatsError> {
        check_dimension("a feature", rows.ncols(), self.mean.len())?;
        check_finite("a feature", rows)?;
        let mut whitened = Array2::zeros((rows.ncols(), rows.nrows()));
        whitened.assign(&(rows.mapv(|v| -> f64 { v.into() }) - &self.mean).t());
        self.cholesky.solve_lower(&mut whitened);
        whitened.mapv_inplace(|v| v * v);
        Ok(self.log_normalizer() - 0.5 * whitened.sum_axis(Axis(0)))
    }
}
