use burn::tensor::{Tensor, activation};
use stylegan2_ops::{Activation, BiasAct, bias_act};

use super::Dual;

/// Constants of the scaled exponential linear unit (Klambauer et al. 2017).
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

/// [`bias_act`] and its tangent `g a'(x + b) x'`, 0 where the result is clamped.
///
/// The slope of a piecewise linear activation is a constant to autodiff, as its derivative is zero wherever it exists;
/// that of a smooth one stays a function of the value, so that gradients of the tangent are complete.
pub(crate) fn bias_act_dual<const D: usize>(
    x: Dual<D>,
    bias: Option<Tensor<1>>,
    options: BiasAct,
) -> Dual<D> {
    let gain = options.gain.unwrap_or(options.activation.default_gain());
    let alpha = options.alpha.unwrap_or(options.activation.default_alpha());
    // Before gain and clamp: the slope is a function of this.
    let input = match (&bias, options.activation.is_piecewise_linear()) {
        (Some(bias), false) => {
            let mut shape = [1; D];
            shape[1] = bias.dims()[0];
            Some(x.value.clone() + bias.clone().reshape(shape))
        }
        (None, false) => Some(x.value.clone()),
        (_, true) => None,
    };
    let value = bias_act(x.value, bias, options);
    let tangent = match (options.activation, input) {
        (Activation::Linear, _) => x.tangent.mul_scalar(gain),
        // The result has the sign of the input, as slopes and gains are positive.
        (Activation::Relu, _) => x.tangent * step(value.clone(), 0.0, gain),
        (Activation::LeakyRelu, _) => x.tangent * step(value.clone(), alpha * gain, gain),
        (smooth, Some(input)) => x.tangent * slope(smooth, input).mul_scalar(gain),
        (other, None) => unreachable!("{other:?} is not piecewise linear"),
    };
    let tangent = match options.clamp {
        Some(clamp) => {
            let clamped = value.clone().detach().abs().greater_equal_elem(clamp);
            tangent.mask_fill(clamped, 0.0)
        }
        None => tangent,
    };
    Dual { value, tangent }
}

trait PiecewiseLinear {
    fn is_piecewise_linear(&self) -> bool;
}

impl PiecewiseLinear for Activation {
    fn is_piecewise_linear(&self) -> bool {
        matches!(self, Self::Linear | Self::Relu | Self::LeakyRelu)
    }
}

/// `negative` where x is at most 0, else `positive`; a constant to autodiff.
fn step<const D: usize>(x: Tensor<D>, negative: f32, positive: f32) -> Tensor<D> {
    let x = x.detach();
    let above = x.clone().greater_elem(0.0);
    x.full_like(negative).mask_fill(above, positive)
}

/// The derivative of a smooth activation, differentiable once more.
fn slope<const D: usize>(activation: Activation, x: Tensor<D>) -> Tensor<D> {
    let one_minus = |y: Tensor<D>| y.neg().add_scalar(1.0);
    match activation {
        Activation::Tanh => {
            let y = x.tanh();
            one_minus(y.clone() * y)
        }
        Activation::Sigmoid => {
            let y = activation::sigmoid(x);
            y.clone() * one_minus(y)
        }
        // exp(min(x, 0)) is the slope on both sides.
        Activation::Elu => x.clamp_max(0.0).exp(),
        Activation::Selu => {
            let above = x.clone().detach().greater_elem(0.0);
            x.clamp_max(0.0)
                .exp()
                .mul_scalar(SELU_ALPHA * SELU_SCALE)
                .mask_fill(above, SELU_SCALE)
        }
        Activation::Softplus => activation::sigmoid(x),
        Activation::Swish => {
            let y = activation::sigmoid(x.clone());
            y.clone() + x * y.clone() * one_minus(y)
        }
        Activation::Linear | Activation::Relu | Activation::LeakyRelu => {
            unreachable!("the slope of {activation:?} is a step")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    const ALL: [Activation; 9] = [
        Activation::Linear,
        Activation::Relu,
        Activation::LeakyRelu,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::Elu,
        Activation::Selu,
        Activation::Softplus,
        Activation::Swish,
    ];

    fn values(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().iter::<f32>().collect()
    }

    /// The map is elementwise, so the tangent along ones is the derivative that autodiff gives for the sum.
    #[test]
    fn tangents_of_all_activations_are_the_derivatives_of_autodiff() {
        for (_, device) in testkit::devices() {
            for activation in ALL {
                for clamp in [None, Some(0.6)] {
                    let options = BiasAct {
                        activation,
                        gain: Some(1.3),
                        clamp,
                        ..BiasAct::default()
                    };
                    let x = TensorData::new(testkit::seeded("bias_act", 4 * 5, 1.0), [4, 5]);
                    let bias = TensorData::new(testkit::seeded("bias", 5, 0.3), [5]);
                    let bias = Tensor::<1>::from_data(bias, &device);
                    let input = Tensor::<2>::from_data(x.clone(), &device.clone().autodiff());
                    let input = input.require_grad();
                    let gradients = bias_act(input.clone(), Some(bias.clone()), options)
                        .sum()
                        .backward();
                    let expected = input.grad(&gradients).expect("the input takes part");

                    let value = Tensor::<2>::from_data(x, &device);
                    let tangent = value.ones_like();
                    let dual = bias_act_dual(Dual { value, tangent }, Some(bias), options);
                    // One rounding more or less in each factor.
                    testkit::assert_close(
                        &format!("{activation:?}, clamp {clamp:?}"),
                        &values(dual.tangent),
                        &values(expected),
                        1e-5,
                    );
                }
            }
        }
    }

    /// The tangent of a smooth activation has a gradient of its own: the second derivative.
    #[test]
    fn gradients_of_smooth_tangents_agree_with_differences() {
        for (_, device) in testkit::devices() {
            for activation in ALL {
                if activation.is_piecewise_linear() {
                    continue;
                }
                // Away from 0, where the slopes of elu and selu jump or bend.
                let x: Vec<f32> = testkit::seeded("smooth", 12, 1.0)
                    .iter()
                    .map(|v| v + 0.2 * v.signum())
                    .collect();
                testkit::assert_gradient(
                    &format!("tangent of {activation:?}"),
                    &device,
                    [3, 4],
                    &x,
                    1e-2,
                    // Third derivatives near 1 times the squared step, and rounding over the step.
                    5e-3,
                    |value: Tensor<2>| {
                        let tangent = value.clone().detach().full_like(0.7);
                        let options = BiasAct {
                            activation,
                            ..BiasAct::default()
                        };
                        bias_act_dual(Dual { value, tangent }, None, options)
                            .tangent
                            .sum()
                    },
                );
            }
        }
    }
}
