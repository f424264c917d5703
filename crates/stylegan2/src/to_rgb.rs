mod tangent;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use stylegan2_ops::{BiasAct, bias_act, matmul};

use crate::fully_connected::FullyConnected;
use crate::initializer::Initializer;
use crate::synthesis_layer::style_affine;

/// Modulated 1x1 convolution to colors, without demodulation.
#[derive(Module, Debug)]
pub(crate) struct ToRgb {
    affine: FullyConnected,
    /// `[colors, in, 1, 1]`
    weight: Param<Tensor<4>>,
    /// `[colors]`
    bias: Param<Tensor<1>>,
    #[module(skip)]
    weight_gain: f32,
    #[module(skip)]
    conv_clamp: Option<f32>,
}

impl ToRgb {
    pub(crate) fn new(
        in_channels: usize,
        img_channels: usize,
        w_dim: usize,
        conv_clamp: Option<f32>,
        initializer: &mut Initializer<'_>,
    ) -> Self {
        Self {
            affine: style_affine(w_dim, in_channels, initializer),
            weight: initializer.normal([img_channels, in_channels, 1, 1], 1.0),
            bias: initializer.constant([img_channels], 0.0),
            weight_gain: 1.0 / (in_channels as f32).sqrt(),
            conv_clamp,
        }
    }

    /// Features x `[batch, in, r, r]` with the latent `w` `[batch, w_dim]`, which already has the affine layer's weight
    /// gain, to colors `[batch, colors, r, r]`.
    pub(crate) fn forward(&self, x: Tensor<4>, w: Tensor<2>) -> Tensor<4> {
        let [batch, channels, height, width] = x.dims();
        let weight = self.weight.val();
        let colors = weight.dims()[0];
        let styles = self
            .affine
            .forward_scaled(w)
            .mul_scalar(self.weight_gain)
            .reshape([batch, 1, channels]);
        // A per-sample weight of a few rows is far smaller than the features that would be scaled instead.
        let weight = weight.reshape([1, colors, channels]) * styles; // [N, O, I]
        let y = matmul(weight, x.reshape([batch, channels, height * width])); // [N, O, HW]
        let y = y.reshape([batch, colors, height, width]);
        bias_act(
            y,
            Some(self.bias.val()),
            BiasAct {
                clamp: self.conv_clamp,
                ..BiasAct::default()
            },
        )
    }
}
