//! Configurations from the names and shapes of a network's tensors, for files that carry none.

use checkpoint::Checkpoint;

use super::limits::{MAX_FEATURES, MAX_MAPPING_LAYERS, MAX_RESOLUTION, MIN_RESOLUTION};
use super::{
    Architecture, DiscriminatorConfig, EpilogueConfig, GeneratorConfig, MappingConfig,
    SynthesisConfig,
};
use crate::StyleGan2Error;

impl GeneratorConfig {
    /// The configuration of a generator with official tensor names. Options that leave no trace in names and shapes have their
    /// official defaults: no clamping, leaky ReLU, learning-rate multiplier 0.01, the usual filter.
    ///
    /// # Errors
    /// When a needed tensor is missing, or no configuration has these shapes.
    pub fn infer(checkpoint: &Checkpoint) -> Result<Self, StyleGan2Error> {
        let file = Shapes(checkpoint);
        let affine = "synthesis.b4.conv1.affine.weight";
        let w_dim = file.dimension(affine, 1)?;
        let (mapping, c_dim, input) = file.mapping(w_dim)?;
        let z_dim = input
            .checked_sub(mapping.embedding(c_dim, w_dim))
            .ok_or_else(|| {
                file.contradiction("mapping.fc0.weight has fewer inputs than the embedded label")
            })?;
        let resolutions = file.resolutions("synthesis.", "conv1.weight");
        let img_resolution = *resolutions.last().ok_or_else(|| {
            file.contradiction("no tensor synthesis.b4.conv1.weight with four dimensions")
        })?;
        let mut channels = Vec::new();
        for resolution in resolutions {
            let name = format!("synthesis.b{resolution}.conv1.weight");
            channels.push((resolution, file.dimension(&name, 0)?));
        }
        let (channel_base, channel_max) = file.channel_rule(&channels)?;
        let architecture = if file.has("synthesis.b8.skip.weight") {
            Architecture::Resnet
        } else if file.has("synthesis.b4.torgb.weight") {
            Architecture::Skip
        } else {
            Architecture::Orig
        };
        let config = Self {
            z_dim,
            c_dim,
            w_dim,
            img_resolution,
            img_channels: file
                .dimension(&format!("synthesis.b{img_resolution}.torgb.weight"), 0)?,
            mapping_kwargs: MappingConfig {
                w_avg_beta: MappingConfig::default()
                    .w_avg_beta
                    .filter(|_| file.has("mapping.w_avg")),
                ..mapping
            },
            synthesis_kwargs: SynthesisConfig {
                channel_base,
                channel_max,
                architecture,
                kernel_size: file.dimension("synthesis.b4.conv1.weight", 2)?,
                use_noise: file.has("synthesis.b4.conv1.noise_strength"),
                ..SynthesisConfig::default()
            },
        };
        config
            .validate()
            .map_err(|error| file.contradiction(&error.to_string()))?;
        Ok(config)
    }
}

impl DiscriminatorConfig {
    /// The configuration of a discriminator with official tensor names. Options that leave no trace in names and shapes have their
    /// official defaults: no clamping, leaky ReLU, groups of 4, learning-rate multiplier 0.01, the usual filter, no frozen layers.
    ///
    /// # Errors
    /// When a needed tensor is missing, or no configuration has these shapes.
    pub fn infer(checkpoint: &Checkpoint) -> Result<Self, StyleGan2Error> {
        let file = Shapes(checkpoint);
        let last = file.dimension("b4.conv.weight", 0)?;
        let conditional = file.has("mapping.embed.weight");
        let cmap_features = file.dimension("b4.out.weight", 0)?;
        let (mapping, c_dim, _) = if conditional {
            file.mapping(cmap_features)?
        } else {
            (MappingConfig::default(), 0, 0)
        };
        let resolutions = file.resolutions_from(2 * MIN_RESOLUTION, "", "conv0.weight");
        let img_resolution = *resolutions
            .last()
            .ok_or_else(|| file.contradiction("no tensor b8.conv0.weight with four dimensions"))?;
        let mut channels = vec![(MIN_RESOLUTION, last)];
        for resolution in resolutions {
            let name = format!("b{resolution}.conv0.weight");
            channels.push((resolution, file.dimension(&name, 0)?));
        }
        let (channel_base, channel_max) = file.channel_rule(&channels)?;
        let config = Self {
            c_dim,
            img_resolution,
            img_channels: file.dimension(&format!("b{img_resolution}.fromrgb.weight"), 1)?,
            architecture: if file.has("b8.skip.weight") {
                Architecture::Resnet
            } else if file.has("b4.fromrgb.weight") {
                Architecture::Skip
            } else {
                Architecture::Orig
            },
            channel_base,
            channel_max,
            num_fp16_res: 0,
            conv_clamp: None,
            cmap_dim: conditional.then_some(cmap_features),
            block_kwargs: Default::default(),
            mapping_kwargs: mapping,
            epilogue_kwargs: EpilogueConfig {
                mbstd_num_channels: file
                    .dimension("b4.conv.weight", 1)?
                    .checked_sub(last)
                    .ok_or_else(|| {
                        file.contradiction("b4.conv.weight has fewer inputs than outputs")
                    })?,
                ..EpilogueConfig::default()
            },
        };
        config
            .validate()
            .map_err(|error| file.contradiction(&error.to_string()))?;
        Ok(config)
    }
}

