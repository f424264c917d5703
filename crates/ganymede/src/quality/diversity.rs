//! How much images differ from each other.

use burn::tensor::{Device, Int, Tensor};
use image_tensor::rgb_over_white;
use lpips::{Lpips, LpipsNetwork};
use stylegan2::{Generator, NoiseMode, Truncation, latents_from_seeds};
use vision_aided_finetune::ImageSet;

use crate::Error;
use crate::images::spread;

/// Images whose pairs are compared, of the model and of its data.
pub(super) const IMAGES: usize = 64;
/// Whose distance it is.
pub(super) const NETWORK: LpipsNetwork = LpipsNetwork::AlexNet;

/// Mean LPIPS (AlexNet) over all pairs of images: how much they differ from each other.
#[derive(Clone, Copy, Debug)]
pub struct DiversityComparison {
    /// Of samples at psi 1, seeds 0 to 63.
    pub samples: f32,
    /// Of training images, spread evenly over the set.
    pub real: f32,
}

impl DiversityComparison {
    /// Of a generator and of real images of its size, by the LPIPS of AlexNet.
    ///
    /// # Errors
    ///
    /// LPIPS does not take images of this size.
    pub fn measure(
        generator: &Generator,
        images: &ImageSet,
        lpips: &Lpips,
        device: &Device,
    ) -> Result<Self, Error> {
        let seeds: Vec<u32> = (0..IMAGES as u32).collect();
        let z = latents_from_seeds(&seeds, generator.config().z_dim, device);
        // Clipped to what a picture can hold, as a viewer sees it.
        let labels = generator.drawn_labels(&seeds, device);
        let samples = generator
            .forward(z, labels, Truncation::NONE, &NoiseMode::Constant)
            .clamp(-1.0, 1.0);
        let images = images.for_channels(generator.config().img_channels);
        let spread = spread(images.len(), IMAGES);
        let real = images.batch(&spread, &vec![false; spread.len()], device);
        Ok(Self {
            samples: mean_pairwise(lpips, samples)?,
            real: mean_pairwise(lpips, real)?,
        })
    }

    /// 1 where samples differ as much as the data does.
    pub fn ratio(self) -> f32 {
        self.samples / self.real
    }
}

/// The network sees every image once.
fn mean_pairwise(lpips: &Lpips, images: Tensor<4>) -> Result<f32, Error> {
    let device = images.device();
    let prepared = lpips.prepare(rgb_over_white(images))?;
    let count = prepared.batch();
    let rows = |from: usize, to: usize| Tensor::<1, Int>::arange(from as i64..to as i64, &device);
    let (mut sum, mut pairs) = (0.0, 0);
    for first in 1..count {
        let one = prepared.select(rows(first - 1, first));
        let others = prepared.select(rows(first, count));
        sum += lpips.between(&others, &one).sum().into_scalar::<f32>();
        pairs += count - first;
    }
    Ok(sum / pairs as f32)
}
