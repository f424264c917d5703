use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt_pivoting::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::{Col, Mat, MatRef, get_global_parallelism};
use feature_stats::SymmetricEigen;
use ndarray::Array2;

use crate::MetricsError;

/// `F`, `[d, rank]`, with `F F^T` equal to a covariance of any rank.
#[derive(Clone, Debug)]
pub(super) struct CovarianceFactor {
    columns: Mat<f64>,
}

impl CovarianceFactor {
    /// Factors an exactly symmetric matrix of finite numbers.
    ///
    /// By Cholesky with complete pivoting, which stops where what is left is rounding. It takes a tenth of the time of
    /// a symmetric root, and serves as well wherever only `F F^T` matters. Covariances that rounding to f32 has made
    /// slightly indefinite go through their eigenvalues.
    pub fn new(covariance: &Array2<f64>) -> Result<Self, MetricsError> {
        let dimension = covariance.nrows();
        // A column of a symmetric matrix is the row, which lies in order.
        let whole = Mat::from_fn(dimension, dimension, |i, j| covariance[[j, i]]);
        if let Some(columns) = pivoted_cholesky(&whole) {
            return Ok(Self { columns });
        }
        let factor = SymmetricEigen::new(covariance)?.root_factor()?;
        Ok(Self {
            columns: Mat::from_fn(dimension, dimension, |i, j| factor[[i, j]]),
        })
    }

    pub fn columns(&self) -> MatRef<'_, f64> {
        self.columns.as_ref()
    }
}

/// The columns of the pivoted Cholesky factor, with its rows in the matrix's order; none for a matrix that is not its
/// product up to rounding.
fn pivoted_cholesky(whole: &Mat<f64>) -> Option<Mat<f64>> {
    let dimension = whole.nrows();
    let largest = (0..dimension).fold(0.0f64, |m, i| m.max(whole[(i, i)]));
    if largest == 0.0 {
        // The factorization divides by its first pivot.
        let columns = Mat::zeros(dimension, 0);
        return is_factor(whole, &columns, largest).then_some(columns);
    }
    let mut lower = whole.clone();
    let (mut order, mut inverse) = (vec![0usize; dimension], vec![0usize; dimension]);
    let parallelism = get_global_parallelism();
    let scratch =
        cholesky_in_place_scratch::<usize, f64>(dimension, parallelism, Default::default());
    let (info, _) = cholesky_in_place(
        lower.as_mut(),
        &mut order,
        &mut inverse,
        parallelism,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .ok()?;
    let mut columns = Mat::zeros(dimension, info.rank);
    for column in 0..info.rank {
        for row in column..dimension {
            columns[(order[row], column)] = lower[(row, column)];
        }
    }
    is_factor(whole, &columns, largest).then_some(columns)
}

/// Whether `columns columns^T` is `whole` up to rounding, by their products with a vector of alternating runs of ones.
///
/// An indefinite matrix has a factor as far as its pivots are positive, but not of all of it.
fn is_factor(whole: &Mat<f64>, columns: &Mat<f64>, largest: f64) -> bool {
    let dimension = whole.nrows();
    // Runs of growing length, so that no pattern of the features cancels.
    let probe = Col::from_fn(dimension, |i| {
        if i.isqrt().is_multiple_of(2) {
            1.0
        } else {
            -1.0
        }
    });
    let difference = whole * &probe - columns * (columns.transpose() * &probe);
    // The factorization ends when what is left has entries below `d` epsilons of the largest variance; a row has `d` of
    // them.
    let bound = (dimension as f64).powi(2) * f64::EPSILON * largest;
    difference.iter().all(|value| value.abs() <= bound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn product(factor: &CovarianceFactor) -> Mat<f64> {
        factor.columns() * factor.columns().transpose()
    }

    #[test]
    fn deficient_ranks_are_found() {
        // The outer product of (1, 2, 2) and of (0, 3, -3).
        let covariance = array![[1.0, 2.0, 2.0], [2.0, 13.0, -5.0], [2.0, -5.0, 13.0]];
        let factor = CovarianceFactor::new(&covariance).unwrap();
        assert_eq!(factor.columns().ncols(), 2);
        let found = product(&factor);
        for ((row, column), expected) in covariance.indexed_iter() {
            // A few roundings of numbers near 10.
            assert!((found[(row, column)] - expected).abs() < 1e-14);
        }
        let nothing = CovarianceFactor::new(&Array2::zeros((3, 3))).unwrap();
        assert_eq!(nothing.columns().ncols(), 0);
    }

    #[test]
    fn rounding_to_f32_is_forgiven_and_indefinite_matrices_are_not() {
        // Rank one up to 1e-8, which makes one eigenvalue slightly negative.
        let mut covariance = array![[1.0, 1.0], [1.0, 1.0 - 1e-8]];
        let factor = CovarianceFactor::new(&covariance).unwrap();
        let found = product(&factor);
        assert!((found[(0, 1)] - 1.0).abs() < 1e-7);
        covariance[[1, 1]] = 0.5;
        assert!(CovarianceFactor::new(&covariance).is_err());
        // Without a positive pivot.
        assert!(CovarianceFactor::new(&array![[0.0, 1.0], [1.0, 0.0]]).is_err());
        assert!(CovarianceFactor::new(&array![[-1.0]]).is_err());
    }
}
