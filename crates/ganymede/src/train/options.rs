use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{FromArgMatches, Parser};
use vision_aided_finetune::{Annealing, DiffAugment, ProgressiveStage, TrainingConfig};

use examples::CommonArgs;
use examples::image_sets::BadImageArgs;
use examples::numbers::{minutes, not_negative, positive, share};
use examples::quality::FRECHET_IMAGES;
use examples::shard::Shard;
use examples::training::vision_networks::VisionNetwork;

/// Trains a StyleGAN2 on a folder of images, a packed file, or a style of the zoo.
///
/// Without arguments it trains one style of the zoo for a few kimg, to show what it writes. Ctrl-C stops after the iteration and
/// saves; --resume continues exactly where a run was, with the options it was started with. Of these, --learning-rate, --gamma,
/// --path-length-weight, --style-mixing, --average-kimg, --augment and --vision-aided-augment can be given anew.
#[derive(Debug, Parser)]
#[command(name = "train")]
pub struct Options {
    /// Style of the zoo (`funEmoji`), `base` for the model of all styles that the others start from, or `all` to work through the whole zoo a turn
    /// at a time; `weights/zoo/render` draws the images
    #[arg(long, value_name = "NAME", conflicts_with = "images")]
    pub zoo: Option<String>,

    /// Images to train on: folders, .zip or .tar archives (also the official dataset tool's) or packed files
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub images: Vec<PathBuf>,

    #[command(flatten)]
    pub bad_images: BadImageArgs,

    /// Where the run is kept: checkpoint, history, samples and the trained networks [default: out/train/NAME]; with --zoo all a folder of runs
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Length of the run, in thousands of images; with --zoo all of every style's [default: 150 for each of --zoo all, 36 for a style that starts from weights, 12 without arguments, else 90]
    #[arg(long, value_name = "K", value_parser = positive)]
    pub kimg: Option<f64>,

    /// Continue the run in --out
    #[arg(long)]
    pub resume: bool,

    /// Start from this generator: a name of the zoo, a checkpoint of any known format, or another run's training.safetensors, of which all networks
    /// are taken [default: the zoo's base model for a style, else random weights]
    #[arg(long, value_name = "NAME|FILE")]
    pub generator: Option<String>,

    /// Start from this discriminator [default: the one in the generator's file or beside it, else random weights]
    #[arg(long, value_name = "FILE")]
    pub discriminator: Option<PathBuf>,

    /// Image side for networks that start from random weights
    #[arg(long, value_name = "PIXELS", default_value_t = 64)]
    pub resolution: usize,

    /// Stages of lower resolution to go through first, each until so many thousand images were shown; `none` for none
    /// [default: for the zoo 16:20,32:50 from random weights, 32:8 from the base, which itself has 16:40,32:90; else none]
    #[arg(long, value_name = "SIDE:K,..", value_parser = stages)]
    pub progressive: Option<Stages>,

    /// Leave the first N discriminator layers, from the image on, as they are (Freeze-D)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub freeze_layers: usize,

    /// Images of a batch
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub batch: usize,

    /// Learning rate of both networks
    #[arg(long, value_name = "RATE", default_value_t = 0.0025, value_parser = positive)]
    pub learning_rate: f64,

    /// Weight of R1, in the images' own size
    #[arg(long, value_name = "GAMMA", default_value_t = 5.0, value_parser = not_negative)]
    pub gamma: f64,

    /// Weight of the path length penalty, 2 in StyleGAN2; 0 leaves it out
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.0, value_parser = not_negative)]
    pub path_length_weight: f64,

    /// Share of batches in which the later layers get other latents, 0.9 in StyleGAN2; networks as small as the zoo's learn more without
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub style_mixing: f64,

    /// Half-life of the generator's running average, in thousands of images; short runs from weights want a shorter one
    /// [default: 2.5 for batches of 8, in proportion to the batch]
    #[arg(long, value_name = "K", value_parser = positive)]
    pub average_kimg: Option<f64>,

    /// Half-life of a second running average, in thousands of images
    #[arg(long, value_name = "K", value_parser = positive)]
    pub slow_average_kimg: Option<f64>,

    /// The discriminator's step sees the images of the generator's step, which saves a pass through the generator
    #[arg(long)]
    pub shared_images: bool,

    /// Learning rates that fall by the factor RATE from one length of the run to another, in thousands of images, and the weight of R1 by R1
    #[arg(long, value_name = "FROM:TO:RATE[:R1]")]
    pub anneal: Option<Annealing>,

    /// Augmentations of what the discriminator sees: any of color,translation,cutout
    #[arg(long, value_name = "LIST", default_value = "")]
    pub augment: DiffAugment,

    /// Discriminators on frozen networks beside the image discriminator, `NAME` or `NAME=FILE`: efficientnet_lite0, vgg16, clip_vit_b32, dino_vit_b16
    /// (the last two need a file)
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub vision_aided: Vec<VisionNetwork>,

    /// Side of the images that frozen networks see; 224 as published, smaller ones are faster
    #[arg(long, value_name = "PIXELS", default_value_t = 64)]
    pub vision_aided_input: usize,

    /// Augmentations of what frozen networks see
    #[arg(long, value_name = "LIST", default_value = "color,translation,cutout")]
    pub vision_aided_augment: DiffAugment,

    /// Flip half of the images left to right
    #[arg(long)]
    pub mirror: bool,

    /// Train with noise images (flat art is better without)
    #[arg(long)]
    pub noise: bool,

    /// Write a grid of samples and the plot every so many thousand images
    #[arg(long, value_name = "K", default_value_t = 20.0, value_parser = positive)]
    pub snapshot_kimg: f64,

    /// Write the checkpoint every so many minutes
    #[arg(long, value_name = "MINUTES", default_value = "5", value_parser = minutes)]
    pub checkpoint_minutes: Duration,

    /// At the end of a --zoo run, put model, discriminator, samples and card into weights/zoo/NAME
    /// (with --zoo all, every model that has become clearly better, with learning rates annealed over a last few thousand images)
    #[arg(long, requires = "zoo")]
    pub publish: bool,

    /// With --zoo all, thousands of images that a style gets before the next one's turn
    #[arg(long, value_name = "K", default_value_t = 12.0, value_parser = positive)]
    pub turn_kimg: f64,

    /// With --zoo all, the I-th of N parts of its styles
    #[arg(long, value_name = "I/N", default_value_t = Shard::WHOLE)]
    pub shard: Shard,

    /// Samples, and the most training images, that --publish measures the Fréchet distance with
    #[arg(long, value_name = "N", default_value_t = FRECHET_IMAGES, value_parser = clap::value_parser!(u32).range(2..))]
    pub frechet_images: u32,

    #[command(flatten)]
    pub common: CommonArgs,

    /// Identifiers of the options that were written, as against those that have their defaults.
    #[arg(skip)]
    given: BTreeSet<String>,
}

