//! The middle of a mobile bottleneck: `relu6(depthwise(relu6(x)) + bias)` with TensorFlow's `SAME` padding.
//!
//! On the CPU, and where no gradient is wanted, this is one pass over memory; elsewhere it is composed of
//! differentiable operations. The activations before and behind take as long as the convolution itself when each goes
//! through memory on its own.

#[cfg(feature = "cpu")]
mod flex;

#[cfg(feature = "cpu")]
pub(crate) use flex::is_plain_on_cpu;

use burn::tensor::Tensor;
use stylegan2_ops::{Activation, BiasAct, bias_act};

use crate::convolution::Convolution;
use crate::same_padding::convolve_same;

/// Upper end of ReLU6.
const LIMIT: f32 = 6.0;

/// ReLU6: `x` clamped to [0, 6].
pub(crate) fn relu6(x: Tensor<4>) -> Tensor<4> {
    // Burn's clamp keeps masks for its gradient, and filling by them takes longer than a depthwise convolution.
    let options = BiasAct {
        activation: Activation::Relu,
        gain: Some(1.0),
        clamp: Some(LIMIT),
        ..BiasAct::default()
    };
    bias_act(x, None, options)
}

/// `relu6(convolution(relu6(x)))` for a depthwise `convolution` `[channels, 1, k, k]`:
/// `[batch, channels, height, width]` to `[batch, channels, ⌈height / stride⌉, ⌈width / stride⌉]`.
pub(crate) fn activated_depthwise(
    convolution: &Convolution,
    x: Tensor<4>,
    stride: usize,
) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if is_plain_on_cpu(&x) {
        return flex::activated_depthwise(convolution, x, stride);
    }
    composed(convolution, x, stride)
}

fn composed(convolution: &Convolution, x: Tensor<4>, stride: usize) -> Tensor<4> {
    let channels = x.dims()[1];
    relu6(convolve_same(convolution, relu6(x), stride, channels))
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use burn::tensor::{Device, TensorData};
    use testkit::{assert_close, seeded};

    use super::*;

    fn values(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_to_vec().expect("f32 throughout")
    }

    #[test]
    fn gradients_of_relu6_pass_between_its_bends() {
        let device = Device::flex().autodiff();
        let data = TensorData::new(vec![-1.0f32, 0.5, 5.5, 7.0, f32::NAN], [1, 1, 1, 5]);
        let x = Tensor::<4>::from_data(data, &device).require_grad();
        let y = relu6(x.clone());
        let found = values(y.clone().inner());
        assert_eq!(found[..4], [0.0, 0.5, 5.5, 6.0]);
        // What is no number must not look like a dark picture.
        assert!(found[4].is_nan());
        let gradients = y.mul_scalar(3.0).sum().backward();
        let gradient = values(x.grad(&gradients).unwrap());
        assert_eq!(gradient[..4], [0.0, 3.0, 3.0, 0.0]);
    }

    #[test]
    fn one_pass_computes_what_the_operations_compute() {
        let device = Device::flex();
        // Around the 16 lanes of a vector, smaller than the kernel, and of both kinds of padding.
        for [height, width] in [[1, 1], [2, 5], [7, 7], [14, 15], [17, 16], [33, 48]] {
            for kernel in [3, 5] {
                for stride in [1, 2] {
                    let what = format!("{height} x {width}, kernel {kernel}, stride {stride}");
                    let shape = [2, 3, height, width];
                    // Both ends of both activations are reached.
                    let x = seeded("x", shape.iter().product(), 6.0);
                    let x = Tensor::from_data(TensorData::new(x, shape), &device);
                    let weight = seeded("weight", 3 * kernel * kernel, 1.0);
                    let weight = TensorData::new(weight, [3, 1, kernel, kernel]);
                    let bias = TensorData::new(seeded("bias", 3, 3.0), [3]);
                    let convolution = Convolution::from_tensors(
                        Tensor::from_data(weight, &device),
                        Tensor::from_data(bias, &device),
                    );
                    let found = values(activated_depthwise(&convolution, x.clone(), stride));
                    let expected = values(composed(&convolution, x, stride));
                    // Fused and separate multiply-adds, up to 25 of them.
                    assert_close(&what, &found, &expected, 1e-6);
                }
            }
        }
    }

    #[test]
    fn views_are_read_in_their_order() {
        let device = Device::flex();
        let x = Tensor::<1>::from_floats(seeded("view", 2 * 3 * 6 * 4, 6.0).as_slice(), &device);
        let x = x.reshape([2, 3, 6, 4]).swap_dims(2, 3);
        let convolution = Convolution::from_tensors(
            Tensor::ones([3, 1, 3, 3], &device),
            Tensor::zeros([3], &device),
        );
        let found = values(activated_depthwise(&convolution, x.clone(), 1));
        assert_close("view", &found, &values(composed(&convolution, x, 1)), 1e-6);
    }
}
