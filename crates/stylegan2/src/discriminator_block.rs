mod tangent;

use burn::module::Module;
use burn::tensor::Tensor;
use stylegan2_ops::{Activation, downsample2d};

use crate::config::{Architecture, DiscriminatorConfig};
use crate::conv2d_layer::{Conv2dLayer, Conv2dLayerOptions};
use crate::initializer::Initializer;
use crate::resample_filter::ResampleFilter;

/// The layers of one resolution of the discriminator.
#[derive(Module, Debug)]
pub(crate) struct DiscriminatorBlock {
    fromrgb: Option<Conv2dLayer>,
    conv0: Conv2dLayer,
    conv1: Conv2dLayer,
    skip: Option<Conv2dLayer>,
    #[module(skip)]
    resample_filter: ResampleFilter,
    #[module(skip)]
    architecture: Architecture,
}

impl DiscriminatorBlock {
    /// `first_layer` is the number of layers before this block.
    pub(crate) fn new(
        config: &DiscriminatorConfig,
        resolution: usize,
        first_layer: usize,
        resample_filter: &ResampleFilter,
        default_filter: &ResampleFilter,
        initializer: &mut Initializer<'_>,
    ) -> Self {
        let block = &config.block_kwargs;
        let channels = config.channels(resolution);
        let out_channels = config.channels(resolution / 2);
        let mut layer = first_layer;
        let mut trainable = || {
            let trainable = layer >= block.freeze_layers;
            layer += 1;
            trainable
        };
        let options = Conv2dLayerOptions {
            in_channels: channels,
            out_channels: channels,
            kernel_size: 3,
            bias: true,
            activation: block.activation.into(),
            up: 1,
            down: 1,
            conv_clamp: config.conv_clamp,
            trainable: true,
        };
        let reads_image =
            resolution == config.img_resolution || config.architecture == Architecture::Skip;
        let fromrgb = reads_image.then(|| {
            Conv2dLayer::new(
                Conv2dLayerOptions {
                    in_channels: config.img_channels,
                    kernel_size: 1,
                    trainable: trainable(),
                    ..options
                },
                default_filter.clone(),
                initializer,
            )
        });
        let conv0 = Conv2dLayer::new(
            Conv2dLayerOptions {
                trainable: trainable(),
                ..options
            },
            default_filter.clone(),
            initializer,
        );
        let conv1 = Conv2dLayer::new(
            Conv2dLayerOptions {
                out_channels,
                down: 2,
                trainable: trainable(),
                ..options
            },
            resample_filter.clone(),
            initializer,
        );
        let skip = (config.architecture == Architecture::Resnet).then(|| {
            Conv2dLayer::new(
                Conv2dLayerOptions {
                    out_channels,
                    kernel_size: 1,
                    bias: false,
                    activation: Activation::Linear,
                    down: 2,
                    conv_clamp: None,
                    trainable: trainable(),
                    ..options
                },
                resample_filter.clone(),
                initializer,
            )
        });
        Self {
            fromrgb,
            conv0,
            conv1,
            skip,
            resample_filter: resample_filter.clone(),
            architecture: config.architecture,
        }
    }

    /// Number of layers with weights, by which Freeze-D counts.
    pub(crate) fn num_layers(&self) -> usize {
        2 + usize::from(self.fromrgb.is_some()) + usize::from(self.skip.is_some())
    }

    /// The resample filters with their names in the block.
    pub(crate) fn resample_filters(
        &mut self,
    ) -> impl Iterator<Item = (&'static str, &mut ResampleFilter)> {
        let fromrgb = self.fromrgb.as_mut().map(|l| &mut l.resample_filter);
        let skip = self.skip.as_mut().map(|l| &mut l.resample_filter);
        [
            ("resample_filter", &mut self.resample_filter),
            ("conv0.resample_filter", &mut self.conv0.resample_filter),
            ("conv1.resample_filter", &mut self.conv1.resample_filter),
        ]
        .into_iter()
        .chain(fromrgb.map(|filter| ("fromrgb.resample_filter", filter)))
        .chain(skip.map(|filter| ("skip.resample_filter", filter)))
    }

    /// Features x `[batch, in, r, r]` (none at the image's resolution) and the image at this resolution, where it is
    /// still read, to both at half the resolution.
    pub(crate) fn forward(
        &self,
        x: Option<Tensor<4>>,
        image: Option<Tensor<4>>,
    ) -> (Tensor<4>, Option<Tensor<4>>) {
        let (x, image) = match (&self.fromrgb, x, image) {
            (Some(fromrgb), x, Some(image)) => {
                let smaller = (self.architecture == Architecture::Skip)
                    .then(|| downsample2d(image.clone(), self.resample_filter.filter(), 2));
                let y = fromrgb.forward(image, 1.0);
                let x = match x {
                    Some(x) => x + y,
                    None => y,
                };
                (x, smaller)
            }
            (None, Some(x), _) => (x, None),
            _ => unreachable!("the first block gets the image, every other one features"),
        };
        let x = match &self.skip {
            Some(skip) => {
                // Halving both branches' energy keeps the variance of their sum.
                let gain = std::f32::consts::FRAC_1_SQRT_2;
                let shortcut = skip.forward(x.clone(), gain);
                shortcut + self.conv1.forward(self.conv0.forward(x, 1.0), gain)
            }
            None => self.conv1.forward(self.conv0.forward(x, 1.0), 1.0),
        };
        (x, image)
    }
}
