use burn::tensor::Tensor;

use crate::LossTerms;
use crate::objective::{mean_square, seen};

/// The result for one target. All tensors are on the plain device.
#[derive(Debug, Clone)]
pub struct Inversion {
    /// The latents of the least objective among those that were evaluated.
    pub best: Solution,
    /// The latents after the last step. After a non-finite loss this is `best`.
    pub last: Solution,
    /// Losses of each step's latents before its update.
    pub curve: Vec<LossTerms>,
    /// Why the optimization ended.
    pub stop: StopReason,
}

/// Latents, their image and how like the target it is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Solution {
    /// Number of updates before these latents.
    pub step: usize,
    /// `[1, num_ws, w_dim]`; in W all layers are equal.
    pub w_plus: Tensor<3>,
    /// Optimized noise images in the order of
    /// [`SynthesisNetwork::noise_images`](stylegan2::SynthesisNetwork::noise_images), each
    /// `[1, 1, resolution, resolution]`; empty where noise was not optimized.
    pub noise_images: Vec<Tensor<4>>,
    /// The reconstruction, `[1, channels, resolution, resolution]` in [-1, 1] (not clipped).
    pub image: Tensor<4>,
    /// LPIPS distance, MSE and the rest of the objective.
    pub losses: LossTerms,
    /// Peak signal-to-noise ratio in dB of the image as it is written, [`psnr_of_pictures`]; infinite where the picture
    /// is the target.
    pub psnr: f64,
    /// `|w_plus - w_avg|`, the Euclidean norm over all layers.
    pub w_plus_distance: f64,
}

/// Why an image's optimization ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// All steps were done.
    Finished,
    /// The objective no longer improved.
    EarlyStopping {
        /// Steps done.
        step: usize,
    },
    /// The callback asked for it.
    Cancelled {
        /// Steps done.
        step: usize,
    },
    /// The loss became NaN or infinite; `best` is from before.
    NonFiniteLoss {
        /// Step whose loss was not finite.
        step: usize,
    },
}

/// Peak signal-to-noise ratio in dB of a mean squared error of values in [-1, 1], so with a peak-to-peak range of 2:
/// `10 log10(4 / mse)`; infinite for 0.
///
/// ```
/// assert_eq!(inversion::psnr(0.04), 20.0);
/// ```
pub fn psnr(mse: f64) -> f64 {
    const PEAK_TO_PEAK: f64 = 2.0;
    10.0 * (PEAK_TO_PEAK * PEAK_TO_PEAK / mse).log10()
}

/// Peak signal-to-noise ratios in dB of images beside their targets, both `[batch, channels, height, width]` in [-1,
/// 1], as they are once written as pictures: clipped, and rounded to 8 bits as the official StyleGAN2 does. Infinite
/// where the pictures are equal. Those with opacity are compared as they look over white.
///
/// ```
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// let target = Tensor::<1>::from_floats([-1.0, -1.0, 1.0, 1.0], &device).reshape([1, 1, 2, 2]);
/// // What is beyond white is white in a picture.
/// let image = target.clone() * 1.3;
/// assert_eq!(inversion::psnr_of_pictures(image, target), [f64::INFINITY]);
/// ```
pub fn psnr_of_pictures(images: Tensor<4>, targets: Tensor<4>) -> Vec<f64> {
    const STEPS: f64 = 255.0;
    let difference = written(seen(images)) - written(seen(targets));
    let squares = mean_square(difference).into_data();
    squares
        .iter::<f64>()
        .map(|square| 10.0 * (STEPS * STEPS / square).log10())
        .collect()
}

/// Values in [-1, 1] as the whole numbers of 8 bits that a picture holds: `x * 127.5 + 128`, truncated.
fn written(images: Tensor<4>) -> Tensor<4> {
    (images * 127.5 + 128.0).clamp(0.0, 255.0).floor()
}
