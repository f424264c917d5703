//! Configurations from the names and shapes of a network's tensors, for files that carry none.

use std::collections::BTreeMap;

use checkpoint_file::{Checkpoint, Format};

use super::limits::{MAX_FEATURES, MAX_MAPPING_LAYERS, MAX_RESOLUTION, MIN_RESOLUTION};
use super::{
    Architecture, DiscriminatorConfig, EpilogueConfig, GeneratorConfig, MappingConfig,
    SynthesisConfig,
};
use crate::StyleGan2Error;
use crate::network_file::NetworkFile;

impl GeneratorConfig {
    /// The configuration of a generator with official tensor names. Options that leave no trace in names and shapes
    /// have their official defaults: no clamping, leaky ReLU, learning-rate multiplier 0.01, the usual filter.
    ///
    /// # Errors
    /// When a needed tensor is missing, or no configuration has these shapes.
    pub fn infer(checkpoint: &Checkpoint) -> Result<Self, StyleGan2Error> {
        Self::infer_shapes(&Shapes {
            tensors: checkpoint,
            format: checkpoint.format(),
            source_name: &str::to_owned,
        })
    }

    /// As [`infer`](Self::infer), with errors in the names of the file.
    pub(crate) fn infer_from(file: &NetworkFile<'_>) -> Result<Self, StyleGan2Error> {
        Self::infer_shapes(&Shapes {
            tensors: &file.tensors,
            format: file.format(),
            source_name: &|official| file.source_name(official),
        })
    }

    fn infer_shapes(file: &Shapes<'_>) -> Result<Self, StyleGan2Error> {
        let affine = "synthesis.b4.conv1.affine.weight";
        let w_dim = file.dimension(affine, 1)?;
        let (mapping, c_dim, input) = file.mapping(w_dim)?;
        let z_dim = input
            .checked_sub(mapping.embedding(c_dim, w_dim))
            .ok_or_else(|| {
                file.tensor_contradiction(
                    "mapping.fc0.weight",
                    "has fewer inputs than the embedded label",
                )
            })?;
        let resolutions = file.resolutions("synthesis.", "conv1.weight");
        let img_resolution = *resolutions
            .last()
            .ok_or_else(|| file.tensor_contradiction("synthesis.b4.conv1.weight", "is missing"))?;
        let mut channels = BTreeMap::new();
        for resolution in resolutions {
            let name = format!("synthesis.b{resolution}.conv1.weight");
            channels.insert(resolution, file.dimension(&name, 0)?);
        }
        let FeatureMaps {
            channel_base,
            channel_max,
            channels,
        } = FeatureMaps::of(channels);
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
                channels,
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
    /// The configuration of a discriminator with official tensor names. Options that leave no trace in names and shapes
    /// have their official defaults: no clamping, leaky ReLU, groups of 4, learning-rate multiplier 0.01, the usual
    /// filter, no frozen layers.
    ///
    /// # Errors
    /// When a needed tensor is missing, or no configuration has these shapes.
    pub fn infer(checkpoint: &Checkpoint) -> Result<Self, StyleGan2Error> {
        Self::infer_shapes(&Shapes {
            tensors: checkpoint,
            format: checkpoint.format(),
            source_name: &str::to_owned,
        })
    }

    /// As [`infer`](Self::infer), with errors in the names of the file.
    pub(crate) fn infer_from(file: &NetworkFile<'_>) -> Result<Self, StyleGan2Error> {
        Self::infer_shapes(&Shapes {
            tensors: &file.tensors,
            format: file.format(),
            source_name: &|official| file.source_name(official),
        })
    }

    fn infer_shapes(file: &Shapes<'_>) -> Result<Self, StyleGan2Error> {
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
            .ok_or_else(|| file.tensor_contradiction("b8.conv0.weight", "is missing"))?;
        let mut channels = BTreeMap::from([(MIN_RESOLUTION, last)]);
        for resolution in resolutions {
            let name = format!("b{resolution}.conv0.weight");
            channels.insert(resolution, file.dimension(&name, 0)?);
        }
        let FeatureMaps {
            channel_base,
            channel_max,
            channels,
        } = FeatureMaps::of(channels);
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
            channels,
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
                        file.tensor_contradiction("b4.conv.weight", "has fewer inputs than outputs")
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

struct Shapes<'a> {
    tensors: &'a Checkpoint,
    format: Option<Format>,
    /// What the file calls the tensor of an official name.
    source_name: &'a dyn Fn(&str) -> String,
}

impl Shapes<'_> {
    fn has(&self, name: &str) -> bool {
        self.tensors.tensors().contains_key(name)
    }

    fn contradiction(&self, reason: &str) -> StyleGan2Error {
        StyleGan2Error::CannotInfer {
            path: self.tensors.path().to_owned(),
            format: self.format,
            reason: reason.to_owned(),
        }
    }

    /// A contradiction about one tensor.
    fn tensor_contradiction(&self, name: &str, reason: &str) -> StyleGan2Error {
        self.contradiction(&format!("tensor {} {reason}", (self.source_name)(name)))
    }

    fn dimension(&self, name: &str, axis: usize) -> Result<usize, StyleGan2Error> {
        let shape = self
            .tensors
            .tensors()
            .get(name)
            .map(|tensor| tensor.shape())
            .ok_or_else(|| self.tensor_contradiction(name, "is missing"))?;
        let size = *shape.get(axis).ok_or_else(|| {
            self.tensor_contradiction(name, &format!("has shape {shape:?}, too few dimensions"))
        })?;
        if size > MAX_FEATURES {
            return Err(self.tensor_contradiction(
                name,
                &format!("has shape {shape:?}, more than {MAX_FEATURES} features"),
            ));
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
}

/// The options that give the feature maps of every resolution.
struct FeatureMaps {
    channel_base: usize,
    channel_max: usize,
    /// Only where the other two cannot say it.
    channels: Option<BTreeMap<usize, usize>>,
}

impl FeatureMaps {
    fn of(channels: BTreeMap<usize, usize>) -> Self {
        let channel_max = channels.values().copied().max().unwrap_or(0);
        // The base's bounds that every resolution leaves: floor(base / r) = c, or at least c where c is the maximum.
        let channel_base = channels.iter().map(|(r, c)| r * c).max().unwrap_or(0);
        let fits = channels
            .iter()
            .all(|(r, c)| super::limits::channels(channel_base, channel_max, *r) == *c);
        Self {
            channel_base,
            channel_max,
            channels: (!fits).then_some(channels),
        }
    }
}