struct Shapes<'a>(&'a Checkpoint);

impl Shapes<'_> {
    fn has(&self, name: &str) -> bool {
        self.0.tensors().contains_key(name)
    }

    fn contradiction(&self, reason: &str) -> StyleGan2Error {
        StyleGan2Error::CannotInfer {
            path: self.0.path().to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn dimension(&self, name: &str, axis: usize) -> Result<usize, StyleGan2Error> {
        let shape = self
            .0
            .tensors()
            .get(name)
            .map(|tensor| tensor.shape())
            .ok_or_else(|| self.contradiction(&format!("tensor {name} is missing")))?;
        let size = *shape.get(axis).ok_or_else(|| {
            self.contradiction(&format!(
                "tensor {name} has shape {shape:?}, too few dimensions"
            ))
        })?;
        if size > MAX_FEATURES {
            return Err(self.contradiction(&format!(
                "tensor {name} has shape {shape:?}, more than {MAX_FEATURES} features"
            )));
        }
        Ok(size)
    }

    fn resolutions(&self, prefix: &str, tensor: &str) -> Vec<usize> {
        self.resolutions_from(MIN_RESOLUTION, prefix, tensor)
    }

    /// Resolutions of consecutive blocks, from `first` on.
    fn resolutions_from(&self, first: usize, prefix: &str, tensor: &str) -> Vec<usize> {
        std::iter::successors(Some(first), |resolution| Some(resolution * 2))
            .take_while(|resolution| {
                *resolution <= MAX_RESOLUTION
                    && self.has(&format!("{prefix}b{resolution}.{tensor}"))
            })
            .collect()
    }

    /// The mapping network's options, `c_dim` and the inputs of its first layer.
    fn mapping(&self, w_dim: usize) -> Result<(MappingConfig, usize, usize), StyleGan2Error> {
        let num_layers = (0..=MAX_MAPPING_LAYERS)
            .take_while(|index| self.has(&format!("mapping.fc{index}.weight")))
            .count();
        let (c_dim, embed_features) = if self.has("mapping.embed.weight") {
            (
                self.dimension("mapping.embed.weight", 1)?,
                Some(self.dimension("mapping.embed.weight", 0)?),
            )
        } else {
            (0, None)
        };
        let input = if num_layers == 0 {
            w_dim
        } else {
            self.dimension("mapping.fc0.weight", 1)?
        };
        let layer_features = if num_layers > 1 {
            Some(self.dimension("mapping.fc0.weight", 0)?)
        } else {
            None
        };
        let config = MappingConfig {
            num_layers,
            embed_features: embed_features.filter(|features| *features != w_dim),
            layer_features: layer_features.filter(|features| *features != w_dim),
            ..MappingConfig::default()
        };
        Ok((config, c_dim, input))
    }

    /// `channel_base` and `channel_max` that give the feature maps of every resolution.
    fn channel_rule(&self, channels: &[(usize, usize)]) -> Result<(usize, usize), StyleGan2Error> {
        let channel_max = channels.iter().map(|(_, c)| *c).max().unwrap_or(0);
        // The base's bounds that every resolution leaves: floor(base / r) = c, or at least c where c is the maximum.
        let least = channels.iter().map(|(r, c)| r * c).max().unwrap_or(0);
        let fits = channels
            .iter()
            .all(|(r, c)| super::limits::channels(least, channel_max, *r) == *c);
        if fits {
            Ok((least, channel_max))
        } else {
            Err(self.contradiction(&format!(
                "no channel_base and channel_max give the feature maps {channels:?} (resolution, number)"
            )))
        }
    }
}
