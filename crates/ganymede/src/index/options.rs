use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use examples::zoo_place::ZooPlace;
use ganymede::features::FeatureOptions;

/// Build and change the index that `search` ranks models by
///
/// Each model makes samples, a feature network turns them into vectors of length 1, and mean and covariance of these are all that is kept. Ctrl-C stops
/// after a batch; the same command goes on from there.
#[derive(Parser, Debug)]
#[command(name = "index")]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Sample all models and write the index
    Build(Build),
    /// Sample models that are new in the zoo and append them, without touching the others
    Add(Add),
    /// Bring the index up to date: sample what is new or has another generator now, take out what is gone, and leave all else as it is
    ///
    /// The principal components stay those of the models that the index was built of; `build` fits them anew.
    Update(Update),
    /// Take models out of the index
    Remove {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        place: ZooPlace,
    },
    /// Accuracy on held-out images for several dimensions and ridges
    Evaluate(Evaluate),
}

/// How models are sampled.
#[derive(Args, Debug)]
pub struct Sampling {
    #[command(flatten)]
    pub features: FeatureOptions,
    /// Samples of each model; the paper took 50000
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(2..))]
    pub samples: u64,
    /// Truncation of the samples
    #[arg(long, default_value_t = 1.0)]
    pub truncation_psi: f32,
    /// Where statistics are kept while they are made, to go on from and to evaluate
    #[arg(long, value_name = "DIR", default_value = "out/index")]
    pub moments: PathBuf,
    /// Class of all samples of conditional models, counted from 0 [default: drawn uniformly]
    #[arg(long)]
    pub class: Option<usize>,
    /// Leave out models that cannot be sampled, and say which
    #[arg(long)]
    pub skip_bad: bool,
    #[command(flatten)]
    pub place: ZooPlace,
}

#[derive(Args, Debug)]
pub struct Build {
    /// Principal components of all models' features together that features are projected on
    #[arg(long, default_value_t = 128)]
    pub dimension: usize,
    /// Added to the covariance's diagonal
    #[arg(long, default_value_t = 1e-3)]
    pub ridge: f64,
    #[command(flatten)]
    pub sampling: Sampling,
}

#[derive(Args, Debug)]
pub struct Add {
    /// Names of the models
    #[arg(required = true)]
    pub names: Vec<String>,
    #[command(flatten)]
    pub update: Update,
}

/// How an index is changed: sampling is that of the index.
#[derive(Args, Debug)]
pub struct Update {
    /// Weights of the feature network [default: features/NAME.safetensors in the weights folder]
    #[arg(long, value_name = "FILE")]
    pub features_file: Option<PathBuf>,
    /// Where statistics are kept while they are made
    #[arg(long, value_name = "DIR", default_value = "out/index")]
    pub moments: PathBuf,
    /// Class of all samples of conditional models, counted from 0 [default: that of the samples before, or drawn uniformly]
    #[arg(long)]
    pub class: Option<usize>,
    /// Leave out models that cannot be sampled, and say which
    #[arg(long)]
    pub skip_bad: bool,
    #[command(flatten)]
    pub place: ZooPlace,
}

#[derive(Args, Debug)]
pub struct Evaluate {
    /// Dimensions to compare
    #[arg(long, value_delimiter = ',', default_values_t = [16, 32, 64, 128, 256])]
    pub dimensions: Vec<usize>,
    /// Ridges to compare
    #[arg(long, value_delimiter = ',', default_values_t = [1e-5, 1e-4, 1e-3, 1e-2])]
    pub ridges: Vec<f64>,
    /// Folder with a folder of images for each model [default: queries/ in the weights folder]
    #[arg(long, value_name = "DIR")]
    pub queries: Option<PathBuf>,
    /// In place of samples take what each model was trained on (drawn by weights/zoo/render): what perfect models would reach
    #[arg(long)]
    pub training_images: bool,
    #[command(flatten)]
    pub sampling: Sampling,
}
