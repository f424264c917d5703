use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stylegan2::GeneratorConfig;
use vision_aided_finetune::{
    Annealing, DiffAugment, ProgressiveStage, TrainingConfig, TrainingError,
};

use crate::Error;
use crate::numbers::{self, check_not_negative, check_positive, check_share};
#[cfg(feature = "clap")]
use crate::numbers::{minutes, not_negative, positive, share};
use crate::quality::FRECHET_IMAGES;
use crate::runs::vision_networks::VisionNetwork;
use crate::shard::Shard;

/// What is trained, on what, and how.
///
/// What is absent was not asked for: a new run takes the default that is said with it, a resumed one what it was
/// started with. Only what is there is written down as the run's [`Provenance`](crate::runs::provenance::Provenance).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct Options {
    /// Style of the zoo (`funEmoji`), `base` for the model of all styles that the others start from, or `all` to work
    /// through the whole zoo a turn at a time; `weights/zoo/render` draws the images
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "NAME", conflicts_with = "images")
    )]
    pub zoo: Option<String>,
    /// Images to train on: folders, .zip or .tar archives (also the official dataset tool's) or packed files
    #[cfg_attr(feature = "clap", arg(long, value_name = "PATH", num_args = 1..))]
    pub images: Vec<PathBuf>,
    /// Leave out images that cannot be read, and say so
    #[cfg_attr(feature = "clap", arg(long))]
    pub skip_bad: bool,
    /// Where the run is kept: checkpoint, history, samples and the trained networks [default: out/train/NAME]; with
    /// --zoo all a folder of runs
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub out: Option<PathBuf>,
    /// Length of the run, in thousands of images; with --zoo all of every style's [default: 150 for each of --zoo all,
    /// 36 for a style that starts from weights, 12 without arguments, else 90]
    #[cfg_attr(feature = "clap", arg(long, value_name = "K", value_parser = positive))]
    pub kimg: Option<f64>,
    /// Continue the run in --out
    #[cfg_attr(feature = "clap", arg(long))]
    pub resume: bool,
    /// Start from this generator: a name of the zoo, a checkpoint of any known format, or another run's
    /// training.safetensors, of which all networks are taken [default: the zoo's base model for a style, else random
    /// weights]
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME|FILE"))]
    pub generator: Option<String>,
    /// Start from this discriminator [default: the one in the generator's file or beside it, else random weights]
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub discriminator: Option<PathBuf>,
    /// Image side for networks that start from random weights [default: 64]
    #[cfg_attr(feature = "clap", arg(long, value_name = "PIXELS"))]
    pub resolution: Option<usize>,
    /// Feature maps at a side of P pixels are the smaller of N / P and --channel-max, in networks that start from random
    /// weights [default: 1024]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub channel_base: Option<usize>,
    /// The most feature maps of a layer, in networks that start from random weights [default: 64]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub channel_max: Option<usize>,
    /// Stages of lower resolution to go through first, each until so many thousand images were shown; `none` for none
    /// [default: for the zoo 16:20,32:50 from random weights, 32:8 from the base, which itself has 16:40,32:90; else
    /// none]
    #[cfg_attr(feature = "clap", arg(long, value_name = "SIDE:K,.."))]
    pub progressive: Option<Stages>,
    /// Leave the first N discriminator layers, from the image on, as they are (Freeze-D) [default: 0]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub freeze_layers: Option<usize>,
    /// Images of a batch [default: 8]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub batch: Option<usize>,
    /// Learning rate of both networks [default: 0.0025]
    #[cfg_attr(feature = "clap", arg(long, value_name = "RATE", value_parser = positive))]
    pub learning_rate: Option<f64>,
    /// Weight of R1, in the images' own size [default: 5]
    #[cfg_attr(feature = "clap", arg(long, value_name = "GAMMA", value_parser = not_negative))]
    pub gamma: Option<f64>,
    /// Weight of R2, the same penalty at generated images [default: 0]
    #[cfg_attr(feature = "clap", arg(long, value_name = "GAMMA", value_parser = not_negative))]
    pub r2_gamma: Option<f64>,
    /// Losses that compare every generated image with a real one
    #[cfg_attr(feature = "clap", arg(long))]
    pub relativistic: bool,
    /// Weight of what generated images have more than real ones of small steps between neighboring pixels; makes areas
    /// of one color even [default: 0]
    #[cfg_attr(feature = "clap", arg(long, value_name = "WEIGHT", value_parser = not_negative))]
    pub flatness_weight: Option<f64>,
    /// Weight of the path length penalty, 2 in StyleGAN2; 0 leaves it out [default: 0]
    #[cfg_attr(feature = "clap", arg(long, value_name = "WEIGHT", value_parser = not_negative))]
    pub path_length_weight: Option<f64>,
    /// Share of batches in which the later layers get other latents, 0.9 in StyleGAN2; networks as small as the zoo's
    /// learn more without [default: 0]
    #[cfg_attr(feature = "clap", arg(long, value_name = "SHARE", value_parser = share))]
    pub style_mixing: Option<f64>,
    /// Half-life of the generator's running average, in thousands of images; short runs from weights want a shorter one
    /// [default: 2.5 for batches of 8, in proportion to the batch]
    #[cfg_attr(feature = "clap", arg(long, value_name = "K", value_parser = positive))]
    pub average_kimg: Option<f64>,
    /// Half-life of a second running average, in thousands of images
    #[cfg_attr(feature = "clap", arg(long, value_name = "K", value_parser = positive))]
    pub slow_average_kimg: Option<f64>,
    /// The discriminator's step sees the images of the generator's step, which saves a pass through the generator
    #[cfg_attr(feature = "clap", arg(long))]
    pub shared_images: bool,
    /// Learning rates that fall by the factor RATE from one length of the run to another, in thousands of images, and
    /// the weight of R1 by R1
    #[cfg_attr(feature = "clap", arg(long, value_name = "FROM:TO:RATE[:R1]"))]
    pub anneal: Option<Annealing>,
    /// Augmentations of what the discriminator sees: any of color,translation,cutout [default: none]
    #[cfg_attr(feature = "clap", arg(long, value_name = "LIST"))]
    pub augment: Option<DiffAugment>,
    /// Discriminators on frozen networks beside the image discriminator, `NAME` or `NAME=FILE`: efficientnet_lite0,
    /// vgg16, clip_vit_b32, dino_vit_b16 (the last two need a file)
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "LIST", value_delimiter = ',')
    )]
    pub vision_aided: Vec<VisionNetwork>,
    /// Side of the images that frozen networks see; 224 as published, smaller ones are faster [default: 64]
    #[cfg_attr(feature = "clap", arg(long, value_name = "PIXELS"))]
    pub vision_aided_input: Option<usize>,
    /// Bound on what frozen networks send to the generator's images, as a multiple of the image discriminator's
    /// gradient there; 0 for none, as published [default: 1]
    #[cfg_attr(feature = "clap", arg(long, value_name = "RATIO", value_parser = not_negative))]
    pub vision_aided_balance: Option<f64>,
    /// Augmentations of what frozen networks see [default: color,translation,cutout]
    #[cfg_attr(feature = "clap", arg(long, value_name = "LIST"))]
    pub vision_aided_augment: Option<DiffAugment>,
    /// Flip half of the images left to right
    #[cfg_attr(feature = "clap", arg(long))]
    pub mirror: bool,
    /// Train with noise images (flat art is better without)
    #[cfg_attr(feature = "clap", arg(long))]
    pub noise: bool,
    /// Write a grid of samples and the plot every so many thousand images
    #[cfg_attr(feature = "clap", arg(long, value_name = "K", default_value_t = Options::default().snapshot_kimg, value_parser = positive))]
    pub snapshot_kimg: f64,
    /// Write the checkpoint every so many minutes
    #[cfg_attr(feature = "clap", arg(long, value_name = "MINUTES", default_value_t = Options::default().checkpoint_minutes, value_parser = minutes))]
    pub checkpoint_minutes: f64,
    /// At the end of a --zoo run, put model, discriminator, samples and card into weights/zoo/NAME (with --zoo all,
    /// every model that has become clearly better, with learning rates annealed over a last few thousand images)
    #[cfg_attr(feature = "clap", arg(long, requires = "zoo"))]
    pub publish: bool,
    /// With --zoo all, thousands of images that a style gets before the next one's turn
    #[cfg_attr(feature = "clap", arg(long, value_name = "K", default_value_t = Options::default().turn_kimg, value_parser = positive))]
    pub turn_kimg: f64,
    /// With --zoo all, the I-th of N parts of its styles
    #[cfg_attr(feature = "clap", arg(long, value_name = "I/N", default_value_t))]
    pub shard: Shard,
    /// Samples, and the most training images, that --publish measures the Fréchet distance with
    #[cfg_attr(feature = "clap", arg(long, value_name = "N", default_value_t = Options::default().frechet_images, value_parser = clap::value_parser!(u32).range(2..)))]
    pub frechet_images: u32,
    /// Seed of everything random; 0 without
    #[cfg_attr(feature = "clap", arg(skip))]
    pub seed: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            zoo: None,
            images: Vec::new(),
            skip_bad: false,
            out: None,
            kimg: None,
            resume: false,
            generator: None,
            discriminator: None,
            resolution: None,
            channel_base: None,
            channel_max: None,
            progressive: None,
            freeze_layers: None,
            batch: None,
            learning_rate: None,
            gamma: None,
            r2_gamma: None,
            relativistic: false,
            flatness_weight: None,
            path_length_weight: None,
            style_mixing: None,
            average_kimg: None,
            slow_average_kimg: None,
            shared_images: false,
            anneal: None,
            augment: None,
            vision_aided: Vec::new(),
            vision_aided_input: None,
            vision_aided_balance: None,
            vision_aided_augment: None,
            mirror: false,
            noise: false,
            snapshot_kimg: 20.0,
            checkpoint_minutes: 5.0,
            publish: false,
            turn_kimg: 12.0,
            shard: Shard::WHOLE,
            frechet_images: FRECHET_IMAGES,
            seed: None,
        }
    }
}