/// Stages of lower resolution, as one option.
#[derive(Clone, Debug, PartialEq)]
pub struct Stages(Vec<ProgressiveStage>);

impl std::fmt::Display for Stages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stages: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        match stages.is_empty() {
            true => f.write_str(NO_STAGES),
            false => f.write_str(&stages.join(",")),
        }
    }
}

const NO_STAGES: &str = "none";

/// Stands for all styles of the zoo.
const WHOLE_ZOO: &str = "all";

impl Options {
    /// Reads arguments, the program's name first.
    pub fn parse_from_args<A: Into<OsString> + Clone>(
        args: impl IntoIterator<Item = A>,
    ) -> Result<Self, clap::Error> {
        let mut matches = examples::command::<Self>().try_get_matches_from(args)?;
        let given = matches
            .ids()
            .map(clap::Id::as_str)
            .filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine))
            .map(str::to_owned)
            .collect();
        let options = Self::from_arg_matches_mut(&mut matches)?;
        Ok(Self { given, ..options })
    }

    /// Whether all styles of the zoo are to be trained in turns.
    pub fn whole_zoo(&self) -> bool {
        self.zoo.as_deref() == Some(WHOLE_ZOO)
    }

    /// Whether an option was written, as against having its default.
    pub fn is_given(&self, option: &str) -> bool {
        self.given.contains(option)
    }

    /// Whether the image side was written, as against its default.
    pub fn resolution_is_given(&self) -> bool {
        self.is_given("resolution")
    }

    /// The stages that were asked for, or those of `defaults` that are smaller than the images.
    pub fn stages(&self, defaults: &[ProgressiveStage]) -> Vec<ProgressiveStage> {
        match &self.progressive {
            Some(stages) => stages.0.clone(),
            None => defaults
                .iter()
                .copied()
                .filter(|stage| stage.resolution < self.resolution)
                .collect(),
        }
    }

    /// The trainer's options for a new run, but for the stages; `from_weights` where the generator does not start from random weights.
    pub fn training_config(&self, from_weights: bool) -> TrainingConfig {
        let defaults = TrainingConfig::default();
        let mut average = defaults.average;
        average.kimg = self
            .average_kimg
            .unwrap_or(average.kimg * self.batch as f64 / defaults.batch_size as f64);
        if from_weights {
            // As in the official code: the average of trained weights is worth keeping.
            average.rampup = None;
        }
        let mut config = TrainingConfig {
            seed: u64::from(self.common.seed),
            batch_size: self.batch,
            r1_gamma: self.gamma,
            path_length_weight: self.path_length_weight,
            path_length_batch_shrink: defaults.path_length_batch_shrink.min(self.batch),
            style_mixing_probability: self.style_mixing,
            average,
            slow_average_kimg: self.slow_average_kimg,
            shared_images: self.shared_images,
            annealing: self.anneal,
            augment: self.augment,
            mirror: self.mirror,
            noise: self.noise,
            ..defaults
        };
        config.generator_adam.learning_rate = self.learning_rate;
        config.discriminator_adam.learning_rate = self.learning_rate;
        config.vision_aided.adam.learning_rate = self.learning_rate;
        config.vision_aided.augment = self.vision_aided_augment;
        config
    }
}

fn stages(text: &str) -> Result<Stages, String> {
    if text == NO_STAGES {
        return Ok(Stages(Vec::new()));
    }
    let stages = text.split(',').map(|stage| {
        stage
            .parse()
            .map_err(|e: vision_aided_finetune::TrainingError| e.to_string())
    });
    Ok(Stages(stages.collect::<Result<_, _>>()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Result<Options, clap::Error> {
        Options::parse_from_args([&["train"], args].concat())
    }

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
        assert_eq!(options(&["--gamma=0"]).unwrap().gamma, 0.0);
        assert_eq!(
            options(&[]).unwrap().checkpoint_minutes,
            Duration::from_secs(300)
        );
    }
}
