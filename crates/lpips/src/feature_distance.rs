//! The comparison of one layer's activations.

use burn::tensor::Tensor;

/// Added to the length of a feature vector before dividing by it, as in the authors' package.
const LENGTH_EPSILON: f32 = 1e-10;

/// Added under the square root, whose derivative is infinite at zero.
///
// Differs from lpips 0.1.4: there a pixel with an all-zero feature column has a NaN gradient. This term's root, 1e-18, is below half a unit
// in the last place of LENGTH_EPSILON, so no value changes; the length's gradient at zero becomes zero, its smallest subgradient.
const SQUARED_LENGTH_EPSILON: f32 = 1e-36;

/// Scales each feature column of `x` `[batch, channels, height, width]` to unit length: `x / (|x| + 1e-10)`.
pub(crate) fn normalize_columns(x: Tensor<4>) -> Tensor<4> {
    let squared_length = (x.clone() * x.clone()).sum_dim(1);
    let length = (squared_length + SQUARED_LENGTH_EPSILON).sqrt() + LENGTH_EPSILON;
    x / length
}

/// `sum_c w_c (x_c - target_c)^2` at each position, of normalised features: `[batch, 1, height, width]`.
///
/// `head` is `[1, channels, 1, 1]`; without it all weights are 1.
pub(crate) fn weighted_squared_difference(
    x: Tensor<4>,
    target: Tensor<4>,
    head: Option<Tensor<4>>,
) -> Tensor<4> {
    let difference = x - target;
    let squared = difference.clone() * difference;
    match head {
        Some(head) => (squared * head).sum_dim(1),
        None => squared.sum_dim(1),
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn the_added_term_does_not_change_the_epsilon() {
        assert_eq!(
            SQUARED_LENGTH_EPSILON.sqrt() + LENGTH_EPSILON,
            LENGTH_EPSILON
        );
    }

    #[test]
    fn columns_get_unit_length_and_zero_columns_stay() {
        let device = Device::flex();
        // Two columns of two channels: (3, 4) and (0, 0).
        let x = Tensor::<4>::from_data([[[[3.0, 0.0]], [[4.0, 0.0]]]], &device);
        let unit = normalize_columns(x).into_data();
        unit.assert_eq(
            &burn::tensor::TensorData::from([[[[0.6f32, 0.0]], [[0.8, 0.0]]]]),
            true,
        );
    }
}
