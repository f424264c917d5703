mod tangent;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use stylegan2_ops::{Activation, BiasAct, Conv2dResample, bias_act, conv2d_resample};

use crate::ResampleTaps;
use crate::initializer::Initializer;
use crate::resample_filter::ResampleFilter;

/// Convolution with equalized learning rate, optional change of resolution, bias and activation.
#[derive(Module, Debug)]
pub struct Conv2dLayer {
    /// `[out, in, kernel, kernel]`
    weight: Param<Tensor<4>>,
    /// `[out]`
    bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    pub(crate) resample_filter: ResampleFilter,
    #[module(skip)]
    options: Conv2dLayerOptions,
}

/// Shape and options of a [`Conv2dLayer`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2dLayerOptions {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Side of the kernel; odd.
    pub kernel_size: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// Applied after the bias, with its own gain.
    pub activation: Activation,
    /// Integer factor of upsampling.
    pub up: usize,
    /// Integer factor of downsampling; not both.
    pub down: usize,
    /// Bound on the magnitude of the output.
    pub conv_clamp: Option<f32>,
    /// Whether weight and bias take gradients.
    pub trainable: bool,
}

impl Conv2dLayer {
    /// A layer of random weights with the filter `[1, 3, 3, 1]`, as the official networks start.
    pub fn init(options: Conv2dLayerOptions, seed: u32, device: &Device) -> Self {
        let filter =
            ResampleFilter::new(&ResampleTaps::default()).expect("the default taps are valid");
        Self::new(options, filter, &mut Initializer::seeded(device, seed))
    }

    pub(crate) fn new(
        options: Conv2dLayerOptions,
        resample_filter: ResampleFilter,
        initializer: &mut Initializer<'_>,
    ) -> Self {
        let Conv2dLayerOptions {
            in_channels,
            out_channels,
            kernel_size,
            trainable,
            ..
        } = options;
        Self {
            weight: initializer
                .normal([out_channels, in_channels, kernel_size, kernel_size], 1.0)
                .set_require_grad(trainable),
            bias: options.bias.then(|| {
                initializer
                    .constant([out_channels], 0.0)
                    .set_require_grad(trainable)
            }),
            resample_filter,
            options,
        }
    }

    /// Features `[batch, in, height, width]` to `[batch, out, height up / down, width up / down]`; the result and its
    /// clamp are scaled by `gain`.
    pub fn forward(&self, x: Tensor<4>, gain: f32) -> Tensor<4> {
        bias_act(
            self.convolve(x, gain),
            self.bias.as_ref().map(Param::val),
            self.bias_act_options(gain),
        )
    }

    /// The linear part, without bias.
    fn convolve(&self, x: Tensor<4>, gain: f32) -> Tensor<4> {
        let options = &self.options;
        let (weight_gain, _) = self.gains(gain);
        let weight = self.weight.val();
        let (x, weight) = if weight.shape().num_elements() <= x.shape().num_elements() {
            (x, weight.mul_scalar(weight_gain))
        } else {
            (x.mul_scalar(weight_gain), weight)
        };
        conv2d_resample(
            x,
            weight,
            self.resample_filter.filter(),
            Conv2dResample {
                up: options.up,
                down: options.down,
                padding: options.kernel_size / 2,
                // Differs from PyTorch's correlation where the layer upsamples, as the official networks do.
                flip_weight: options.up == 1,
            },
        )
    }

    fn bias_act_options(&self, gain: f32) -> BiasAct {
        let (_, output_gain) = self.gains(gain);
        BiasAct {
            activation: self.options.activation,
            alpha: None,
            gain: Some(output_gain),
            clamp: self.options.conv_clamp.map(|clamp| clamp * gain),
        }
    }

    /// Factors on the weight and on the activation's result.
    fn gains(&self, gain: f32) -> (f32, f32) {
        let options = &self.options;
        let fan_in = options.in_channels * options.kernel_size * options.kernel_size;
        let weight_gain = 1.0 / (fan_in as f32).sqrt();
        let output_gain = options.activation.default_gain() * gain;
        // A linear layer is homogeneous, so that without bias both factors are one.
        if self.bias.is_none() && options.activation == Activation::Linear {
            (weight_gain * output_gain, 1.0)
        } else {
            (weight_gain, output_gain)
        }
    }
}
