use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limits::{
    MAX_FEATURES, MAX_KERNEL_SIZE, MAX_MAPPING_LAYERS, MIN_RESOLUTION, channels, check_channels,
    check_positive, check_range, check_resolution,
};
use super::{ActivationName, ResampleTaps};
use crate::StyleGan2Error;

/// How blocks pass on what they made (Karras et al. 2020, figure 7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Architecture {
    /// Features only, the image is made by (or read into) the block of the full resolution.
    Orig,
    /// Every block adds to the upsampled image (or reads the downsampled image).
    #[default]
    Skip,
    /// Residual blocks.
    Resnet,
}

/// Arguments of the official `Generator`; the field names are the official ones.
///
/// ```
/// use stylegan2::GeneratorConfig;
///
/// let config = GeneratorConfig::new(64)
///     .with_z_dim(64)
///     .with_w_dim(64)
///     .with_mapping_layers(2)
///     .with_channel_base(1024);
/// assert_eq!(config.num_ws(), 10);
/// assert_eq!(config.channels(64), 16);
///
/// // As files have it.
/// let same = GeneratorConfig::from_json(
///     r#"{"z_dim": 64, "c_dim": 0, "w_dim": 64, "img_resolution": 64, "img_channels": 3,
///         "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 1024}}"#,
/// )?;
/// assert_eq!(same, config);
/// # Ok::<(), stylegan2::StyleGan2Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratorConfig {
    /// Features of the input latent z; 0 for none (then a label is needed).
    pub z_dim: usize,
    /// Features of the label; 0 for an unconditional network.
    pub c_dim: usize,
    /// Features of the intermediate latent w.
    pub w_dim: usize,
    /// Image side, a power of two from 4 to 1024.
    pub img_resolution: usize,
    /// Color channels.
    pub img_channels: usize,
    /// Arguments of the mapping network.
    #[serde(default)]
    pub mapping_kwargs: MappingConfig,
    /// Arguments of the synthesis network.
    #[serde(default)]
    pub synthesis_kwargs: SynthesisConfig,
}

/// Arguments of the official `MappingNetwork` that have defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct MappingConfig {
    /// Number of fully connected layers, 8 by default.
    pub num_layers: usize,
    /// Features that the label is embedded in; `None` is `w_dim`.
    pub embed_features: Option<usize>,
    /// Features between layers; `None` is `w_dim`.
    pub layer_features: Option<usize>,
    /// Activation of every layer.
    pub activation: ActivationName,
    /// Factor on the effective learning rate of the layers, 0.01 by default: weights are stored divided by it.
    pub lr_multiplier: f32,
    /// Decay of the running average of w, 0.995 by default; `None` tracks none.
    ///
    /// The discriminator's mapping network never tracks one and only accepts the default.
    #[serde(skip_serializing_if = "is_default_w_avg_beta")]
    pub w_avg_beta: Option<f32>,
}

/// Features of z and w in the official training configurations.
const OFFICIAL_LATENT_DIM: usize = 512;

pub(super) const RGB: usize = 3;

const DEFAULT_W_AVG_BETA: Option<f32> = Some(0.995);

fn is_default_w_avg_beta(beta: &Option<f32>) -> bool {
    *beta == DEFAULT_W_AVG_BETA
}

impl Default for MappingConfig {
    fn default() -> Self {
        Self {
            num_layers: 8,
            embed_features: None,
            layer_features: None,
            activation: ActivationName::Lrelu,
            lr_multiplier: 0.01,
            w_avg_beta: DEFAULT_W_AVG_BETA,
        }
    }
}

