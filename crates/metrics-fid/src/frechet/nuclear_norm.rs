use faer::{Mat, MatRef, Side};

use crate::MetricsError;

/// Up to this dimension singular values take so little time that nothing faster is tried.
const SMALL: usize = 512;

/// What the sum may lose to rounding by squaring before the slower way is taken, relative to the sum and for matrices
/// without structure.
///
/// Products of pivoted Cholesky factors are graded and lose next to nothing: 4e-15 was the most in trials at dimension
/// 2048, where this bound gave 2e-9 to 7e-7.
const SUFFICIENT: f64 = 1e-6;

/// The sum of the singular values.
pub(super) fn nuclear_norm(matrix: MatRef<'_, f64>) -> Result<f64, MetricsError> {
    let dimension = matrix.nrows().min(matrix.ncols());
    if dimension > SMALL
        && let Some(sum) = from_squares(matrix)
    {
        return Ok(sum);
    }
    from_singular_values(matrix)
}

fn from_singular_values(matrix: MatRef<'_, f64>) -> Result<f64, MetricsError> {
    let values = matrix
        .singular_values()
        .map_err(|_| MetricsError::NoConvergence {
            dimension: matrix.nrows(),
        })?;
    Ok(values.iter().sum())
}

/// By the eigenvalues of `matrix matrix^T`, a third of the time of a singular value decomposition; none where squaring
/// costs too many digits.
fn from_squares(matrix: MatRef<'_, f64>) -> Option<f64> {
    let square: Mat<f64> = if matrix.nrows() <= matrix.ncols() {
        matrix * matrix.transpose()
    } else {
        matrix.transpose() * matrix
    };
    let squares = square.self_adjoint_eigenvalues(Side::Lower).ok()?;
    let largest = squares.last().copied()?;
    let error = f64::EPSILON * largest;
    let roots = || squares.iter().map(|square| square.max(0.0).sqrt());
    let sum: f64 = roots().sum();
    // An error e of a square moves its root r by e / 2r at most, and by sqrt(e) where the square is lost in it.
    let lost: f64 = roots()
        .map(|root| (error / (2.0 * root)).min(error.sqrt()))
        .sum();
    (lost <= SUFFICIENT * sum).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random numbers whose rows shrink from 1 to `smallest`, so that the singular values do too.
    fn graded(dimension: usize, smallest: f64) -> Mat<f64> {
        let values = testkit::seeded("nuclear norm", dimension * dimension, 1.0);
        Mat::from_fn(dimension, dimension, |i, j| {
            f64::from(values[i * dimension + j]) * smallest.powf(i as f64 / (dimension - 1) as f64)
        })
    }

    #[test]
    fn squares_give_the_same_sum_or_none() {
        let matrix = graded(200, 0.1);
        for matrix in [matrix.as_ref(), matrix.subcols(0, 60)] {
            let expected = from_singular_values(matrix).unwrap();
            let found = from_squares(matrix).expect("well conditioned");
            // The smallest singular value is some 1e-3 of the largest: 1e-16 of a square is 1e-13 of its root.
            assert!((found - expected).abs() <= 1e-12 * expected);
        }
        // One large value, whose rounding hides the squares of all others: 199 times 1.5e-8 may be lost.
        let hidden = Mat::from_fn(200, 200, |i, j| match (i == j, i) {
            (true, 0) => 1.0,
            (true, _) => 1e-10,
            _ => 0.0,
        });
        assert_eq!(from_squares(hidden.as_ref()), None);
    }

    #[test]
    fn diagonal_matrices_have_their_sums() {
        for dimension in [5, SMALL + 1] {
            let matrix = Mat::from_fn(dimension, dimension, |i, j| {
                if i == j { -1.0 - i as f64 } else { 0.0 }
            });
            let expected = (dimension * (dimension + 1) / 2) as f64;
            let found = nuclear_norm(matrix.as_ref()).unwrap();
            assert!((found / expected - 1.0).abs() < 1e-12, "{found}");
        }
    }
}
