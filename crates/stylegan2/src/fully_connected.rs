mod tangent;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use stylegan2_ops::{Activation, BiasAct, bias_act, matmul};

use crate::initializer::Initializer;

/// Fully connected layer with equalized learning rate (Karras et al. 2018, section 4.1): `y = activation(g W x + l b)`
/// with `g = l / sqrt(inputs)` and the learning-rate multiplier `l`.
#[derive(Module, Debug)]
pub struct FullyConnected {
    /// `[outputs, inputs]`
    weight: Param<Tensor<2>>,
    /// `[outputs]`
    bias: Param<Tensor<1>>,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    weight_gain: f32,
    #[module(skip)]
    bias_gain: f32,
}

/// Options of [`FullyConnected`], with the official defaults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FullyConnectedOptions {
    /// Applied after the bias, with its own gain.
    pub activation: Activation,
    /// Factor on the learning rate.
    pub lr_multiplier: f32,
    /// First value of the bias.
    pub bias_init: f32,
}

impl Default for FullyConnectedOptions {
    fn default() -> Self {
        Self {
            activation: Activation::Linear,
            lr_multiplier: 1.0,
            bias_init: 0.0,
        }
    }
}

impl FullyConnected {
    /// A layer of random weights.
    pub fn init(
        inputs: usize,
        outputs: usize,
        options: FullyConnectedOptions,
        seed: u32,
        device: &Device,
    ) -> Self {
        Self::new(
            inputs,
            outputs,
            options,
            &mut Initializer::seeded(device, seed),
        )
    }

    pub(crate) fn new(
        inputs: usize,
        outputs: usize,
        options: FullyConnectedOptions,
        initializer: &mut Initializer<'_>,
    ) -> Self {
        Self {
            weight: initializer.normal([outputs, inputs], 1.0 / options.lr_multiplier),
            bias: initializer.constant([outputs], options.bias_init),
            activation: options.activation,
            weight_gain: options.lr_multiplier / (inputs as f32).sqrt(),
            bias_gain: options.lr_multiplier,
        }
    }

    /// `[batch, inputs]` to `[batch, outputs]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        // The input is smaller than the weight, so the gain goes there.
        self.forward_scaled(x.mul_scalar(self.weight_gain))
    }

    /// The layer for an input that already has the factor `l / sqrt(inputs)`.
    pub(crate) fn forward_scaled(&self, x: Tensor<2>) -> Tensor<2> {
        let bias = self.bias.val();
        let bias = if self.bias_gain == 1.0 {
            bias
        } else {
            bias.mul_scalar(self.bias_gain)
        };
        let y = matmul(x, self.weight.val().transpose());
        if self.activation == Activation::Linear {
            return y + bias.unsqueeze();
        }
        bias_act(
            y,
            Some(bias),
            BiasAct {
                activation: self.activation,
                ..BiasAct::default()
            },
        )
    }
}
