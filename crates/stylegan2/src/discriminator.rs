mod tangent;

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, FloatPrecision, StoredTensor};

use crate::StyleGan2Error;
use crate::config::{DiscriminatorConfig, ResampleTaps};
use crate::discriminator_block::DiscriminatorBlock;
use crate::discriminator_epilogue::DiscriminatorEpilogue;
use crate::formats::place::Role;
use crate::formats::{official, rosinality};
use crate::initializer::Initializer;
use crate::mapping::MappingNetwork;
use crate::network_file::{self, NetworkKind};
use crate::resample_filter::ResampleFilter;

/// StyleGAN2's discriminator: images (and labels) to logits (Karras et al. 2020, section 4 and figure 7).
#[derive(Module, Debug)]
pub struct Discriminator {
    blocks: Vec<DiscriminatorBlock>,
    mapping: Option<MappingNetwork>,
    epilogue: DiscriminatorEpilogue,
    #[module(skip)]
    config: DiscriminatorConfig,
}

const KIND: NetworkKind = NetworkKind {
    name: "discriminator",
    role: Role::Discriminator,
    anchor: "b4.out.weight",
    prefix: "D.",
    other_anchor: rosinality::DISCRIMINATOR_ANCHOR,
    from_other_names: rosinality::discriminator,
    config_of: official::discriminator_config,
};

impl Discriminator {
    /// A discriminator with the official initial weights, drawn from `seed` on the CPU.
    ///
    /// # Errors
    /// When the configuration is invalid.
    pub fn init(
        config: &DiscriminatorConfig,
        seed: u32,
        device: &Device,
    ) -> Result<Self, StyleGan2Error> {
        Self::new(config, &mut Initializer::seeded(device, seed))
    }

    fn new(
        config: &DiscriminatorConfig,
        initializer: &mut Initializer<'_>,
    ) -> Result<Self, StyleGan2Error> {
        config.validate()?;
        let resample_filter = ResampleFilter::new(&config.block_kwargs.resample_filter)?;
        let default_filter = ResampleFilter::new(&ResampleTaps::default())?;
        let mut blocks: Vec<DiscriminatorBlock> = Vec::new();
        for resolution in config.block_resolutions() {
            let layers_before = blocks.iter().map(DiscriminatorBlock::num_layers).sum();
            blocks.push(DiscriminatorBlock::new(
                config,
                resolution,
                layers_before,
                &resample_filter,
                &default_filter,
                initializer,
            ));
        }
        let mapping = (config.c_dim > 0).then(|| {
            MappingNetwork::new(
                &config.mapping_kwargs,
                0,
                config.c_dim,
                config.cmap_features(),
                None,
                initializer,
            )
        });
        Ok(Self {
            blocks,
            mapping,
            epilogue: DiscriminatorEpilogue::new(config, &default_filter, initializer),
            config: config.clone(),
        })
    }

    /// Opens a checkpoint file and loads the discriminator in it.
    ///
    /// # Errors
    /// As [`from_checkpoint`](Self::from_checkpoint), and when the file cannot be read.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, StyleGan2Error> {
        Self::from_checkpoint(&Checkpoint::open(path)?, device)
    }

    /// The discriminator of a checkpoint with official tensor names or those of rosinality's stylegan2-pytorch, at the
    /// root or behind `D.`, `d.`, `state_dict.`, `module.` and their like in any nesting, or behind any other name if
    /// it is the only one.
    ///
    /// The configuration is the metadata entry `D.config` or, but for pickles, `config`; where there is none it is
    /// inferred from names and shapes. What these do not show has its official default: no clamping, leaky ReLU, groups
    /// of 4, learning-rate multiplier 0.01.
    ///
    /// # Errors
    /// When there is no discriminator, the configuration is invalid, or tensors are missing, left over, of another
    /// shape or not finite.
    pub fn from_checkpoint(
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<Self, StyleGan2Error> {
        Self::from_place(checkpoint, None, device)
    }

    /// As [`from_checkpoint`](Self::from_checkpoint), the best discriminator below a name such as `D`.
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

    /// The names under which a checkpoint holds discriminators, best first; empty for one at its root. Nothing but a
    /// tensor of their last layer is looked for.
    pub fn names_in(checkpoint: &Checkpoint) -> Vec<String> {
        network_file::names(checkpoint, &KIND)
    }

    fn from_place(
        checkpoint: &Checkpoint,
        within: Option<&str>,
        device: &Device,
    ) -> Result<Self, StyleGan2Error> {
        let file = network_file::find(checkpoint, &KIND, within)?;
        let config = match file.config_json() {
            Some(json) => DiscriminatorConfig::from_json(&json).map_err(|e| file.in_config(e))?,
            None => DiscriminatorConfig::infer_from(&file)?,
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
    pub fn config(&self) -> &DiscriminatorConfig {
        &self.config
    }

    /// The official name of a parameter by its path in this module: `b64.conv0.weight` for `blocks.0.conv0.weight`.
    pub fn official_name(&self, path: &str) -> String {
        if let Some(rest) = path.strip_prefix("epilogue.") {
            return format!("b4.{rest}");
        }
        if let Some(rest) = path.strip_prefix("mapping.") {
            return format!("mapping.{}", network_file::mapping_name(rest));
        }
        network_file::rename_indexed(path, "blocks.", |index| {
            format!("b{}", self.config.img_resolution >> index)
        })
    }

    fn resample_filters(&mut self) -> impl Iterator<Item = (String, &mut ResampleFilter)> {
        let blocks = self.blocks.iter_mut().zip(self.config.block_resolutions());
        blocks
            .flat_map(|(block, resolution)| {
                block
                    .resample_filters()
                    .map(move |(name, filter)| (format!("b{resolution}.{name}"), filter))
            })
            .chain(
                self.epilogue
                    .resample_filters()
                    .map(|(name, filter)| (format!("b4.{name}"), filter)),
            )
    }

    /// Logits `[batch, 1]`, positive for real, of images `[batch, img_channels, img_resolution, img_resolution]` with
    /// dynamic range [-1, 1] and, for a conditional network, labels c `[batch, c_dim]`.
    ///
    /// # Panics
    /// When a shape differs, a conditional network gets no labels, or the batch is not a multiple of the minibatch
    /// standard deviation's group.
    pub fn forward(&self, image: Tensor<4>, c: Option<Tensor<2>>) -> Tensor<2> {
        self.assert_image_shape(&image);
        let (mut x, mut image) = (None, Some(image));
        for block in &self.blocks {
            let (features, smaller) = block.forward(x, image);
            (x, image) = (Some(features), smaller);
        }
        let x = x.expect("a validated configuration has a block");
        let cmap = self.mapping.as_ref().map(|mapping| mapping.label_to_w(c));
        self.epilogue.forward(x, image, cmap)
    }

    fn assert_image_shape(&self, image: &Tensor<4>) {
        let side = self.config.img_resolution;
        let [_, channels, height, width] = image.dims();
        assert_eq!(
            [channels, height, width],
            [self.config.img_channels, side, side],
            "the discriminator expects images of shape [batch, {}, {side}, {side}], found {:?}",
            self.config.img_channels,
            image.dims()
        );
    }
}