const RESOLUTION: usize = 64;
const CHANNEL_BASE: usize = 1024;
const CHANNEL_MAX: usize = 64;
const BATCH: usize = 8;
const LEARNING_RATE: f64 = 0.0025;
const GAMMA: f64 = 5.0;
const VISION_AIDED_BALANCE: f64 = 1.0;
const VISION_AIDED_INPUT: usize = 64;

/// Stages of lower resolution that training goes through, in their order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stages(pub Vec<ProgressiveStage>);

impl fmt::Display for Stages {
    /// What [`from_str`](FromStr::from_str) reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stages: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        match stages.is_empty() {
            true => f.write_str(NO_STAGES),
            false => f.write_str(&stages.join(",")),
        }
    }
}

const NO_STAGES: &str = "none";

impl FromStr for Stages {
    type Err = TrainingError;

    /// Reads stages as [`ProgressiveStage`] has them, with commas between, or `none`.
    fn from_str(text: &str) -> Result<Self, TrainingError> {
        if text == NO_STAGES {
            return Ok(Self::default());
        }
        let stages = text.split(',').map(str::parse);
        Ok(Self(stages.collect::<Result<_, _>>()?))
    }
}

/// Stands for all styles of the zoo.
const WHOLE_ZOO: &str = "all";

impl Options {
    /// Whether the values can be used, as far as that can be said before anything is opened.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] names the first that cannot.
    pub fn validate(&self) -> Result<(), Error> {
        let positive = [
            ("kimg", self.kimg),
            ("learning_rate", self.learning_rate),
            ("average_kimg", self.average_kimg),
            ("slow_average_kimg", self.slow_average_kimg),
            ("snapshot_kimg", Some(self.snapshot_kimg)),
            ("checkpoint_minutes", Some(self.checkpoint_minutes)),
            ("turn_kimg", Some(self.turn_kimg)),
        ];
        for (option, value) in positive {
            value.map_or(Ok(()), |value| check_positive(option, value))?;
        }
        for (option, value) in [
            ("gamma", self.gamma),
            ("r2_gamma", self.r2_gamma),
            ("flatness_weight", self.flatness_weight),
            ("vision_aided_balance", self.vision_aided_balance),
            ("path_length_weight", self.path_length_weight),
        ] {
            value.map_or(Ok(()), |value| check_not_negative(option, value))?;
        }
        self.style_mixing
            .map_or(Ok(()), |value| check_share("style_mixing", value))?;
        if self.frechet_images < 2 {
            return Err(Error::option(
                "frechet_images",
                self.frechet_images,
                "expected at least 2",
            ));
        }
        match (&self.zoo, self.images.is_empty(), self.publish) {
            (Some(zoo), false, _) => Err(Error::option(
                "zoo",
                zoo,
                "a style has its own images; leave out one of them",
            )),
            (None, _, true) => Err(Error::option(
                "publish",
                "",
                "only styles of the zoo have cards; name one",
            )),
            _ => Ok(()),
        }
    }