/// Arguments of the official `SynthesisNetwork`, its blocks and its layers that have defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SynthesisConfig {
    /// The block of resolution r has `min(channel_base / r, channel_max)` feature maps; 32768 by default.
    pub channel_base: usize,
    /// Most feature maps of any block, 512 by default.
    pub channel_max: usize,
    /// Feature maps of single resolutions where `channel_base` and `channel_max` do not give them, as in tables written
    /// by hand.
    ///
    /// Differs from the official arguments, which have no such option: it is only written where it is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<BTreeMap<usize, usize>>,
    /// Number of highest resolutions that the official code computes in 16-bit floats.
    ///
    /// Kept, but everything is computed in f32 here, as the official `force_fp32` does.
    pub num_fp16_res: usize,
    /// How blocks are connected.
    pub architecture: Architecture,
    /// Low-pass filter of every change of resolution.
    pub resample_filter: ResampleTaps,
    /// Clamps the outputs of convolution layers to plus or minus this value.
    pub conv_clamp: Option<f32>,
    /// A memory layout of the official code without effect on values. Kept, not used.
    pub fp16_channels_last: bool,
    /// Side of the convolution kernels, 3 by default.
    pub kernel_size: usize,
    /// Whether layers add noise images.
    pub use_noise: bool,
    /// Activation of every convolution layer.
    pub activation: ActivationName,
}

impl Default for SynthesisConfig {
    fn default() -> Self {
        Self {
            channel_base: 32768,
            channel_max: 512,
            channels: None,
            num_fp16_res: 0,
            architecture: Architecture::Skip,
            resample_filter: ResampleTaps::default(),
            conv_clamp: None,
            fp16_channels_last: false,
            kernel_size: 3,
            use_noise: true,
            activation: ActivationName::Lrelu,
        }
    }
}

impl GeneratorConfig {
    /// The official networks' arguments for RGB images of a side, without labels: 512 features of z and w, 8 mapping
    /// layers.
    ///
    /// Nothing is checked yet; [`validate`](Self::validate) and whatever makes a network do.
    pub fn new(img_resolution: usize) -> Self {
        Self {
            z_dim: OFFICIAL_LATENT_DIM,
            c_dim: 0,
            w_dim: OFFICIAL_LATENT_DIM,
            img_resolution,
            img_channels: RGB,
            mapping_kwargs: MappingConfig::default(),
            synthesis_kwargs: SynthesisConfig::default(),
        }
    }

    /// With so many features of z.
    pub fn with_z_dim(mut self, z_dim: usize) -> Self {
        self.z_dim = z_dim;
        self
    }

    /// With labels of so many classes.
    pub fn with_c_dim(mut self, c_dim: usize) -> Self {
        self.c_dim = c_dim;
        self
    }

    /// With so many features of w.
    pub fn with_w_dim(mut self, w_dim: usize) -> Self {
        self.w_dim = w_dim;
        self
    }

    /// With images of so many channels.
    pub fn with_img_channels(mut self, img_channels: usize) -> Self {
        self.img_channels = img_channels;
        self
    }

    /// With so many fully connected layers of the mapping network.
    pub fn with_mapping_layers(mut self, num_layers: usize) -> Self {
        self.mapping_kwargs.num_layers = num_layers;
        self
    }

    /// With `min(channel_base / r, channel_max)` feature maps at resolution r.
    pub fn with_channel_base(mut self, channel_base: usize) -> Self {
        self.synthesis_kwargs.channel_base = channel_base;
        self
    }

    /// With at most so many feature maps of any block.
    pub fn with_channel_max(mut self, channel_max: usize) -> Self {
        self.synthesis_kwargs.channel_max = channel_max;
        self
    }

