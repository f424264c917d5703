use std::path::PathBuf;

use ganspace::Easing;
use serde::{Deserialize, Serialize};

use crate::invert::Settings;
use crate::latents::LatentSource;
use crate::{DEFAULT_MODEL, Error};

/// Between what, in which models, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct Options {
    /// A model of the zoo, or a generator file
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().model))]
    pub model: String,
    /// Where the path starts: a seed, a file of latents, or an image (also a folder or archive with one)
    #[cfg_attr(
        feature = "clap",
        arg(long, default_value = "0", value_name = "LATENT")
    )]
    pub from: LatentSource,
    /// Where it ends
    #[cfg_attr(
        feature = "clap",
        arg(long, default_value = "1", value_name = "LATENT")
    )]
    pub to: LatentSource,
    /// What it passes between; all images of a folder or archive
    #[cfg_attr(feature = "clap", arg(long, value_name = "LATENT", num_args = 1..))]
    pub via: Vec<LatentSource>,
    /// Leave out images that cannot be read, and say so
    #[cfg_attr(feature = "clap", arg(long))]
    pub skip_bad: bool,
    /// Number of frames
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().frames, value_parser = clap::value_parser!(u16).range(2..)))]
    pub frames: u16,
    /// A straight line, or for each layer a great circle about the mean latent
    #[cfg_attr(feature = "clap", arg(long, value_enum, default_value_t))]
    pub interpolation: InterpolationChoice,
    /// Course in time from each latent to the next
    #[cfg_attr(feature = "clap", arg(long, value_enum, default_value_t))]
    pub easing: EasingChoice,
    /// Go back to the start: an animation without a jump
    #[cfg_attr(feature = "clap", arg(long = "loop"))]
    #[serde(rename = "loop")]
    pub closed: bool,
    /// Space the frames so that the image changes by even amounts
    #[cfg_attr(feature = "clap", arg(long))]
    pub even: bool,
    /// Measure the same path in these models too: the same seeds, the same images inverted, or latents of the same
    /// shape
    #[cfg_attr(feature = "clap", arg(long, value_name = "MODEL", num_args = 1..))]
    pub compare: Vec<String>,
    /// Truncation of seeds: 1 leaves latents as they are, smaller values pull them to the mean
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().truncation_psi, allow_negative_numbers = true))]
    pub truncation_psi: f32,
    /// Class of a conditional model's seeds, counted from 0
    #[cfg_attr(feature = "clap", arg(long))]
    pub class: Option<usize>,
    /// Frames shown in a second; a GIF counts in steps of 10 ms
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().fps, value_parser = clap::value_parser!(u8).range(1..=100)))]
    pub fps: u8,
    /// Write no MP4
    #[cfg_attr(feature = "clap", arg(long))]
    pub no_mp4: bool,
    /// How images are inverted; its `batch` is also that of frames.
    #[cfg_attr(feature = "clap", command(flatten))]
    pub inversion: Settings,
    /// Seed of what is random in inversions
    #[cfg_attr(feature = "clap", arg(skip))]
    pub seed: u32,
    /// Folder for the pictures; those of an earlier run with the same model are replaced. None are written without
    #[cfg_attr(feature = "clap", arg(skip))]
    pub out: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            model: DEFAULT_MODEL.to_owned(),
            from: LatentSource::Seed(0),
            to: LatentSource::Seed(1),
            via: Vec::new(),
            skip_bad: false,
            frames: 60,
            interpolation: InterpolationChoice::default(),
            easing: EasingChoice::default(),
            closed: false,
            even: false,
            compare: Vec::new(),
            truncation_psi: 1.0,
            class: None,
            fps: 25,
            no_mp4: false,
            inversion: Settings::default(),
            seed: 0,
            out: None,
        }
    }
}

impl Options {
    /// Whether the values make sense together, as far as that can be said before the models are known.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] names the first that does not; also as [`Settings::validate`].
    pub fn validate(&self) -> Result<(), Error> {
        if self.frames < 2 {
            return Err(Error::option("frames", self.frames, "expected at least 2"));
        }
        if !(1..=100).contains(&self.fps) {
            return Err(Error::option("fps", self.fps, "expected 1 to 100"));
        }
        self.inversion.validate()
    }
}

/// The way between two latents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum InterpolationChoice {
    /// A straight line
    #[default]
    Linear,
    /// For each layer a great circle about the mean latent
    Slerp,
}

/// The course in time from a latent to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum EasingChoice {
    /// Even speed
    #[default]
    Linear,
    /// From rest to rest, half a wave of the cosine
    Cosine,
    /// From rest to rest, cubic
    Smoothstep,
    /// From rest to rest, of fifth degree
    Smootherstep,
}

impl EasingChoice {
    /// As [`ganspace::Path`] takes it.
    pub fn easing(self) -> Easing {
        match self {
            Self::Linear => Easing::Linear,
            Self::Cosine => Easing::Cosine,
            Self::Smoothstep => Easing::SmoothStep,
            Self::Smootherstep => Easing::SmootherStep,
        }
    }
}
