//! The network in two parts: up to the output of a block, and on from there.

use burn::tensor::Tensor;

use super::{BlockOutput, SynthesisNetwork};
use crate::noise::{NoiseImages, NoiseMode};

/// What is added to the features behind one block, before the next block sees them. The colors that the block itself
/// makes stay.
#[derive(Clone, Debug)]
pub struct FeatureOffset {
    /// Side of the block's output.
    pub resolution: usize,
    /// `[1 or batch, channels, resolution, resolution]`, with the channels of that block.
    pub values: Tensor<4>,
}

impl SynthesisNetwork {
    /// Sides of the blocks' outputs, from 4 to that of the image.
    pub fn block_resolutions(&self) -> impl Iterator<Item = usize> + use<> {
        self.resolutions()
    }

    /// Sides of the blocks behind which features can be changed: all but the last, whose features become no more than
    /// colors.
    pub fn inner_resolutions(&self) -> impl Iterator<Item = usize> + use<> {
        let last = self.shape.img_resolution;
        self.resolutions().filter(move |side| *side < last)
    }

    /// The output of the block of one resolution; those behind it are not computed.
    ///
    /// # Panics
    /// When there is no such block, and as [`forward`](Self::forward).
    pub fn forward_to(
        &self,
        resolution: usize,
        w_plus: Tensor<3>,
        noise: &NoiseMode,
    ) -> BlockOutput {
        let ws = self.layer_latents(w_plus);
        let mut noise = NoiseImages::new(noise, self.shape.noise_layers);
        let (mut x, mut rgb) = (None, None);
        let mut first = 0;
        for (block, side) in self.blocks.iter().zip(self.resolutions()) {
            let (features, colors) = block.forward(x, rgb, &ws[first..], &mut noise);
            if side == resolution {
                return BlockOutput {
                    resolution,
                    features,
                    rgb: colors,
                };
            }
            first += block.num_convolutions();
            (x, rgb) = (Some(features), colors);
        }
        panic!("expected the side of a block, found {resolution}");
    }

    /// The images that follow from the output of a block, which may be another than the network's own. Latents of
    /// layers before it have no effect.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use stylegan2::{Generator, GeneratorConfig, NoiseMode};
    ///
    /// let config = GeneratorConfig::from_json(
    ///     r#"{"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": 16, "img_channels": 3,
    ///         "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 128}}"#,
    /// )?;
    /// let device = Device::flex();
    /// let network = Generator::init(&config, 0, &device)?.synthesis;
    /// let w_plus = network.broadcast(Tensor::ones([2, 8], &device));
    /// let block = network.forward_to(8, w_plus.clone(), &NoiseMode::Constant);
    /// assert_eq!(block.features.dims(), [2, 16, 8, 8]);
    /// let images = network.forward_from(block, w_plus.clone(), &NoiseMode::Constant);
    /// assert_eq!(images.into_data(), network.forward(w_plus, &NoiseMode::Constant).into_data());
    /// # Ok::<(), stylegan2::StyleGan2Error>(())
    /// ```
    ///
    /// # Panics
    /// When there is no such block or its output has another shape than the network's, and as
    /// [`forward`](Self::forward).
    pub fn forward_from(
        &self,
        block: BlockOutput,
        w_plus: Tensor<3>,
        noise: &NoiseMode,
    ) -> Tensor<4> {
        assert!(
            self.resolutions().any(|side| side == block.resolution),
            "expected the side of a block, found {}",
            block.resolution
        );
        let batch = w_plus.dims()[0];
        let ws = self.layer_latents(w_plus);
        let mut noise = NoiseImages::new(noise, self.shape.noise_layers);
        let (mut x, mut rgb) = (None, None);
        let mut first = 0;
        for (layers, side) in self.blocks.iter().zip(self.resolutions()) {
            if side <= block.resolution {
                for (_, layer) in layers.layers() {
                    if layer.noise_const().is_some() {
                        noise.skip(batch, side);
                    }
                }
                if side == block.resolution {
                    (x, rgb) = (Some(block.features.clone()), block.rgb.clone());
                }
            } else {
                let (features, colors) = layers.forward(x, rgb, &ws[first..], &mut noise);
                (x, rgb) = (Some(features), colors);
            }
            first += layers.num_convolutions();
        }
        rgb.expect("the last block makes colors")
    }

    /// As [`forward`](Self::forward), with an offset of the features behind one block.
    ///
    /// # Panics
    /// When the offset is of no block or of other channels, and as [`forward`](Self::forward).
    pub fn forward_with_offset(
        &self,
        w_plus: Tensor<3>,
        noise: &NoiseMode,
        offset: &FeatureOffset,
    ) -> Tensor<4> {
        let mut block = self.forward_to(offset.resolution, w_plus.clone(), noise);
        block.features = block.features + offset.values.clone();
        self.forward_from(block, w_plus, noise)
    }
}
