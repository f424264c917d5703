use feature_stats::{Cholesky, MeanCovariance, Ridge};
use ndarray::{Array1, ArrayView1, ArrayView2};

use crate::GanspaceError;
use crate::sample_checks::{check_finite, check_rows_alike, check_same_shape};

/// The mixture of directions that moves an attribute for as little else as possible: weights `m` of length 1.
///
/// `score_change` `[k]` is what the attribute's score gains for one standard deviation of each direction.
/// `side_effects` `[k, k]` has the inner products of what the directions do to the whole picture, means over samples;
/// its diagonal are squared distances. The mixture has the largest `(a . m)^2 / m^T (S + r I) m`, so
/// `m ~ (S + r I)^-1 a`, as in Fisher's linear discriminant; the attribute grows along it. `r` is `relative_ridge`
/// times the mean of the diagonal: much of it keeps to the directions that move the attribute most, little trusts small
/// differences between few samples.
///
/// ```
/// use ganspace::exclusive_mixture;
/// use ndarray::array;
///
/// // The second direction moves the attribute as far as the first, and twice as much else.
/// let mixture = exclusive_mixture(array![1.0, 1.0].view(), array![[1.0, 0.0], [0.0, 2.0]].view(), 1e-9)?;
/// assert!((mixture[0] / mixture[1] - 2.0).abs() < 1e-6);
/// # Ok::<(), ganspace::GanspaceError>(())
/// ```
///
/// # Errors
/// When sizes differ, a number is not finite, no direction moves the attribute or the picture, or the matrix with its
/// ridge is not positive definite.
pub fn exclusive_mixture(
    score_change: ArrayView1<'_, f64>,
    side_effects: ArrayView2<'_, f64>,
    relative_ridge: f64,
) -> Result<Array1<f64>, GanspaceError> {
    let count = score_change.len();
    check_rows_alike("the matrix of side effects", side_effects.nrows(), count)?;
    check_same_shape("the matrix of side effects", side_effects, side_effects.t())?;
    check_finite("a change of score", score_change.iter().copied())?;
    let scale = side_effects.diag().sum() / count as f64;
    if scale.is_nan() || scale <= 0.0 || score_change.iter().all(|change| *change == 0.0) {
        return Err(GanspaceError::NoSpread {
            what: "images or scores after steps along the directions",
            value: 0.0,
        });
    }
    let statistics = MeanCovariance::new(Array1::zeros(count), side_effects.to_owned())?;
    let inverse = Cholesky::new(&statistics, Ridge::new(relative_ridge * scale)?)?.inverse_lower();
    let mixture = inverse.t().dot(&inverse.dot(&score_change));
    let length = mixture.dot(&mixture).sqrt();
    Ok(mixture / length)
}
