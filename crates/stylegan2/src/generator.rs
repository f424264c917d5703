use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, FloatPrecision, StoredTensor};

use crate::StyleGan2Error;
use crate::config::{GeneratorConfig, MIN_RESOLUTION};
use crate::formats::place::Role;
use crate::formats::{official, rosinality};
use crate::initializer::Initializer;
use crate::latents::latents_from_seeds;
use crate::mapping::{MappingNetwork, Truncation};
use crate::network_file::{self, NetworkFile, NetworkKind};
use crate::noise::NoiseMode;
use crate::resample_filter::ResampleFilter;
use crate::synthesis::SynthesisNetwork;

/// StyleGAN2's generator: mapping network and synthesis network (Karras et al. 2020).
///
/// Parameters train, the buffers `w_avg` and `noise_const` do not. For inversion load it on a plain device: its weights
/// are then constants for latents on the autodiff device.
#[derive(Module, Debug)]
pub struct Generator {
    /// z to w.
    pub mapping: MappingNetwork,
    /// w_plus to images.
    pub synthesis: SynthesisNetwork,
    #[module(skip)]
    config: GeneratorConfig,
}

/// Latents over which a missing average of w is estimated: the default of `generate.py` in rosinality's
/// stylegan2-pytorch.
const W_AVG_SAMPLES: u32 = 4096;

/// Latents mapped at a time, a divisor of [`W_AVG_SAMPLES`]; all at once would take gigabytes for the widest latents
/// that a file may declare.
const W_AVG_BATCH: u32 = 256;

const KIND: NetworkKind = NetworkKind {
    name: "generator",
    role: Role::Generator,
    anchor: "synthesis.b4.const",
    prefix: "G_ema.",
    other_anchor: rosinality::GENERATOR_ANCHOR,
    from_other_names: rosinality::generator,
    config_of: official::generator_config,
};

/// The constant of images that are not square is no square either.
fn refuse_rectangular(file: &NetworkFile<'_>) -> Result<(), StyleGan2Error> {
    match file.tensors.tensors().get(KIND.anchor).map(|t| t.shape()) {
        Some(&[_, height, width]) if [height, width] != [MIN_RESOLUTION; 2] => {
            let tensor = file.source_name(KIND.anchor);
            let path = file.tensors.path();
            Err(StyleGan2Error::rectangular(path, &tensor, [height, width]))
        }
        _ => Ok(()),
    }
}

impl Generator {
    /// A generator with the official initial weights, drawn from `seed` on the CPU.
    ///
    /// # Errors
    /// When the configuration is invalid.
    pub fn init(
        config: &GeneratorConfig,
        seed: u32,
        device: &Device,
    ) -> Result<Self, StyleGan2Error> {
        Self::new(config, &mut Initializer::seeded(device, seed))
    }

    fn new(
        config: &GeneratorConfig,
        initializer: &mut Initializer<'_>,
    ) -> Result<Self, StyleGan2Error> {
        config.validate()?;
        Ok(Self {
            mapping: MappingNetwork::new(
                &config.mapping_kwargs,
                config.z_dim,
                config.c_dim,
                config.w_dim,
                Some(config.num_ws()),
                initializer,
            ),
            synthesis: SynthesisNetwork::new(config, initializer)?,
            config: config.clone(),
        })
    }

