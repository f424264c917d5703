mod tangent;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use stylegan2_ops::{Activation, BiasAct, ModulatedConv2d, bias_act, modulated_conv2d};

use crate::fully_connected::{FullyConnected, FullyConnectedOptions};
use crate::initializer::Initializer;
use crate::noise::NoiseImages;
use crate::resample_filter::ResampleFilter;

/// Modulated convolution, noise, bias and activation (Karras et al. 2020, figure 2c).
#[derive(Module, Debug)]
pub(crate) struct SynthesisLayer {
    affine: FullyConnected,
    /// `[out, in, kernel, kernel]`
    weight: Param<Tensor<4>>,
    /// `[resolution, resolution]`; a buffer, not trained.
    noise_const: Option<Param<Tensor<2>>>,
    /// `[1]`; a scalar in files.
    noise_strength: Option<Param<Tensor<1>>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
    #[module(skip)]
    pub(crate) resample_filter: ResampleFilter,
    #[module(skip)]
    options: SynthesisLayerOptions,
}

/// Shape and options of a [`SynthesisLayer`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct SynthesisLayerOptions {
    pub(crate) in_channels: usize,
    pub(crate) out_channels: usize,
    pub(crate) w_dim: usize,
    /// Side of the result.
    pub(crate) resolution: usize,
    pub(crate) kernel_size: usize,
    /// 2 doubles the resolution, 1 keeps it.
    pub(crate) up: usize,
    pub(crate) use_noise: bool,
    pub(crate) activation: Activation,
    pub(crate) conv_clamp: Option<f32>,
}

impl SynthesisLayer {
    pub(crate) fn new(
        options: SynthesisLayerOptions,
        resample_filter: ResampleFilter,
        initializer: &mut Initializer<'_>,
    ) -> Self {
        let SynthesisLayerOptions {
            in_channels,
            out_channels,
            kernel_size,
            resolution,
            ..
        } = options;
        Self {
            affine: style_affine(options.w_dim, in_channels, initializer),
            weight: initializer.normal([out_channels, in_channels, kernel_size, kernel_size], 1.0),
            noise_const: options.use_noise.then(|| {
                initializer
                    .normal([resolution, resolution], 1.0)
                    .set_require_grad(false)
            }),
            noise_strength: options.use_noise.then(|| initializer.constant([1], 0.0)),
            bias: initializer.constant([out_channels], 0.0),
            resample_filter,
            options,
        }
    }

    /// The network's own noise image `[resolution, resolution]`, if the layer adds noise.
    pub(crate) fn noise_const(&self) -> Option<Tensor<2>> {
        self.noise_const.as_ref().map(Param::val)
    }

    /// Features x `[batch, in, r, r]` with the latent `w` `[batch, w_dim]`, which already has the affine layer's weight
    /// gain.
    ///
    /// The result `[batch, out, resolution, resolution]` and its clamp are scaled by `gain`.
    pub(crate) fn forward(
        &self,
        x: Tensor<4>,
        w: Tensor<2>,
        noise: &mut NoiseImages<'_>,
        gain: f32,
    ) -> Tensor<4> {
        let batch = w.dims()[0];
        let styles = self.affine.forward_scaled(w);
        let x = modulated_conv2d(
            x,
            self.weight.val(),
            styles,
            self.resample_filter.filter(),
            self.modulation_options(),
        );
        let x = match self.scaled_noise(batch, noise) {
            Some(image) => x + image,
            None => x,
        };
        bias_act(x, Some(self.bias.val()), self.bias_act_options(gain))
    }

    fn modulation_options(&self) -> ModulatedConv2d {
        ModulatedConv2d {
            up: self.options.up,
            padding: self.options.kernel_size / 2,
            demodulate: true,
            // Differs from PyTorch's correlation where the layer upsamples, as the official networks do.
            flip_weight: self.options.up == 1,
        }
    }

    fn bias_act_options(&self, gain: f32) -> BiasAct {
        BiasAct {
            activation: self.options.activation,
            alpha: None,
            gain: Some(self.options.activation.default_gain() * gain),
            clamp: self.options.conv_clamp.map(|clamp| clamp * gain),
        }
    }

    /// The next noise image times the layer's strength, `[1 or batch, 1, resolution, resolution]`.
    fn scaled_noise(&self, batch: usize, noise: &mut NoiseImages<'_>) -> Option<Tensor<4>> {
        let (constant, strength) = self
            .noise_const
            .as_ref()
            .zip(self.noise_strength.as_ref())?;
        let image = noise.take(
            batch,
            self.options.resolution,
            || strength.val().device(),
            || constant.val(),
        )?;
        Some(image * strength.val().reshape([1, 1, 1, 1]))
    }
}

/// The learned affine map A from w to a style, which starts at style 1.
pub(crate) fn style_affine(
    w_dim: usize,
    channels: usize,
    initializer: &mut Initializer<'_>,
) -> FullyConnected {
    FullyConnected::new(
        w_dim,
        channels,
        FullyConnectedOptions {
            bias_init: 1.0,
            ..FullyConnectedOptions::default()
        },
        initializer,
    )
}
