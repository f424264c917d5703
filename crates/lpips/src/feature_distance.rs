//! The comparison of one layer's activations, as one differentiable operation.

mod backend;
mod composed;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod cube;
#[cfg(feature = "cpu")]
mod flex;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use self::backend::FeatureDistanceOps;

/// Added to the length of a feature column before dividing by it, as in the authors' package.
const LENGTH_EPSILON: f32 = 1e-10;

/// Added under the square root, whose derivative is infinite at zero.
///
// Differs from lpips 0.1.4: there an all-zero feature column has a NaN gradient. This term's root, 1e-18, is below half
// a unit in the last place of LENGTH_EPSILON, so no value changes; the length's gradient at zero becomes zero, its
// smallest subgradient.
const SQUARED_LENGTH_EPSILON: f32 = 1e-36;

/// What becomes of the distances of an image's pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reduction {
    /// They stay a map: `[batch, 1, height, width]`.
    None,
    /// Their mean: `[batch, 1, 1, 1]`.
    Mean,
}

/// Scales each feature column of `x` `[batch, channels, height, width]` to unit length: `x / (|x| + 1e-10)`.
pub(crate) fn normalize_columns(x: Tensor<4>) -> Tensor<4> {
    let squared_length = (x.clone() * x.clone()).sum_dim(1);
    let length = (squared_length + SQUARED_LENGTH_EPSILON).sqrt() + LENGTH_EPSILON;
    x / length
}

/// `sum_c head_c (normalized(x)_c - target_c)^2` at each pixel, reduced.
///
/// Shapes: activations `x` `[batch, channels, height, width]`, normalized `target` the same with a batch equal or 1,
/// `head` `[1, channels, 1, 1]`, all `f32`. Differentiable in `x` and `target`; `head` is a constant.
pub(crate) fn feature_distance(
    x: Tensor<4>,
    target: Tensor<4>,
    head: Tensor<4>,
    reduction: Reduction,
) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::feature_distance(
        x.into_dispatch(),
        target.into_dispatch(),
        head.into_dispatch(),
        reduction,
    ))
}

#[cfg(test)]
mod tests;
