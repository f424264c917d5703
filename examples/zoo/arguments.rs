use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::add::Add;
use crate::list::List;
use crate::measure::Measure;

/// Take models into a zoo, list them, and measure how good they are
#[derive(Parser, Debug)]
#[command(name = "zoo")]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Take a generator of any known format into a folder of models, with a card
    Add(Add),
    /// Show what the cards of all models say: license, training, quality
    List(List),
    /// Show how far `train --zoo all` is: images, measurements and publications of every style
    Status(Status),
    /// Measure models again, and write the numbers into their cards; everything else in a card stays as it is
    ///
    /// The Fréchet distance of EfficientNet-lite0 features between samples and training images, the diversity of
    /// samples beside that of training images, precision, recall, density and coverage in the features of two networks,
    /// and the inversion of held-out images. The training images are drawn by weights/zoo/render. Each card is written
    /// when its model is done; Ctrl-C stops after a batch, and the same command goes on from there.
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
