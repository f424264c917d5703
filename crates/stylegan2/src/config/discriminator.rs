use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::generator::RGB;
use super::limits::{
    MAX_FEATURES, MIN_RESOLUTION, channels, check_channels, check_positive, check_range,
    check_resolution,
};
use super::{ActivationName, Architecture, GeneratorConfig, MappingConfig, ResampleTaps};
use crate::StyleGan2Error;

/// Arguments of the official `Discriminator`; the field names are the official ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DiscriminatorConfig {
    /// Features of the label; 0 for an unconditional network.
    pub c_dim: usize,
    /// Image side, a power of two from 8 to 1024.
    pub img_resolution: usize,
    /// Color channels.
    pub img_channels: usize,
    /// How blocks are connected; `resnet` by default.
    #[serde(default = "resnet")]
    pub architecture: Architecture,
    /// The block of resolution r has `min(channel_base / r, channel_max)` feature maps; 32768 by default.
    #[serde(default = "channel_base")]
    pub channel_base: usize,
    /// Most feature maps of any block, 512 by default.
    #[serde(default = "channel_max")]
    pub channel_max: usize,
    /// Feature maps of single resolutions where `channel_base` and `channel_max` do not give them, as in tables written
    /// by hand.
    ///
    /// Differs from the official arguments, which have no such option: it is only written where it is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<BTreeMap<usize, usize>>,
    /// Number of highest resolutions that the official code computes in 16-bit floats. Kept, but everything is computed
    /// in f32 here.
    #[serde(default)]
    pub num_fp16_res: usize,
    /// Clamps the outputs of convolution layers to plus or minus this value.
    #[serde(default)]
    pub conv_clamp: Option<f32>,
    /// Features of the mapped label; `None` is the number of feature maps at 4x4.
    #[serde(default)]
    pub cmap_dim: Option<usize>,
    /// Arguments of the blocks.
    #[serde(default)]
    pub block_kwargs: BlockConfig,
    /// Arguments of the label's mapping network.
    #[serde(default)]
    pub mapping_kwargs: MappingConfig,
    /// Arguments of the last, 4x4 part.
    #[serde(default)]
    pub epilogue_kwargs: EpilogueConfig,
}

fn resnet() -> Architecture {
    Architecture::Resnet
}

fn channel_base() -> usize {
    32768
}

fn channel_max() -> usize {
    512
}

/// Arguments of the official `DiscriminatorBlock` that have defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct BlockConfig {
    /// Activation of every convolution layer.
    pub activation: ActivationName,
    /// Low-pass filter of every change of resolution.
    pub resample_filter: ResampleTaps,
    /// A memory layout of the official code without effect on values. Kept, not used.
    pub fp16_channels_last: bool,
    /// Number of layers, from the image on, that training leaves as they are (Freeze-D, Mo et al. 2020).
    pub freeze_layers: usize,
}

/// Arguments of the official `DiscriminatorEpilogue` that have defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct EpilogueConfig {
    /// Images of a group of the minibatch standard deviation, 4 by default; `None` is the entire batch.
    pub mbstd_group_size: Option<usize>,
    /// Feature maps of the minibatch standard deviation, 1 by default; 0 for none.
    pub mbstd_num_channels: usize,
    /// Activation of the layers before the last.
    pub activation: ActivationName,
}

impl Default for EpilogueConfig {
    fn default() -> Self {
        Self {
            mbstd_group_size: Some(4),
            mbstd_num_channels: 1,
            activation: ActivationName::Lrelu,
        }
    }
}

/// The official epilogue reads features, so at least one block comes before it.
const MIN_IMAGE: usize = 2 * MIN_RESOLUTION;

impl DiscriminatorConfig {
    /// The official network's arguments for RGB images of a side, without labels.
    ///
    /// Nothing is checked yet; [`validate`](Self::validate) and [`Discriminator::init`](crate::Discriminator::init) do.
    pub fn new(img_resolution: usize) -> Self {
        Self {
            c_dim: 0,
            img_resolution,
            img_channels: RGB,
            architecture: resnet(),
            channel_base: channel_base(),
            channel_max: channel_max(),
            channels: None,
            num_fp16_res: 0,
            conv_clamp: None,
            cmap_dim: None,
            block_kwargs: BlockConfig::default(),
            mapping_kwargs: MappingConfig::default(),
            epilogue_kwargs: EpilogueConfig::default(),
        }
    }

