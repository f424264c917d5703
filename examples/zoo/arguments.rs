use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use examples::quality::FRECHET_IMAGES;
use examples::zoo_place::ZooPlace;

/// List the models of a zoo, and measure how good they are
#[derive(Parser, Debug)]
#[command(name = "zoo")]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Show what the cards of all models say: licence, training, quality
    List(ZooPlace),
    /// Show how far `train --zoo all` is: images, measurements and publications of every style
    Status(Status),
    /// Measure models again, and write the numbers into their cards; everything else in a card stays as it is
    ///
    /// The Fréchet distance of EfficientNet-lite0 features between samples and training images, the diversity of samples beside that of training
    /// images, precision, recall, density and coverage in the features of two networks, and the inversion of held-out images. The training images are drawn by weights/zoo/render. Each card is written when its model is done; Ctrl-C stops after a batch, and the same
    /// command goes on from there.
    Measure(Measure),
}

#[derive(Args, Debug)]
pub struct Status {
    /// Folder of the runs, as `train --zoo all --out` has it
    #[arg(long, value_name = "DIR", default_value = "out/train/zoo")]
    pub runs: PathBuf,
    /// Write machine-readable results to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct Measure {
    /// Names of the models [default: all but `base`]
    pub names: Vec<String>,
    /// Leave out models whose cards have a Fréchet distance
    #[arg(long)]
    pub missing: bool,
    /// Samples, and the most training images, that the Fréchet distance is measured with
    #[arg(long, value_name = "N", default_value_t = FRECHET_IMAGES, value_parser = clap::value_parser!(u32).range(2..))]
    pub frechet_images: u32,
    /// Folder with NAME.training.safetensors for each model [default: zoo/data in the weights folder]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where statistics are kept while they are made, to go on from
    #[arg(long, value_name = "DIR", default_value = "out/zoo")]
    pub moments: PathBuf,
    /// Leave out models that cannot be measured, and say which
    #[arg(long)]
    pub skip_bad: bool,
    #[command(flatten)]
    pub place: ZooPlace,
}