    /// Opens a checkpoint file and loads the best generator in it.
    ///
    /// # Errors
    /// As [`from_checkpoint`](Self::from_checkpoint), and when the file cannot be read.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, StyleGan2Error> {
        Self::from_checkpoint(&Checkpoint::open(path)?, device)
    }

    /// The best generator of a checkpoint with official tensor names or those of rosinality's stylegan2-pytorch.
    ///
    /// It may lie at the root or where code that people use puts it: behind `G_ema.`, `g_ema.`, `state_dict.`,
    /// `decoder.`, `module.` and their like in any nesting, in dicts and in whole modules; or behind any other name if
    /// it is the only one. Running averages come before weights in training.
    ///
    /// Training in rosinality's code keeps no average of w. Where the file has one beside the network (`latent_avg`,
    /// `[w_dim]` or a row for each layer, of which the mean is taken) it is used, otherwise it is estimated from 4096
    /// seeds. The first files of that code have no constant noise images, and get seeded ones.
    ///
    /// The configuration is the metadata entry `G_ema.config` (with the prefix found) or, but for pickles, `config`;
    /// where there is none it is inferred from names and shapes. What these do not show has its official default: no
    /// clamping, leaky ReLU, learning-rate multiplier 0.01. Pickles of the official networks say what their modules
    /// use, in which stylegan2-ada-pytorch and stylegan3 differ.
    ///
    /// # Errors
    /// When there is no generator, it is of a kind that is not supported, the configuration is invalid, or tensors are
    /// missing, left over, of another shape or not finite.
    pub fn from_checkpoint(
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<Self, StyleGan2Error> {
        Self::from_place(checkpoint, None, device)
    }

    /// As [`from_checkpoint`](Self::from_checkpoint), the best generator below a name: `G`, `g_ema` or
    /// `state_dict.decoder`.
    ///
    /// The average of w may lie outside of it.
    ///
    /// # Errors
    /// As [`from_checkpoint`](Self::from_checkpoint).
    pub fn from_network(
        checkpoint: &Checkpoint,
        name: &str,
        device: &Device,
    ) -> Result<Self, StyleGan2Error> {
        Self::from_place(checkpoint, Some(name), device)
    }

    /// The names under which a checkpoint holds generators, best first; empty for one at its root. Nothing but their
    /// first tensor is looked for.
    pub fn names_in(checkpoint: &Checkpoint) -> Vec<String> {
        network_file::names(checkpoint, &KIND)
    }

    fn from_place(
        checkpoint: &Checkpoint,
        within: Option<&str>,
        device: &Device,
    ) -> Result<Self, StyleGan2Error> {
        let file = network_file::find(checkpoint, &KIND, within)?;
        refuse_rectangular(&file)?;
        let network = Self::from_file(&file, device)?;
        if network.mapping.tracks_w_avg() || !file.is_in_other_names() {
            return Ok(network);
        }
        let average = network.estimate_w_avg(device);
        Self::from_file(&file.with_tensor("mapping.w_avg", average), device)
    }

    /// The mean of w over [`W_AVG_SAMPLES`] seeds, `[w_dim]`.
    fn estimate_w_avg(&self, device: &Device) -> StoredTensor {
        let mut mean = vec![0f64; self.config.w_dim];
        for first in (0..W_AVG_SAMPLES).step_by(W_AVG_BATCH as usize) {
            let seeds: Vec<u32> = (first..first + W_AVG_BATCH).collect();
            let z = latents_from_seeds(&seeds, self.config.z_dim, device);
            let w = self.mapping.w(z, None).detach().sum_dim(0).into_data();
            for (mean, sum) in mean.iter_mut().zip(w.iter::<f64>()) {
                *mean += sum / f64::from(W_AVG_SAMPLES);
            }
        }
        let mean: Vec<f32> = mean.into_iter().map(|value| value as f32).collect();
        StoredTensor::from_f32(vec![self.config.w_dim], &mean)
    }

    fn from_file(file: &NetworkFile<'_>, device: &Device) -> Result<Self, StyleGan2Error> {
        let config = match file.config_json() {
            Some(json) if official::is_rectangular(&json) => {
                return Err(StyleGan2Error::NotSupported {
                    path: file.tensors.path().to_owned(),
                    found: "a generator of rectangular images (it was made with square=False, as StyleGAN-Human's)"
                        .to_owned(),
                    remedy: "only square images are supported; use a model of square images".to_owned(),
                });
            }
            Some(json) => GeneratorConfig::from_json(&json).map_err(|e| file.in_config(e))?,
            None => GeneratorConfig::infer_from(file)?,
        };
        let mut network = Self::new(&config, &mut Initializer::Deferred(device))?;
        let filters = file.load_filters(network.resample_filters())?;
        file.load(&network, |path| network.official_name(path), &filters)
    }

    /// Writes a safetensors file with official names and the configuration as metadata `config`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(
        &self,
        path: impl AsRef<Path>,
        precision: FloatPrecision,
    ) -> Result<(), StyleGan2Error> {
        network_file::save(
            path.as_ref(),
            &self.tensors(),
            &self.config.to_json(),
            precision,
        )
    }

    /// All tensors, the constant filters among them, under their official names.
    pub fn tensors(&self) -> BTreeMap<String, StoredTensor> {
        // Cloning shares the parameters' memory.
        network_file::tensors(
            self,
            |path| self.official_name(path),
            self.clone().resample_filters(),
        )
    }

    /// The configuration.
    pub fn config(&self) -> &GeneratorConfig {
        &self.config
    }

    /// The official name of a parameter by its path in this module: `synthesis.b8.conv0.weight` for
    /// `synthesis.blocks.1.conv0.weight`.
    pub fn official_name(&self, path: &str) -> String {
        if let Some(rest) = path.strip_prefix("mapping.") {
            return format!("mapping.{}", network_file::mapping_name(rest));
        }
        let path = network_file::rename_indexed(path, "synthesis.blocks.", |index| {
            format!("synthesis.b{}", MIN_RESOLUTION << index)
        });
        match path.strip_suffix(".constant") {
            Some(block) => format!("{block}.const"),
            None => path,
        }
    }

    fn resample_filters(&mut self) -> impl Iterator<Item = (String, &mut ResampleFilter)> {
        self.synthesis
            .resample_filters()
            .map(|(name, filter)| (format!("synthesis.{name}"), filter))
    }

    /// Images `[batch, img_channels, img_resolution, img_resolution]` with dynamic range [-1, 1] (not clipped) of z
    /// `[batch, z_dim]` and, for a conditional network, labels c `[batch, c_dim]`.
    ///
    /// # Panics
    /// As [`MappingNetwork::forward`] and [`SynthesisNetwork::forward`].
    pub fn forward(
        &self,
        z: Tensor<2>,
        c: Option<Tensor<2>>,
        truncation: Truncation,
        noise: &NoiseMode,
    ) -> Tensor<4> {
        self.synthesis
            .forward(self.mapping.forward(z, c, truncation), noise)
    }
}
