//! `feature_distance` and its derivatives from the operations that every backend has.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};

use super::{LENGTH_EPSILON, Reduction, SQUARED_LENGTH_EPSILON};

/// The channels' axis.
const CHANNELS: usize = 1;

/// The result of the operation.
#[cfg(test)]
pub(super) fn feature_distance<B: Backend>(
    x: FloatTensor<B>,
    target: FloatTensor<B>,
    head: FloatTensor<B>,
    reduction: Reduction,
) -> FloatTensor<B> {
    let inverse = inverse::<B>(lengths::<B>(x.clone()));
    let difference = difference::<B>(x, inverse, target);
    let squared = B::float_mul(difference.clone(), difference);
    let map = B::float_sum_dim(B::float_mul(squared, head), CHANNELS);
    match reduction {
        Reduction::None => map,
        Reduction::Mean => {
            let [batch, _, height, width] = map.shape().dims();
            let flat = B::float_reshape(map, [batch, 1, 1, height * width].into());
            B::float_mean_dim(flat, 3)
        }
    }
}

/// The gradient at `x`: with `u` the normalized columns, `l` their lengths and `e = 2 gradient head (u - target)`, it
/// is `e / (l + epsilon) - x (sum_c e x) / (l (l + epsilon)^2)`.
#[cfg(test)]
pub(super) fn gradient_at_x<B: Backend>(
    gradient: FloatTensor<B>,
    x: FloatTensor<B>,
    target: FloatTensor<B>,
    head: FloatTensor<B>,
    reduction: Reduction,
) -> FloatTensor<B> {
    let length = lengths::<B>(x.clone());
    let inverse = inverse::<B>(length.clone());
    let difference = difference::<B>(x.clone(), inverse.clone(), target);
    let e = gradient_at_difference::<B>(gradient, difference, head, reduction);
    let along_x = B::float_sum_dim(B::float_mul(e.clone(), x.clone()), CHANNELS);
    // Divided by the length first: the squared inverse alone is as large as 1e20.
    let along_x = B::float_mul(B::float_div(along_x, length), inverse.clone());
    let along_x = B::float_mul(along_x, inverse.clone());
    B::float_sub(B::float_mul(e, inverse), B::float_mul(x, along_x))
}

/// The gradient at `target`: `-e`, summed over the batch where all images have one target.
pub(super) fn gradient_at_target<B: Backend>(
    gradient: FloatTensor<B>,
    x: FloatTensor<B>,
    target: FloatTensor<B>,
    head: FloatTensor<B>,
    reduction: Reduction,
) -> FloatTensor<B> {
    let one_for_all = target.shape()[0] < x.shape()[0];
    let inverse = inverse::<B>(lengths::<B>(x.clone()));
    let difference = difference::<B>(x, inverse, target);
    let e = gradient_at_difference::<B>(gradient, difference, head, reduction);
    let e = if one_for_all {
        B::float_sum_dim(e, 0)
    } else {
        e
    };
    B::float_neg(e)
}

/// Lengths of the columns of `x`, `[batch, 1, height, width]`.
fn lengths<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let squared = B::float_sum_dim(B::float_mul(x.clone(), x), CHANNELS);
    B::float_sqrt(B::float_add_scalar(squared, SQUARED_LENGTH_EPSILON.into()))
}

/// What makes columns of these lengths into normalized ones.
fn inverse<B: Backend>(lengths: FloatTensor<B>) -> FloatTensor<B> {
    B::float_recip(B::float_add_scalar(lengths, LENGTH_EPSILON.into()))
}

/// `u - target`.
fn difference<B: Backend>(
    x: FloatTensor<B>,
    inverse: FloatTensor<B>,
    target: FloatTensor<B>,
) -> FloatTensor<B> {
    B::float_sub(B::float_mul(x, inverse), target)
}

/// `2 gradient head (u - target)`.
fn gradient_at_difference<B: Backend>(
    gradient: FloatTensor<B>,
    difference: FloatTensor<B>,
    head: FloatTensor<B>,
    reduction: Reduction,
) -> FloatTensor<B> {
    let [_, _, height, width] = difference.shape().dims();
    let factor = match reduction {
        Reduction::None => 2.0,
        Reduction::Mean => 2.0 / (height * width) as f32,
    };
    let gradient = B::float_mul_scalar(gradient, factor.into());
    B::float_mul(B::float_mul(difference, head), gradient)
}
