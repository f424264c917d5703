use feature_stats::StatsError;
use lpips::LpipsError;

/// Why an inversion could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InversionError {
    /// The targets are not images of the generator's shape; those of a generator with opacity may also be as seen over
    /// white.
    #[error(
        "the targets have shape {found:?}, but this generator makes images of shape [batch, {channels}, {resolution}, {resolution}]; \
         crop and resize the images to {resolution} x {resolution} pixels with {channels} channel(s){}",
        if *channels == 4 { ", or 3 as seen over white" } else { "" }
    )]
    TargetShape {
        /// Shape of the targets.
        found: [usize; 4],
        /// The generator's color channels.
        channels: usize,
        /// The generator's image side.
        resolution: usize,
    },
    /// There is no target.
    #[error("there is no image to invert: the batch of targets is empty; give at least one")]
    NoTargets,
    /// LPIPS takes RGB; a gray image is repeated to three channels, one with opacity is seen over white, and other
    /// images have no such reading.
    #[error(
        "this generator makes images of {channels} channels; only gray (1), RGB (3) and RGB with opacity (4) can be compared"
    )]
    Channels {
        /// The generator's color channels.
        channels: usize,
    },
    /// LPIPS refused the targets.
    #[error(transparent)]
    Lpips(#[from] LpipsError),
    /// Random latents of the generator have no density: they do not fill their space, or are not finite.
    #[error("the prior of the latents: {0}; leave the prior out")]
    Prior(#[from] StatsError),
    /// There is no block behind which features can be changed.
    #[error(
        "block {found} of a generator of {resolution}x{resolution}: expected one of {expected:?}, the sides of the blocks before the last"
    )]
    NoSuchBlock {
        /// Side of the block that was asked for.
        found: usize,
        /// Side of the images.
        resolution: usize,
        /// Sides of the blocks that can be changed.
        expected: Vec<usize>,
    },
    /// The latents are not those of the targets.
    #[error("the latents have shape {found:?}, expected {expected:?}")]
    LatentShape {
        /// Shape of the given latents.
        found: [usize; 3],
        /// What fits.
        expected: [usize; 3],
    },
    /// No change of weights is small enough.
    #[error(
        "a change of the generator's weights takes more than {bytes} bytes even at rank 1; allow more"
    )]
    NoRank {
        /// Bytes that it may take.
        bytes: u64,
    },
    /// A setting is out of its range.
    #[error("{setting} is {found}, expected {expected}")]
    Setting {
        /// Which setting.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// Given start latents do not fit.
    #[error(
        "the start latents have shape {found:?}, expected [1 or {batch}, {latents}, {w_dim}] for {batch} target(s) in this space"
    )]
    StartShape {
        /// Shape of the given latents.
        found: [usize; 3],
        /// Number of targets.
        batch: usize,
        /// Latents of an image in the chosen space, such as `10` or `1 or 10`.
        latents: String,
        /// Features of a latent.
        w_dim: usize,
    },
    /// Given start noise images do not fit.
    #[error(
        "the start noise images have shapes {found:?}, but this generator with {batch} target(s) takes {expected:?} (batch 1 is enough)"
    )]
    NoiseShape {
        /// Shapes of the given images.
        found: Vec<[usize; 4]>,
        /// Number of targets.
        batch: usize,
        /// Shapes that fit.
        expected: Vec<[usize; 4]>,
    },
    /// The noise images are to be optimized, and the generator has none.
    #[error(
        "this generator adds no noise images, so there are none to optimize; choose constant noise or none"
    )]
    NoNoise,
    /// A loss is NaN or infinite and none before was less than that of the start, so there is no result.
    #[error(
        "image {image}: the loss is not finite at step {step}, before it has fallen below that of the start; check that the image and the generator's weights \
         are finite and the learning rate is not too large"
    )]
    NonFiniteLoss {
        /// Index in the batch.
        image: usize,
        /// Step at which it was first not finite.
        step: usize,
    },
}
