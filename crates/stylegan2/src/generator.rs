use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use checkpoint::{Checkpoint, FloatPrecision, StoredTensor};

use crate::StyleGan2Error;
use crate::config::{GeneratorConfig, MIN_RESOLUTION};
use crate::formats::{official, rosinality};
use crate::initialiser::Initialiser;
use crate::latents::latents_from_seeds;
use crate::mapping::{MappingNetwork, Truncation};
use crate::network_file::{self, NetworkFile, NetworkKind};
use crate::noise::NoiseMode;
use crate::resample_filter::ResampleFilter;
use crate::synthesis::SynthesisNetwork;

/// StyleGAN2's generator: mapping network and synthesis network (Karras et al. 2020).
///
/// Parameters train, the buffers `w_avg` and `noise_const` do not. For inversion load it on a plain device: its weights are then
/// constants for latents on the autodiff device.
#[derive(Module, Debug)]
pub struct Generator {
    /// z to w.
    pub mapping: MappingNetwork,
    /// w_plus to images.
    pub synthesis: SynthesisNetwork,
    #[module(skip)]
    config: GeneratorConfig,
}

/// Latents over which a missing average of w is estimated: the default of `generate.py` in rosinality's stylegan2-pytorch.
const W_AVG_SAMPLES: u32 = 4096;

/// Latents mapped at a time, a divisor of [`W_AVG_SAMPLES`]; all at once would take gigabytes for the widest latents that a file may declare.
const W_AVG_BATCH: u32 = 256;

const KIND: NetworkKind = NetworkKind {
    name: "generator",
    anchor: "synthesis.b4.const",
    // The running average of the weights makes the better images, so it comes before the weights in training.
    prefixes: &["", "G_ema.", "g_ema.", "G.", "g."],
    from_other_names: rosinality::generator,
    config_of: official::generator_config,
};

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
        Self::new(config, &mut Initialiser::seeded(device, seed))
    }

    fn new(
        config: &GeneratorConfig,
        initialiser: &mut Initialiser<'_>,
    ) -> Result<Self, StyleGan2Error> {
        config.validate()?;
        Ok(Self {
            mapping: MappingNetwork::new(
                &config.mapping_kwargs,
                config.z_dim,
                config.c_dim,
                config.w_dim,
                Some(config.num_ws()),
                initialiser,
            ),
            synthesis: SynthesisNetwork::new(config, initialiser)?,
            config: config.clone(),
        })
    }

    /// Opens a checkpoint file and loads the generator in it.
    ///
    /// # Errors
    /// As [`from_checkpoint`](Self::from_checkpoint), and when the file cannot be read.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, StyleGan2Error> {
        Self::from_checkpoint(&Checkpoint::open(path)?, device)
    }

    /// The generator of a checkpoint with official tensor names, with or without a prefix such as `G_ema.`, or with those of rosinality's
    /// stylegan2-pytorch. Training there keeps no average of w; where the file has none it is estimated from 4096 seeds. The first files of
    /// that code have no constant noise images, and get seeded ones.
    ///
    /// The configuration is the metadata entry `G_ema.config` (with the prefix found) or, but for pickles, `config`; where there is none it
    /// is inferred from names and shapes. What these do not show has its official default: no clamping, leaky ReLU, learning-rate
    /// multiplier 0.01. Pickles of the official networks say what their modules use, in which stylegan2-ada-pytorch and stylegan3 differ.
    ///
    /// # Errors
    /// When there is no generator, the configuration is invalid, or tensors are missing, left over, of another shape or not finite.
    pub fn from_checkpoint(
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<Self, StyleGan2Error> {
        let file = network_file::find(checkpoint, &KIND)?;
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
            Some(json) => GeneratorConfig::from_json(&json).map_err(|e| file.in_config(e))?,
            None => GeneratorConfig::infer_from(file)?,
        };
        let mut network = Self::new(&config, &mut Initialiser::Deferred(device))?;
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

    /// The official name of a parameter by its path in this module: `synthesis.b8.conv0.weight` for `synthesis.blocks.1.conv0.weight`.
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

    /// Images `[batch, img_channels, img_resolution, img_resolution]` with dynamic range [-1, 1] (not clipped) of z `[batch, z_dim]` and, for a
    /// conditional network, labels c `[batch, c_dim]`.
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
