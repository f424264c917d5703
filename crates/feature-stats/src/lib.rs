//! Mean and covariance of features that arrive in batches, in f64 and in one pass, and what is computed from them:
//! Gaussian log-density, principal components, symmetric eigen-decomposition and square root.
//!
//! Features are rows: an array of `n` features of dimension `d` has shape `[n, d]`. Nothing here needs all of them at
//! once.
//!
//! ```
//! use feature_stats::{Ddof, Gaussian, Moments, Pca, Ridge};
//! use ndarray::array;
//!
//! let mut first = Moments::new(2);
//! first.add_rows(array![[1.0f32, 2.0], [3.0, 2.0]].view())?;
//! let mut second = Moments::new(2);
//! second.add_rows(array![[2.0f32, 5.0]].view())?;
//! first.merge(&second)?;
//!
//! let statistics = first.mean_covariance(Ddof::Sample)?;
//! assert_eq!(statistics.mean(), array![2.0, 3.0]);
//! let difference = statistics.covariance() - array![[1.0, 0.0], [0.0, 3.0]];
//! assert!(difference.iter().all(|d| d.abs() < 1e-12));
//!
//! let gaussian = Gaussian::new(&statistics, Ridge::NONE)?;
//! let at_mean = gaussian.log_densities(array![[2.0f64, 3.0]].view())?[0];
//! assert!((at_mean + 3f64.sqrt().ln() + std::f64::consts::TAU.ln()).abs() < 1e-12);
//!
//! let pca = Pca::fit(&statistics, 1)?;
//! assert!((pca.explained_variance_ratio()[0] - 0.75).abs() < 1e-12);
//! # Ok::<(), feature_stats::StatsError>(())
//! ```
//!
//! # Feature flags
//!
//! This crate has none.

mod cholesky;
mod dense;
mod error;
mod gaussian;
mod linear_regression;
mod mean_covariance;
mod moments;
mod pca;
mod stored;
mod symmetric_eigen;

pub use cholesky::{Cholesky, Ridge};
pub use error::StatsError;
pub use gaussian::Gaussian;
pub use linear_regression::LinearRegression;
pub use mean_covariance::MeanCovariance;
pub use moments::{Ddof, Moments};
pub use pca::Pca;
pub use symmetric_eigen::SymmetricEigen;
