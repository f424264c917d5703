use std::path::PathBuf;

use clap::Parser;
use vision_aided_finetune::{DiffAugment, TrainingConfig};

use crate::cli::CommonArgs;

/// Trains a StyleGAN2 on a folder of images, a packed file, or a style of the zoo.
///
/// Without arguments it trains one style of the zoo for a few kimg, to show what it writes. Ctrl-C stops after the iteration and
/// saves; --resume continues exactly where a run was.
#[derive(Debug, Parser)]
#[command(name = "train")]
pub struct Options {
    /// Style of the zoo (`funEmoji`), or `base` for the model of all styles that the others start from; `weights/zoo/render` draws the images
    #[arg(long, value_name = "NAME", conflicts_with = "images")]
    pub zoo: Option<String>,

    /// Folders of images or packed files to train on
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub images: Vec<PathBuf>,

    /// Where the run is kept: checkpoint, history, samples and the trained networks [default: out/train/NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Length of the run, in thousands of images [default: 400 for a style, 1500 for base, 8 without arguments]
    #[arg(long, value_name = "K")]
    pub kimg: Option<f64>,

    /// Continue the run in --out
    #[arg(long)]
    pub resume: bool,

    /// Start from this generator, a checkpoint of any known format [default: the zoo's base model for a style, else random weights]
    #[arg(long, value_name = "FILE")]
    pub generator: Option<PathBuf>,

    /// Start from this discriminator
    #[arg(long, value_name = "FILE")]
    pub discriminator: Option<PathBuf>,

    /// Image side for networks that start from random weights
    #[arg(long, value_name = "PIXELS", default_value_t = 64)]
    pub resolution: usize,

    /// Leave the first N discriminator layers, from the image on, as they are (Freeze-D)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub freeze_layers: usize,

    /// Images of a batch
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub batch: usize,

    /// Learning rate of both networks
    #[arg(long, value_name = "RATE", default_value_t = 0.002)]
    pub learning_rate: f64,

    /// Weight of R1; small images of flat art learn faster with a small one
    #[arg(long, value_name = "GAMMA", default_value_t = 0.1)]
    pub gamma: f64,

    /// Weight of the path length penalty; 0 leaves it out
    #[arg(long, value_name = "WEIGHT", default_value_t = 2.0)]
    pub path_length_weight: f64,

    /// Augmentations of what the discriminator sees: any of color,translation,cutout
    #[arg(long, value_name = "LIST", default_value = "")]
    pub augment: DiffAugment,

    /// Flip half of the images left to right
    #[arg(long)]
    pub mirror: bool,

    /// Train with noise images (flat art is better without)
    #[arg(long)]
    pub noise: bool,

    /// Write a grid of samples and the plot every so many thousand images
    #[arg(long, value_name = "K", default_value_t = 20.0)]
    pub snapshot_kimg: f64,

    /// Write the checkpoint every so many minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 5.0)]
    pub checkpoint_minutes: f64,

    /// At the end of a --zoo run, put model, discriminator, samples and card into weights/zoo/NAME
    #[arg(long, requires = "zoo")]
    pub publish: bool,

    #[command(flatten)]
    pub common: CommonArgs,
}

impl Options {
    /// The trainer's options.
    pub fn training_config(&self) -> TrainingConfig {
        let defaults = TrainingConfig::default();
        let mut average = defaults.average;
        average.kimg *= self.batch as f64 / defaults.batch_size as f64;
        let mut config = TrainingConfig {
            seed: u64::from(self.common.seed),
            batch_size: self.batch,
            r1_gamma: self.gamma,
            path_length_weight: self.path_length_weight,
            path_length_batch_shrink: defaults.path_length_batch_shrink.min(self.batch),
            average,
            augment: self.augment,
            mirror: self.mirror,
            noise: self.noise,
            ..defaults
        };
        config.generator_adam.learning_rate = self.learning_rate;
        config.discriminator_adam.learning_rate = self.learning_rate;
        config
    }
}
