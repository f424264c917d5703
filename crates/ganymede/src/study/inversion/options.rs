//! Command line.

use std::path::PathBuf;

use clap::{Parser, value_parser};

use examples::shard::Shard;
use examples::{CommonArgs, Failure};
use ganymede::invert::Settings;
use ganymede::search::rank;

/// Reproduce the paper's inversion study: do models that retrieval ranks higher invert an image better?
///
/// Each image of some categories ranks the same models by the density of its features, and is inverted with those at some ranks. Writes report.md (LPIPS,
/// PSNR and the distance from the mean latent with standard errors, the differences between ranks with bootstrap intervals, and which claims hold), and figures of
/// inversions, edits and interpolations. Every inversion is kept in the cache by its content: the same command goes on where it was interrupted or killed.
#[derive(Parser, Debug)]
#[command(name = "study_inversion")]
pub struct Options {
    /// Kinds of images [default: lorelei,funEmoji; with --images all its subfolders]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub categories: Vec<String>,
    /// Folder with a subfolder of images for each category [default: studies/ in the weights folder, held-out images of the zoo's kinds]
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,
    /// Images of each category
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = value_parser!(u32).range(1..))]
    pub count: u32,
    /// Folder of models with their index, which the example `index` builds [default: zoo/ in the weights folder]
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,
    /// How many models are ranked: those that are called like a category, then the first by name of the same architecture
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = value_parser!(u32).range(1..))]
    pub model_count: u32,
    /// The models that are ranked, instead of that rule
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        conflicts_with = "model_count"
    )]
    pub zoo_models: Vec<String>,
    /// Ranks of the models to invert with; those beyond the models are left out
    #[arg(long, value_name = "RANKS", value_delimiter = ',', default_values_t = [1, 10, 15], value_parser = rank)]
    pub ranks: Vec<usize>,
    /// Weights of the feature network that the index was built with [default: features/NAME.safetensors in the weights folder]
    #[arg(long, value_name = "FILE")]
    pub features_file: Option<PathBuf>,
    /// Interpolations of each category, with the model at rank 1 and with a random one
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub interpolations: u16,
    /// Frames of each
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = value_parser!(u16).range(2..))]
    pub frames: u16,
    /// Images of each category that the figures show
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub shown: u16,
    /// Resamples of a bootstrap interval
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = value_parser!(u32).range(100..))]
    pub resamples: u32,
    /// Do the inversions of the I-th of N parts, counted from 1, and write no report
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Take inversions from these caches first, which other parts have made
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with = "shard")]
    pub merge: Vec<PathBuf>,
    /// Where inversions are kept [default: cache/ in --out]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Folder for the report and its figures
    #[arg(long, default_value = "out/study_inversion", value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub inversion: Settings,
    #[command(flatten)]
    pub common: CommonArgs,
}

impl Options {
    pub fn cache(&self) -> PathBuf {
        let beside = || self.out.join("cache");
        self.cache.clone().unwrap_or_else(beside)
    }

    /// The ranks that so many models have, each once, the best first.
    pub fn ranks(&self, models: usize) -> Result<Vec<usize>, Failure> {
        let mut ranks = self.ranks.clone();
        ranks.sort_unstable();
        ranks.dedup();
        let beyond = ranks.partition_point(|rank| *rank <= models);
        for rank in &ranks[beyond..] {
            eprintln!("rank {rank} is left out: {models} models are ranked");
        }
        ranks.truncate(beyond);
        if ranks.is_empty() {
            return Err(format!("--ranks: none of them is among 1 to {models}").into());
        }
        Ok(ranks)
    }

    /// Images that are optimised together.
    ///
    /// Always as many, repeated where there are fewer: how a sum is rounded depends on how many images there are, though not on which. With early stopping
    /// the batch shrinks when an image is done, so that its images would not be independent.
    pub fn batch(&self) -> usize {
        match self.inversion.patience {
            None => usize::from(self.inversion.batch),
            Some(_) => 1,
        }
    }
}
