use std::path::PathBuf;
use std::str::FromStr;

use clap::Parser;

use crate::cli::CommonArgs;
use crate::cli::numbers::positive;
use crate::transfer::options::TransferArgs;

/// Fine-tune the models at several ranks of retrieval on few images and compare how fast they converge
///
/// For each target the zoo is ranked by the mean Gaussian density of the target's images, once, when its study begins. Everything is kept in --out: the same
/// command goes on where it was interrupted or killed. It writes figure.svg (Fréchet distance against kimg, mean and spread over the seeds),
/// TARGET-samples.svg, study.md and study.json.
#[derive(Parser, Debug)]
#[command(name = "study_transfer")]
pub struct Options {
    /// Few-shot sets of the repository [default: all]
    #[arg(long, value_name = "NAME", num_args = 1.., conflicts_with = "images")]
    pub target: Vec<String>,

    /// Folder of one's own images instead
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,

    /// Folder or packed file that distances are measured against [default: all images of a target that weights/zoo/render has drawn, else the training
    /// images]
    #[arg(long, value_name = "PATH")]
    pub reference: Option<PathBuf>,

    /// Folder of models with their index [default: zoo/ in the weights folder]
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,

    /// Ranks of the sources; for those beyond the zoo its last model stands in, once
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [1, 20, 25], value_parser = rank)]
    pub ranks: Vec<usize>,

    /// Runs of each source: --seed, --seed + 1, ..
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub seeds: u32,

    /// Length of each run, in thousands of images
    #[arg(long, value_name = "K", default_value_t = 5.0, value_parser = positive)]
    pub kimg: f64,

    /// Also fine-tune the model at the first of the ranks without discriminators on frozen networks
    #[arg(long)]
    pub plain: bool,

    /// Do the I-th of N equal parts of the runs; processes that share --out may do the others at the same time
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    pub shard: Shard,

    /// Where the study is kept
    #[arg(long, value_name = "DIR", default_value = "out/study_transfer")]
    pub out: PathBuf,

    #[command(flatten)]
    pub transfer: TransferArgs,

    #[command(flatten)]
    pub common: CommonArgs,
}

fn rank(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number from 1, the best model's rank".to_owned()),
        Ok(rank) => Ok(rank),
    }
}

/// A part of the runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    index: usize,
    count: usize,
}

impl Shard {
    pub fn has(self, run: usize) -> bool {
        run % self.count == self.index
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('/')
            .and_then(|(i, n)| Some((i.parse::<usize>().ok()?, n.parse::<usize>().ok()?)));
        match parts {
            Some((i, count)) if (1..=count).contains(&i) => Ok(Self {
                index: i - 1,
                count,
            }),
            _ => Err("expected I/N with I from 1 to N, such as 1/2".to_owned()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod shard_tests {
    use super::*;

    #[test]
    fn every_run_is_in_one_shard() {
        for count in 1..5 {
            let shards: Vec<Shard> = (1..=count)
                .map(|i| format!("{i}/{count}").parse().unwrap())
                .collect();
            for run in 0..12 {
                assert_eq!(shards.iter().filter(|shard| shard.has(run)).count(), 1);
            }
        }
        for wrong in ["0/2", "3/2", "1", "a/b", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
