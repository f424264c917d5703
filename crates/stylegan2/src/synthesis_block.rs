mod tangent;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use stylegan2_ops::{Activation, upsample2d};

use crate::config::{Architecture, GeneratorConfig};
use crate::conv2d_layer::{Conv2dLayer, Conv2dLayerOptions};
use crate::initializer::Initializer;
use crate::noise::NoiseImages;
use crate::resample_filter::ResampleFilter;
use crate::synthesis_layer::{SynthesisLayer, SynthesisLayerOptions};
use crate::to_rgb::ToRgb;

/// The layers of one resolution of the synthesis network.
#[derive(Module, Debug)]
pub(crate) struct SynthesisBlock {
    /// The learned input `[channels, 4, 4]` of the first block; `const` in files.
    constant: Option<Param<Tensor<3>>>,
    conv0: Option<SynthesisLayer>,
    conv1: SynthesisLayer,
    torgb: Option<ToRgb>,
    skip: Option<Conv2dLayer>,
    #[module(skip)]
    resample_filter: ResampleFilter,
}

impl SynthesisBlock {
    pub(crate) fn new(
        config: &GeneratorConfig,
        resolution: usize,
        resample_filter: &ResampleFilter,
        default_filter: &ResampleFilter,
        initializer: &mut Initializer<'_>,
    ) -> Self {
        let synthesis = &config.synthesis_kwargs;
        let out_channels = config.channels(resolution);
        let is_first = config.block_resolutions().next() == Some(resolution);
        let is_last = resolution == config.img_resolution;
        let in_channels = if is_first {
            out_channels
        } else {
            config.channels(resolution / 2)
        };
        let conv1_options = SynthesisLayerOptions {
            in_channels: out_channels,
            out_channels,
            w_dim: config.w_dim,
            resolution,
            kernel_size: synthesis.kernel_size,
            up: 1,
            use_noise: synthesis.use_noise,
            activation: synthesis.activation.into(),
            conv_clamp: synthesis.conv_clamp,
        };
        Self {
            constant: is_first
                .then(|| initializer.normal([out_channels, resolution, resolution], 1.0)),
            conv0: (!is_first).then(|| {
                SynthesisLayer::new(
                    SynthesisLayerOptions {
                        in_channels,
                        up: 2,
                        ..conv1_options
                    },
                    resample_filter.clone(),
                    initializer,
                )
            }),
            // The official block gives its filter only to the layer that upsamples.
            conv1: SynthesisLayer::new(conv1_options, default_filter.clone(), initializer),
            torgb: (is_last || synthesis.architecture == Architecture::Skip).then(|| {
                ToRgb::new(
                    out_channels,
                    config.img_channels,
                    config.w_dim,
                    synthesis.conv_clamp,
                    initializer,
                )
            }),
            skip: (!is_first && synthesis.architecture == Architecture::Resnet).then(|| {
                Conv2dLayer::new(
                    Conv2dLayerOptions {
                        in_channels,
                        out_channels,
                        kernel_size: 1,
                        bias: false,
                        activation: Activation::Linear,
                        up: 2,
                        down: 1,
                        conv_clamp: None,
                        trainable: true,
                    },
                    resample_filter.clone(),
                    initializer,
                )
            }),
            resample_filter: resample_filter.clone(),
        }
    }

    /// Number of layers that take a w of their own; the `ToRGB` layer uses that of the next block's first layer.
    pub(crate) fn num_convolutions(&self) -> usize {
        if self.conv0.is_some() { 2 } else { 1 }
    }

    /// The convolution layers with their names in the block.
    pub(crate) fn layers(&self) -> impl Iterator<Item = (&'static str, &SynthesisLayer)> {
        let first = self.conv0.as_ref().map(|layer| ("conv0", layer));
        first.into_iter().chain([("conv1", &self.conv1)])
    }

    /// The resample filters with their names in the block.
    pub(crate) fn resample_filters(
        &mut self,
    ) -> impl Iterator<Item = (&'static str, &mut ResampleFilter)> {
        let conv0 = self.conv0.as_mut().map(|l| &mut l.resample_filter);
        let skip = self.skip.as_mut().map(|l| &mut l.resample_filter);
        [("resample_filter", &mut self.resample_filter)]
            .into_iter()
            .chain(conv0.map(|filter| ("conv0.resample_filter", filter)))
            .chain([("conv1.resample_filter", &mut self.conv1.resample_filter)])
            .chain(skip.map(|filter| ("skip.resample_filter", filter)))
    }

    /// Features x `[batch, in, r / 2, r / 2]` and colors of the block before to features `[batch, out, r, r]` and
    /// colors `[batch, colors, r, r]`; the first block takes none. `ws` starts with this block's first latent, each
    /// `[batch, w_dim]`.
    pub(crate) fn forward(
        &self,
        x: Option<Tensor<4>>,
        rgb: Option<Tensor<4>>,
        ws: &[Tensor<2>],
        noise: &mut NoiseImages<'_>,
    ) -> (Tensor<4>, Option<Tensor<4>>) {
        let convolutions = self.num_convolutions();
        let x = match (&self.constant, &self.conv0, x) {
            (Some(constant), _, _) => {
                let batch = ws[0].dims()[0];
                let [channels, height, width] = constant.val().dims();
                let input = constant.val().unsqueeze::<4>();
                let input = input.expand([batch, channels, height, width]);
                self.conv1.forward(input, ws[0].clone(), noise, 1.0)
            }
            (None, Some(conv0), Some(x)) => match &self.skip {
                Some(skip) => {
                    // Halving both branches' energy keeps the variance of their sum.
                    let gain = std::f32::consts::FRAC_1_SQRT_2;
                    let shortcut = skip.forward(x.clone(), gain);
                    let x = conv0.forward(x, ws[0].clone(), noise, 1.0);
                    shortcut + self.conv1.forward(x, ws[1].clone(), noise, gain)
                }
                None => {
                    let x = conv0.forward(x, ws[0].clone(), noise, 1.0);
                    self.conv1.forward(x, ws[1].clone(), noise, 1.0)
                }
            },
            _ => unreachable!("every block but the first has conv0 and gets features"),
        };
        let rgb = rgb.map(|rgb| upsample2d(rgb, self.resample_filter.filter(), 2));
        let rgb = match &self.torgb {
            Some(torgb) => {
                let y = torgb.forward(x.clone(), ws[convolutions].clone());
                Some(match rgb {
                    Some(rgb) => rgb + y,
                    None => y,
                })
            }
            None => rgb,
        };
        (x, rgb)
    }
}
