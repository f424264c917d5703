mod continuation;
mod tangent;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::StyleGan2Error;
use crate::config::{GeneratorConfig, ResampleTaps};
use crate::initializer::Initializer;
use crate::mapping::broadcast;
use crate::noise::{NoiseImages, NoiseMode};
use crate::resample_filter::ResampleFilter;
use crate::synthesis_block::SynthesisBlock;

pub use continuation::FeatureOffset;

/// The synthesis network g: latents of all layers to images (Karras et al. 2020, figure 7).
#[derive(Module, Debug)]
pub struct SynthesisNetwork {
    blocks: Vec<SynthesisBlock>,
    #[module(skip)]
    shape: SynthesisShape,
}

#[derive(Clone, Copy, Debug)]
struct SynthesisShape {
    w_dim: usize,
    num_ws: usize,
    img_resolution: usize,
    img_channels: usize,
    noise_layers: usize,
    /// All affine layers have `w_dim` inputs, so their weight gain is applied once to all latents.
    affine_gain: f32,
}

/// What the block of one resolution hands to the next.
#[derive(Clone, Debug)]
pub struct BlockOutput {
    /// Side of both.
    pub resolution: usize,
    /// Features `[batch, channels, resolution, resolution]`.
    pub features: Tensor<4>,
    /// Colors so far `[batch, img_channels, resolution, resolution]`: present in every block of the `skip`
    /// architecture, else in the last only.
    pub rgb: Option<Tensor<4>>,
}

impl SynthesisNetwork {
    pub(crate) fn new(
        config: &GeneratorConfig,
        initializer: &mut Initializer<'_>,
    ) -> Result<Self, StyleGan2Error> {
        let synthesis = &config.synthesis_kwargs;
        let resample_filter = ResampleFilter::new(&synthesis.resample_filter)?;
        let default_filter = ResampleFilter::new(&ResampleTaps::default())?;
        let blocks: Vec<SynthesisBlock> = config
            .block_resolutions()
            .map(|resolution| {
                SynthesisBlock::new(
                    config,
                    resolution,
                    &resample_filter,
                    &default_filter,
                    initializer,
                )
            })
            .collect();
        let convolutions = blocks.iter().map(SynthesisBlock::num_convolutions).sum();
        Ok(Self {
            blocks,
            shape: SynthesisShape {
                w_dim: config.w_dim,
                num_ws: config.num_ws(),
                img_resolution: config.img_resolution,
                img_channels: config.img_channels,
                noise_layers: if synthesis.use_noise { convolutions } else { 0 },
                affine_gain: 1.0 / (config.w_dim as f32).sqrt(),
            },
        })
    }

    /// Features of w.
    pub fn w_dim(&self) -> usize {
        self.shape.w_dim
    }

    /// Number of latents of an image.
    pub fn num_ws(&self) -> usize {
        self.shape.num_ws
    }

    /// Image side.
    pub fn img_resolution(&self) -> usize {
        self.shape.img_resolution
    }

    /// Color channels: 3 for RGB, 1 for gray.
    pub fn img_channels(&self) -> usize {
        self.shape.img_channels
    }

    /// Repeats w `[batch, w_dim]` for every layer: w_plus `[batch, num_ws, w_dim]`.
    pub fn broadcast(&self, w: Tensor<2>) -> Tensor<3> {
        broadcast(w, self.shape.num_ws)
    }

    /// The network's own noise images, each `[1, 1, resolution, resolution]`, with their names in files
    /// (`b8.conv0.noise_const`), in the order of the layers. Empty where the network adds no noise.
    pub fn noise_images(&self) -> Vec<(String, Tensor<4>)> {
        let mut images = Vec::with_capacity(self.shape.noise_layers);
        for (block, resolution) in self.blocks.iter().zip(self.resolutions()) {
            for (layer_name, layer) in block.layers() {
                if let Some(image) = layer.noise_const() {
                    images.push((
                        format!("b{resolution}.{layer_name}.noise_const"),
                        image.unsqueeze(),
                    ));
                }
            }
        }
        images
    }

    /// Images `[batch, img_channels, img_resolution, img_resolution]` with dynamic range [-1, 1] (not clipped) of
    /// w_plus `[batch, num_ws, w_dim]`.
    ///
    /// # Panics
    /// When `w_plus` or a given noise image has another shape.
    pub fn forward(&self, w_plus: Tensor<3>, noise: &NoiseMode) -> Tensor<4> {
        let mut image = None;
        self.run(w_plus, noise, |output| image = output.rgb);
        image.expect("the last block makes colors")
    }

    /// The output of every block, from 4x4 on; the last `rgb` is the image.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn forward_blocks(&self, w_plus: Tensor<3>, noise: &NoiseMode) -> Vec<BlockOutput> {
        let mut outputs = Vec::with_capacity(self.blocks.len());
        self.run(w_plus, noise, |output| outputs.push(output));
        outputs
    }

    fn run(&self, w_plus: Tensor<3>, noise: &NoiseMode, mut emit: impl FnMut(BlockOutput)) {
        let ws = self.layer_latents(w_plus);
        let mut noise = NoiseImages::new(noise, self.shape.noise_layers);
        let (mut x, mut rgb) = (None, None);
        let mut first = 0;
        for (block, resolution) in self.blocks.iter().zip(self.resolutions()) {
            let (features, colors) = block.forward(x, rgb, &ws[first..], &mut noise);
            first += block.num_convolutions();
            emit(BlockOutput {
                resolution,
                features: features.clone(),
                rgb: colors.clone(),
            });
            (x, rgb) = (Some(features), colors);
        }
    }

    /// The latent of every layer, each `[batch, w_dim]`, with the affine layers' weight gain.
    fn layer_latents(&self, w_plus: Tensor<3>) -> Vec<Tensor<2>> {
        let SynthesisShape { num_ws, w_dim, .. } = self.shape;
        let [batch, layers, features] = w_plus.dims();
        assert_eq!(
            [layers, features],
            [num_ws, w_dim],
            "the synthesis network expects w_plus of shape [batch, {num_ws}, {w_dim}], found {:?}",
            w_plus.dims()
        );
        let scaled = w_plus.mul_scalar(self.shape.affine_gain);
        (0..num_ws)
            .map(|layer| {
                scaled
                    .clone()
                    .slice([0..batch, layer..layer + 1, 0..w_dim])
                    .reshape([batch, w_dim])
            })
            .collect()
    }

    fn resolutions(&self) -> impl Iterator<Item = usize> + use<> {
        resolutions(self.blocks.len())
    }

    /// The resample filters with their names in files below `synthesis.`
    pub(crate) fn resample_filters(
        &mut self,
    ) -> impl Iterator<Item = (String, &mut ResampleFilter)> {
        let resolutions = self.resolutions();
        self.blocks
            .iter_mut()
            .zip(resolutions)
            .flat_map(|(block, resolution)| {
                block
                    .resample_filters()
                    .map(move |(name, filter)| (format!("b{resolution}.{name}"), filter))
            })
    }
}

fn resolutions(blocks: usize) -> impl Iterator<Item = usize> {
    (0..blocks).map(|index| crate::config::MIN_RESOLUTION << index)
}
