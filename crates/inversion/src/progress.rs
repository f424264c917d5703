use burn::tensor::Tensor;

use crate::{LossTerms, psnr_of_pictures};

/// What the callback of [`invert`](crate::invert) sees.
#[derive(Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// Random latents were compared, with [`Start::BestOf`](crate::Start::BestOf).
    Start {
        /// Latents compared so far.
        chosen: usize,
        /// Latents to compare.
        samples: usize,
    },
    /// The losses of a step were read.
    Step(Step<'a>),
}

/// A step whose losses were read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Step<'a> {
    /// The step, counted from 0.
    pub step: usize,
    /// Number of steps that were asked for.
    pub steps: usize,
    /// Adam's learning rate of this step.
    pub learning_rate: f64,
    /// Indices in the batch of the images that were still optimized in this step; `losses` and all tensors have their
    /// order.
    pub active: &'a [usize],
    /// Losses of this step's latents.
    pub losses: &'a [LossTerms],
    /// Latents of this step, before its update, `[active, num_ws, w_dim]`.
    pub w_plus: &'a Tensor<3>,
    /// Their images, `[active, channels, resolution, resolution]` in [-1, 1] (not clipped).
    pub images: &'a Tensor<4>,
    /// What they should look like, of the same shape; three channels, over white, where the images have an opacity.
    pub targets: &'a Tensor<4>,
}

impl Step<'_> {
    /// [`psnr_of_pictures`] of each active image.
    pub fn psnr(&self) -> Vec<f64> {
        psnr_of_pictures(self.images.clone(), self.targets.clone())
    }
}
