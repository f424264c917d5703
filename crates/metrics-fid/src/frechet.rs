//! The distance between two Gaussians, exactly and without conditions on their rank.

mod factor;
mod nuclear_norm;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, get_global_parallelism};
use feature_stats::MeanCovariance;

use crate::MetricsError;
use factor::CovarianceFactor;

/// The two parts of a Fréchet distance; they have the unit of the features, squared.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct FrechetTerms {
    /// `|mu_a - mu_b|^2`: how far apart the sets lie.
    pub mean: f64,
    /// `tr(A + B - 2 (A^1/2 B A^1/2)^1/2)`: how much their spreads differ.
    pub covariance: f64,
}

impl FrechetTerms {
    /// The Fréchet distance, the sum of both.
    pub fn distance(&self) -> f64 {
        self.mean + self.covariance
    }
}

/// The squared Fréchet (2-Wasserstein) distance of the Gaussians with these means and covariances,
///
/// `|mu_a - mu_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2)`
///
/// (Dowson and Landau, "The Fréchet distance between multivariate normal distributions", 1982). Of Inception-v3's
/// `pool3` features under one of the [`FidProtocol`](crate::FidProtocol)s it is the Fréchet Inception distance (Heusel
/// et al., 2017); of other features it is not, and should not be called so.
///
/// The result is real and not negative, for covariances of any rank: with factors `A = F F^T` and `B = G G^T` the trace
/// of the root is the sum of the singular values of `F^T G`, which needs no inverse and no epsilon.
///
/// Differs from pytorch-fid, which takes a root of the non-symmetric `A B`: that is complex up to rounding, and fails
/// for deficient ranks until 1e-6 is added to both diagonals. Where it works, the values agree.
///
/// # Errors
/// When the dimensions differ, or a covariance is not positive semidefinite.
///
/// ```
/// use feature_stats::MeanCovariance;
/// use metrics_fid::frechet_distance;
/// use ndarray::array;
///
/// // Of one variable: (mu_a - mu_b)^2 + (sigma_a - sigma_b)^2.
/// let a = MeanCovariance::new(array![1.0], array![[4.0]])?;
/// let b = MeanCovariance::new(array![4.0], array![[25.0]])?;
/// assert!((frechet_distance(&a, &b)? - 18.0).abs() < 1e-12);
/// # Ok::<(), metrics_fid::MetricsError>(())
/// ```
pub fn frechet_distance(a: &MeanCovariance, b: &MeanCovariance) -> Result<f64, MetricsError> {
    frechet_terms(a, b).map(|terms| terms.distance())
}

/// [`frechet_distance`], in its two parts.
///
/// # Errors
/// As [`frechet_distance`].
pub fn frechet_terms(a: &MeanCovariance, b: &MeanCovariance) -> Result<FrechetTerms, MetricsError> {
    FrechetReference::new(a)?.terms(b)
}

/// Statistics that many others are compared with; what the comparison needs of them is computed once.
#[derive(Clone, Debug)]
pub struct FrechetReference {
    statistics: MeanCovariance,
    factor: CovarianceFactor,
}

impl FrechetReference {
    /// Prepares statistics.
    ///
    /// # Errors
    /// When the covariance is not positive semidefinite.
    pub fn new(statistics: &MeanCovariance) -> Result<Self, MetricsError> {
        Ok(Self {
            statistics: statistics.clone(),
            factor: CovarianceFactor::new(statistics.covariance())?,
        })
    }

    /// Dimension of the features.
    pub fn dimension(&self) -> usize {
        self.statistics.dimension()
    }

    /// [`frechet_distance`] from other statistics.
    ///
    /// # Errors
    /// As [`frechet_distance`].
    pub fn distance(&self, other: &MeanCovariance) -> Result<f64, MetricsError> {
        self.terms(other).map(|terms| terms.distance())
    }

    /// [`distance`](Self::distance), in its two parts.
    ///
    /// # Errors
    /// As [`frechet_distance`].
    pub fn terms(&self, other: &MeanCovariance) -> Result<FrechetTerms, MetricsError> {
        if other.dimension() != self.dimension() {
            return Err(MetricsError::WrongDimension {
                found: other.dimension(),
                expected: self.dimension(),
            });
        }
        let difference = self.statistics.mean() - other.mean();
        let factor = CovarianceFactor::new(other.covariance())?;
        let traces = self.statistics.covariance().diag().sum() + other.covariance().diag().sum();
        let covariance = traces - 2.0 * trace_of_root(&self.factor, &factor)?;
        Ok(FrechetTerms {
            mean: difference.dot(&difference),
            // Equal covariances leave a rounding error of either sign.
            covariance: covariance.max(0.0),
        })
    }
}

/// `tr((A^1/2 B A^1/2)^1/2)`: the eigenvalues of `A^1/2 B A^1/2` are the squared singular values of `A^1/2 B^1/2`, and
/// those stay the same when either root is replaced by another factor of its matrix.
fn trace_of_root(a: &CovarianceFactor, b: &CovarianceFactor) -> Result<f64, MetricsError> {
    let (a, b) = (a.columns(), b.columns());
    // [rank of A, rank of B]
    let mut product = Mat::zeros(a.ncols(), b.ncols());
    matmul(
        &mut product,
        Accum::Replace,
        a.transpose(),
        b,
        1.0,
        get_global_parallelism(),
    );
    nuclear_norm::nuclear_norm(product.as_ref())
}