    /// Parses and validates a JSON object of official arguments.
    ///
    /// # Errors
    /// When it is not JSON, has an unknown option, or a value is out of range.
    pub fn from_json(json: &str) -> Result<Self, StyleGan2Error> {
        let config: Self =
            serde_json::from_str(json).map_err(|source| StyleGan2Error::ConfigSyntax {
                network: "generator",
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
        check_range("z_dim", self.z_dim, 0, MAX_FEATURES)?;
        check_range("c_dim", self.c_dim, 0, MAX_FEATURES)?;
        check_range("w_dim", self.w_dim, 1, MAX_FEATURES)?;
        check_resolution(self.img_resolution, MIN_RESOLUTION)?;
        check_range("img_channels", self.img_channels, 1, MAX_FEATURES)?;
        self.mapping_kwargs
            .validate(self.z_dim, self.c_dim, self.w_dim)?;
        let synthesis = &self.synthesis_kwargs;
        check_channels(
            "synthesis_kwargs.",
            synthesis.channel_base,
            synthesis.channel_max,
            synthesis.channels.as_ref(),
            self.img_resolution,
        )?;
        if let Some(clamp) = synthesis.conv_clamp {
            check_positive("synthesis_kwargs.conv_clamp", clamp)?;
        }
        if synthesis.kernel_size.is_multiple_of(2) || synthesis.kernel_size > MAX_KERNEL_SIZE {
            return Err(StyleGan2Error::invalid(
                "synthesis_kwargs.kernel_size",
                synthesis.kernel_size,
                format!("an odd number up to {MAX_KERNEL_SIZE}"),
            ));
        }
        synthesis.resample_filter.filter().map(|_| ())
    }

    /// Number of intermediate latents of an image: one for each convolution layer and one for the last `ToRGB`.
    pub fn num_ws(&self) -> usize {
        2 * self.block_resolutions().count()
    }

    /// Feature maps of the block of a resolution.
    pub fn channels(&self, resolution: usize) -> usize {
        let synthesis = &self.synthesis_kwargs;
        let listed = synthesis.channels.as_ref().and_then(|c| c.get(&resolution));
        listed
            .copied()
            .unwrap_or_else(|| channels(synthesis.channel_base, synthesis.channel_max, resolution))
    }

    pub(crate) fn block_resolutions(&self) -> impl Iterator<Item = usize> {
        let last = self.img_resolution;
        std::iter::successors(Some(MIN_RESOLUTION), |resolution| Some(resolution * 2))
            .take_while(move |resolution| *resolution <= last)
    }
}

impl MappingConfig {
    pub(super) fn validate(
        &self,
        z_dim: usize,
        c_dim: usize,
        w_dim: usize,
    ) -> Result<(), StyleGan2Error> {
        check_range(
            "mapping_kwargs.num_layers",
            self.num_layers,
            0,
            MAX_MAPPING_LAYERS,
        )?;
        if let Some(features) = self.embed_features {
            check_range("mapping_kwargs.embed_features", features, 1, MAX_FEATURES)?;
        }
        if let Some(features) = self.layer_features {
            check_range("mapping_kwargs.layer_features", features, 1, MAX_FEATURES)?;
        }
        check_positive("mapping_kwargs.lr_multiplier", self.lr_multiplier)?;
        if let Some(beta) = self.w_avg_beta
            && !(0.0..=1.0).contains(&beta)
        {
            return Err(StyleGan2Error::invalid(
                "mapping_kwargs.w_avg_beta",
                beta,
                "a number from 0 to 1, or null",
            ));
        }
        let input = z_dim + self.embedding(c_dim, w_dim);
        if input == 0 {
            return Err(StyleGan2Error::invalid(
                "z_dim",
                z_dim,
                "at least 1 where c_dim is 0, as the mapping network needs an input",
            ));
        }
        if self.num_layers == 0 && input != w_dim {
            return Err(StyleGan2Error::invalid(
                "mapping_kwargs.num_layers",
                0,
                format!("at least 1, as the input has {input} features and w_dim is {w_dim}"),
            ));
        }
        Ok(())
    }

    /// Features of the embedded label; 0 where there is none.
    pub(crate) fn embedding(&self, c_dim: usize, w_dim: usize) -> usize {
        if c_dim == 0 {
            0
        } else {
            self.embed_features.unwrap_or(w_dim)
        }
    }

    /// Input and output features of every layer.
    pub(crate) fn layers(&self, z_dim: usize, c_dim: usize, w_dim: usize) -> Vec<(usize, usize)> {
        let hidden = self.layer_features.unwrap_or(w_dim);
        (0..self.num_layers)
            .map(|index| {
                let input = if index == 0 {
                    z_dim + self.embedding(c_dim, w_dim)
                } else {
                    hidden
                };
                let output = if index + 1 == self.num_layers {
                    w_dim
                } else {
                    hidden
                };
                (input, output)
            })
            .collect()
    }
}
