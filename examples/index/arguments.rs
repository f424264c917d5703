//! The command line of `index`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ganymede::index::{BuildOptions, ChangeOptions, EvaluateOptions, MergeOptions, Sampling};
use ganymede::shard::Shard;

use examples::CommonArgs;

/// Build and change the index that `search` ranks models by
///
/// Each model makes samples, and a feature network turns them into vectors of length 1. Kept of these are mean and
/// covariance, and how likely the model finds its own samples. Ctrl-C stops after a batch; the same command goes on from
/// there.
#[derive(Parser, Debug)]
#[command(name = "index")]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Sample all models and write the index, or a part of it
    Build {
        #[command(flatten)]
        options: BuildOptions,
        /// Sample only the I-th of N equal parts of the models, and write their statistics for `merge`
        #[arg(long, value_name = "I/N")]
        shard: Option<Shard>,
        /// Where --shard writes its part
        #[arg(long, value_name = "DIR", default_value = PARTS, requires = "shard")]
        parts: PathBuf,
        #[command(flatten)]
        moments: MomentsArgs,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Make the index of the parts that `build --shard` wrote; it is the same as that of one `build`
    Merge {
        #[command(flatten)]
        options: MergeOptions,
        /// Write one part into this folder in place of an index, to merge many parts in a tree
        #[arg(long, value_name = "DIR", conflicts_with_all = ["dimension", "ridge", "zoo", "features_file", "partial"])]
        into: Option<PathBuf>,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Sample models that are new in the zoo and append them, without touching the others
    Add {
        /// Names of the models
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        options: ChangeOptions,
        #[command(flatten)]
        moments: MomentsArgs,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Bring the index up to date: sample what is new or has another generator now, take out what is gone, and leave
    /// all else as it is
    ///
    /// The principal components stay those of the models that the index was built of; `build` fits them anew.
    Update {
        #[command(flatten)]
        options: ChangeOptions,
        #[command(flatten)]
        moments: MomentsArgs,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Take models out of the index
    Remove {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
        /// Folder of models [default: zoo/ in the weights folder]
        #[arg(long, value_name = "DIR")]
        zoo: Option<PathBuf>,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Accuracy on held-out images for several dimensions and ridges
    Evaluate {
        #[command(flatten)]
        options: EvaluateOptions,
        #[command(flatten)]
        moments: MomentsArgs,
        #[command(flatten)]
        common: CommonArgs,
    },
}

/// Where parts are written unless a folder is named.
const PARTS: &str = "out/index/parts";

/// What a run leaves for the next.
#[derive(Args, Debug)]
pub struct MomentsArgs {
    /// Where statistics are kept while they are made, to go on from and to evaluate
    #[arg(long, value_name = "DIR", default_value = "out/index")]
    pub moments: PathBuf,
}

impl MomentsArgs {
    /// The sampling with these and the seed.
    pub fn sampling(self, common: &CommonArgs, sampling: Sampling) -> Sampling {
        Sampling {
            moments: Some(self.moments),
            seed: common.seed,
            ..sampling
        }
    }

    /// The change with these.
    pub fn change(self, options: ChangeOptions) -> ChangeOptions {
        ChangeOptions {
            moments: Some(self.moments),
            ..options
        }
    }
}
