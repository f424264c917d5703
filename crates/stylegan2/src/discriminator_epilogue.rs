mod tangent;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::config::{Architecture, DiscriminatorConfig, MIN_RESOLUTION};
use crate::conv2d_layer::{Conv2dLayer, Conv2dLayerOptions};
use crate::fully_connected::{FullyConnected, FullyConnectedOptions};
use crate::initializer::Initializer;
use crate::minibatch_std::minibatch_std;
use crate::resample_filter::ResampleFilter;

/// The discriminator's last, 4x4 part.
#[derive(Module, Debug)]
pub(crate) struct DiscriminatorEpilogue {
    fromrgb: Option<Conv2dLayer>,
    conv: Conv2dLayer,
    fc: FullyConnected,
    out: FullyConnected,
    #[module(skip)]
    cmap_features: usize,
    #[module(skip)]
    mbstd_group_size: Option<usize>,
    #[module(skip)]
    mbstd_num_channels: usize,
}

impl DiscriminatorEpilogue {
    pub(crate) fn new(
        config: &DiscriminatorConfig,
        default_filter: &ResampleFilter,
        initializer: &mut Initializer<'_>,
    ) -> Self {
        let epilogue = &config.epilogue_kwargs;
        let channels = config.channels(MIN_RESOLUTION);
        let cmap_features = config.cmap_features();
        let options = Conv2dLayerOptions {
            in_channels: channels + epilogue.mbstd_num_channels,
            out_channels: channels,
            kernel_size: 3,
            bias: true,
            activation: epilogue.activation.into(),
            up: 1,
            down: 1,
            conv_clamp: config.conv_clamp,
            trainable: true,
        };
        Self {
            fromrgb: (config.architecture == Architecture::Skip).then(|| {
                Conv2dLayer::new(
                    Conv2dLayerOptions {
                        in_channels: config.img_channels,
                        kernel_size: 1,
                        // The official epilogue clamps its convolution only.
                        conv_clamp: None,
                        ..options
                    },
                    default_filter.clone(),
                    initializer,
                )
            }),
            conv: Conv2dLayer::new(options, default_filter.clone(), initializer),
            fc: FullyConnected::new(
                channels * MIN_RESOLUTION * MIN_RESOLUTION,
                channels,
                FullyConnectedOptions {
                    activation: epilogue.activation.into(),
                    ..FullyConnectedOptions::default()
                },
                initializer,
            ),
            out: FullyConnected::new(
                channels,
                cmap_features.max(1),
                FullyConnectedOptions::default(),
                initializer,
            ),
            cmap_features,
            mbstd_group_size: epilogue.mbstd_group_size,
            mbstd_num_channels: epilogue.mbstd_num_channels,
        }
    }

    /// The resample filters with their names in the block.
    pub(crate) fn resample_filters(
        &mut self,
    ) -> impl Iterator<Item = (&'static str, &mut ResampleFilter)> {
        let fromrgb = self.fromrgb.as_mut().map(|l| &mut l.resample_filter);
        [("conv.resample_filter", &mut self.conv.resample_filter)]
            .into_iter()
            .chain(fromrgb.map(|filter| ("fromrgb.resample_filter", filter)))
    }

    /// Features x `[batch, channels, 4, 4]`, the 4x4 image for the `skip` architecture and the mapped label
    /// `[batch, cmap]` to logits `[batch, 1]`.
    pub(crate) fn forward(
        &self,
        x: Tensor<4>,
        image: Option<Tensor<4>>,
        cmap: Option<Tensor<2>>,
    ) -> Tensor<2> {
        let x = match (&self.fromrgb, image) {
            (Some(fromrgb), Some(image)) => x + fromrgb.forward(image, 1.0),
            _ => x,
        };
        let x = if self.mbstd_num_channels > 0 {
            minibatch_std(x, self.mbstd_group_size, self.mbstd_num_channels)
        } else {
            x
        };
        let x: Tensor<2> = self.conv.forward(x, 1.0).flatten(1, 3);
        let x = self.out.forward(self.fc.forward(x));
        match cmap {
            // Projection discriminator (Miyato and Koyama 2018), scaled to keep the variance.
            Some(cmap) => (x * cmap)
                .sum_dim(1)
                .mul_scalar(1.0 / (self.cmap_features as f32).sqrt()),
            None => x,
        }
    }
}