    /// Whether all styles of the zoo are to be trained in turns.
    pub fn whole_zoo(&self) -> bool {
        self.zoo.as_deref() == Some(WHOLE_ZOO)
    }

    /// Image side for networks that start from random weights.
    pub(super) fn resolution(&self) -> usize {
        self.resolution.unwrap_or(RESOLUTION)
    }

    /// Feature maps of the last layers times the side of their images.
    pub(super) fn channel_base(&self) -> usize {
        self.channel_base.unwrap_or(CHANNEL_BASE)
    }

    /// The most feature maps of a layer.
    pub(super) fn channel_max(&self) -> usize {
        self.channel_max.unwrap_or(CHANNEL_MAX)
    }

    /// Images of a batch.
    pub(super) fn batch(&self) -> usize {
        self.batch.unwrap_or(BATCH)
    }

    /// Discriminator layers that stay as they are.
    pub(super) fn freeze_layers(&self) -> usize {
        self.freeze_layers.unwrap_or(0)
    }

    /// Side of the images that frozen networks see.
    pub(super) fn vision_aided_input(&self) -> usize {
        self.vision_aided_input.unwrap_or(VISION_AIDED_INPUT)
    }

    /// Augmentations of what frozen networks see.
    fn vision_aided_augment(&self) -> DiffAugment {
        self.vision_aided_augment.unwrap_or(DiffAugment {
            color: true,
            translation: true,
            cutout: true,
        })
    }