    /// For the images and labels of a generator, with as many feature maps at each resolution.
    ///
    /// ```
    /// use stylegan2::{DiscriminatorConfig, GeneratorConfig};
    ///
    /// let generator = GeneratorConfig::new(256).with_channel_base(16384).with_img_channels(1);
    /// let discriminator = DiscriminatorConfig::for_generator(&generator);
    /// assert_eq!((discriminator.img_resolution, discriminator.img_channels), (256, 1));
    /// assert_eq!(discriminator.channels(256), generator.channels(256));
    /// discriminator.validate()?;
    /// # Ok::<(), stylegan2::StyleGan2Error>(())
    /// ```
    pub fn for_generator(generator: &GeneratorConfig) -> Self {
        let synthesis = &generator.synthesis_kwargs;
        Self {
            c_dim: generator.c_dim,
            img_channels: generator.img_channels,
            channel_base: synthesis.channel_base,
            channel_max: synthesis.channel_max,
            channels: synthesis.channels.clone(),
            ..Self::new(generator.img_resolution)
        }
    }

    /// With labels of so many classes.
    pub fn with_c_dim(mut self, c_dim: usize) -> Self {
        self.c_dim = c_dim;
        self
    }

    /// With images of so many channels.
    pub fn with_img_channels(mut self, img_channels: usize) -> Self {
        self.img_channels = img_channels;
        self
    }

    /// With `min(channel_base / r, channel_max)` feature maps at resolution r.
    pub fn with_channel_base(mut self, channel_base: usize) -> Self {
        self.channel_base = channel_base;
        self
    }

    /// With at most so many feature maps of any block.
    pub fn with_channel_max(mut self, channel_max: usize) -> Self {
        self.channel_max = channel_max;
        self
    }

    /// Parses and validates a JSON object of official arguments.
    ///
    /// # Errors
    /// When it is not JSON, has an unknown option, or a value is out of range.
    pub fn from_json(json: &str) -> Result<Self, StyleGan2Error> {
        let config: Self =
            serde_json::from_str(json).map_err(|source| StyleGan2Error::ConfigSyntax {
                network: "discriminator",
                source,
            })?;
        config.validate()?;
        Ok(config)
    }

    /// The configuration as a JSON object of official arguments.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers, strings and lists have a JSON form")
    }

    /// Checks every option's range.
    ///
    /// # Errors
    /// Names the first option that is out of range, and the range.
    pub fn validate(&self) -> Result<(), StyleGan2Error> {
        check_range("c_dim", self.c_dim, 0, MAX_FEATURES)?;
        check_resolution(self.img_resolution, MIN_IMAGE)?;
        check_range("img_channels", self.img_channels, 1, MAX_FEATURES)?;
        check_channels(
            "",
            self.channel_base,
            self.channel_max,
            self.channels.as_ref(),
            self.img_resolution,
        )?;
        if let Some(clamp) = self.conv_clamp {
            check_positive("conv_clamp", clamp)?;
        }
        if let Some(features) = self.cmap_dim {
            check_range("cmap_dim", features, 1, MAX_FEATURES)?;
        }
        if self.mapping_kwargs.w_avg_beta != MappingConfig::default().w_avg_beta {
            return Err(StyleGan2Error::invalid(
                "mapping_kwargs.w_avg_beta",
                format!("{:?}", self.mapping_kwargs.w_avg_beta),
                "nothing, as the discriminator tracks no average; remove it",
            ));
        }
        if self.c_dim > 0 {
            self.mapping_kwargs
                .validate(0, self.c_dim, self.cmap_features())?;
        }
        let epilogue = &self.epilogue_kwargs;
        if epilogue.mbstd_group_size == Some(0) {
            return Err(StyleGan2Error::invalid(
                "epilogue_kwargs.mbstd_group_size",
                0,
                "at least 1, or null for the entire batch",
            ));
        }
        let last = self.channels(MIN_RESOLUTION);
        if epilogue.mbstd_num_channels > 0 && !last.is_multiple_of(epilogue.mbstd_num_channels) {
            return Err(StyleGan2Error::invalid(
                "epilogue_kwargs.mbstd_num_channels",
                epilogue.mbstd_num_channels,
                format!("0 or a divisor of the {last} feature maps at 4x4"),
            ));
        }
        self.block_kwargs.resample_filter.filter().map(|_| ())
    }

    /// Feature maps at a resolution.
    pub fn channels(&self, resolution: usize) -> usize {
        let listed = self.channels.as_ref().and_then(|c| c.get(&resolution));
        listed
            .copied()
            .unwrap_or_else(|| channels(self.channel_base, self.channel_max, resolution))
    }

    /// Features of the mapped label, 0 without labels.
    pub(crate) fn cmap_features(&self) -> usize {
        if self.c_dim == 0 {
            0
        } else {
            self.cmap_dim.unwrap_or(self.channels(MIN_RESOLUTION))
        }
    }

    /// Resolutions of the blocks before the epilogue, from the image on.
    pub(crate) fn block_resolutions(&self) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(self.img_resolution), |resolution| Some(resolution / 2))
            .take_while(|resolution| *resolution > MIN_RESOLUTION)
    }
}
