//! Command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use ganspace::Easing;

use examples::CommonArgs;
use examples::image_sets::BadImageArgs;
use examples::inversion_args::InversionArgs;
use examples::latents::LatentSource;
use ganymede::DEFAULT_MODEL;

/// Interpolate between images of a StyleGAN2 model, and measure how smooth the way is
///
/// Latents are seeds, files that `invert` wrote, or images, which are inverted first with the options of an inversion below. Writes the frames as PNG, a GIF, an
/// MP4 where ffmpeg is on the PATH, a strip of frames and the steps' sizes as SVG. Smoothness is measured by LPIPS between successive frames: the perceptual
/// path length (mean of LPIPS over the squared step) and the largest step over the mean step.
#[derive(Parser, Debug)]
#[command(name = "interpolate")]
pub struct Options {
    /// A model of the zoo, or a generator file
    #[arg(long, default_value = DEFAULT_MODEL)]
    pub model: String,
    /// Where the path starts: a seed, a file of latents, or an image (also a folder or archive with one)
    #[arg(long, default_value = "0", value_name = "LATENT")]
    pub from: LatentSource,
    /// Where it ends
    #[arg(long, default_value = "1", value_name = "LATENT")]
    pub to: LatentSource,
    /// What it passes between; all images of a folder or archive
    #[arg(long, value_name = "LATENT", num_args = 1..)]
    pub via: Vec<LatentSource>,
    #[command(flatten)]
    pub bad_images: BadImageArgs,
    /// Number of frames
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(2..))]
    frames: u16,
    /// A straight line, or for each layer a great circle about the mean latent
    #[arg(long, value_enum, default_value_t = InterpolationChoice::Linear)]
    pub interpolation: InterpolationChoice,
    /// Course in time from each latent to the next
    #[arg(long, value_enum, default_value_t = EasingChoice::Linear)]
    pub easing: EasingChoice,
    /// Go back to the start: an animation without a jump
    #[arg(long = "loop")]
    pub closed: bool,
    /// Space the frames so that the image changes by even amounts
    #[arg(long)]
    pub even: bool,
    /// Measure the same path in these models too: the same seeds, the same images inverted, or latents of the same shape
    #[arg(long, value_name = "MODEL", num_args = 1..)]
    pub compare: Vec<String>,
    /// Truncation of seeds: 1 leaves latents as they are, smaller values pull them to the mean
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    pub truncation_psi: f32,
    /// Class of a conditional model's seeds, counted from 0
    #[arg(long)]
    pub class: Option<usize>,
    /// Frames shown in a second; a GIF counts in steps of 10 ms
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub fps: u8,
    /// Write no MP4
    #[arg(long)]
    pub no_mp4: bool,
    /// Folder for the pictures; those of an earlier run with the same model are replaced
    #[arg(long, default_value = "out/interpolate", value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub inversion: InversionArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

impl Options {
    pub fn frames(&self) -> usize {
        usize::from(self.frames)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InterpolationChoice {
    Linear,
    Slerp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EasingChoice {
    /// Even speed
    Linear,
    /// From rest to rest, half a wave of the cosine
    Cosine,
    /// From rest to rest, cubic
    Smoothstep,
    /// From rest to rest, of fifth degree
    Smootherstep,
}

impl EasingChoice {
    pub fn easing(self) -> Easing {
        match self {
            Self::Linear => Easing::Linear,
            Self::Cosine => Easing::Cosine,
            Self::Smoothstep => Easing::SmoothStep,
            Self::Smootherstep => Easing::SmootherStep,
        }
    }
}