    /// Between two checkpoints.
    pub(super) fn checkpoint_interval(&self) -> Duration {
        numbers::duration(self.checkpoint_minutes).unwrap_or(Duration::MAX)
    }

    /// The stages that were asked for, or those of `defaults` that are smaller than the images.
    pub(super) fn stages(&self, defaults: &[ProgressiveStage]) -> Vec<ProgressiveStage> {
        match &self.progressive {
            Some(stages) => stages.0.clone(),
            None => defaults
                .iter()
                .copied()
                .filter(|stage| stage.resolution < self.resolution())
                .collect(),
        }
    }

    /// A generator that starts from random weights; the zoo's has 275,144 parameters at 64x64 pixels.
    pub(super) fn generator_config(&self, side: usize) -> GeneratorConfig {
        GeneratorConfig::new(side)
            .with_z_dim(64)
            .with_w_dim(64)
            .with_mapping_layers(2)
            .with_channel_base(self.channel_base())
            .with_channel_max(self.channel_max())
    }

    /// The trainer's options for a new run, but for the stages; `from_weights` where the generator does not start from
    /// random weights.
    pub(super) fn training_config(&self, from_weights: bool) -> TrainingConfig {
        let defaults = TrainingConfig::default();
        let batch = self.batch();
        let learning_rate = self.learning_rate.unwrap_or(LEARNING_RATE);
        let mut average = defaults.average;
        average.kimg = self
            .average_kimg
            .unwrap_or(average.kimg * batch as f64 / defaults.batch_size as f64);
        if from_weights {
            // As in the official code: the average of trained weights is worth keeping.
            average.rampup = None;
        }
        let mut config = TrainingConfig {
            seed: u64::from(self.seed.unwrap_or_default()),
            batch_size: batch,
            r1_gamma: self.gamma.unwrap_or(GAMMA),
            r2_gamma: self.r2_gamma.unwrap_or(0.0),
            flatness_weight: self.flatness_weight.unwrap_or(0.0),
            relativistic: self.relativistic,
            path_length_weight: self.path_length_weight.unwrap_or(0.0),
            path_length_batch_shrink: defaults.path_length_batch_shrink.min(batch),
            style_mixing_probability: self.style_mixing.unwrap_or(0.0),
            average,
            slow_average_kimg: self.slow_average_kimg,
            shared_images: self.shared_images,
            annealing: self.anneal,
            augment: self.augment.unwrap_or_default(),
            mirror: self.mirror,
            noise: self.noise,
            ..defaults
        };
        config.generator_adam.learning_rate = learning_rate;
        config.discriminator_adam.learning_rate = learning_rate;
        config.vision_aided.adam.learning_rate = learning_rate;
        config.vision_aided.augment = self.vision_aided_augment();
        config.vision_aided.average_levels = true;
        let balance = self.vision_aided_balance.unwrap_or(VISION_AIDED_BALANCE);
        config.vision_aided.balance = (balance > 0.0).then_some(balance);
        config
    }
}

#[cfg(all(test, feature = "clap"))]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;
    use crate::train::command_line::written as options;

    #[test]
    fn numbers_out_of_range_are_refused_with_the_option() {
        for option in [
            "--kimg",
            "--snapshot-kimg",
            "--checkpoint-minutes",
            "--learning-rate",
        ] {
            for value in ["-1", "0", "nan", "inf", "much"] {
                let error = options(&[&format!("{option}={value}")]).unwrap_err();
                assert!(error.to_string().contains(option), "{error}");
            }
        }
        assert!(options(&["--checkpoint-minutes=1e30"]).is_err());
        assert!(options(&["--gamma=-1"]).is_err());
        assert_eq!(options(&["--gamma=0"]).unwrap().gamma, Some(0.0));
        assert_eq!(
            options(&[]).unwrap().checkpoint_interval(),
            Duration::from_secs(300)
        );
    }
}
