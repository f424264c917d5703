use burn::tensor::{Tensor, activation};

use crate::Activation;

/// Options of [`bias_act`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BiasAct {
    /// The activation.
    pub activation: Activation,
    /// Slope of the negative side; `None` takes the activation's own.
    pub alpha: Option<f32>,
    /// Factor on the activation's result; `None` takes the activation's own.
    pub gain: Option<f32>,
    /// Clamps the result to `[-clamp, clamp]`, after the gain.
    pub clamp: Option<f32>,
}

/// Adds `bias` along dimension 1, applies the activation, scales by the gain and clamps.
///
/// Shapes: `x` `[batch, channels, ...]`, `bias` `[channels]`, the result as `x`. Follows the official `torch_utils/ops/bias_act.py`.
/// Differentiable in `x` and `bias`.
///
/// # Panics
/// When `D` is less than 2 or the bias does not have `channels` elements.
pub fn bias_act<const D: usize>(
    x: Tensor<D>,
    bias: Option<Tensor<1>>,
    options: BiasAct,
) -> Tensor<D> {
    let x = match bias {
        Some(bias) => {
            let mut shape = [1; D];
            shape[1] = bias.dims()[0];
            x + bias.reshape(shape)
        }
        None => x,
    };
    let alpha = options.alpha.unwrap_or(options.activation.default_alpha());
    let gain = options.gain.unwrap_or(options.activation.default_gain());
    let x = match options.activation {
        Activation::Linear => x,
        Activation::Relu => activation::relu(x),
        Activation::LeakyRelu => activation::leaky_relu(x, f64::from(alpha)),
        Activation::Tanh => x.tanh(),
        Activation::Sigmoid => activation::sigmoid(x),
        Activation::Elu => activation::elu(x, 1.0),
        Activation::Selu => activation::selu(x),
        Activation::Softplus => activation::softplus(x, 1.0),
        Activation::Swish => x.clone() * activation::sigmoid(x),
    };
    let x = if gain == 1.0 { x } else { x.mul_scalar(gain) };
    match options.clamp {
        Some(clamp) => x.clamp(-clamp, clamp),
        None => x,
    }
}
