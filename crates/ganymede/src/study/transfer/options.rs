use std::path::PathBuf;

use clap::Parser;

use examples::CommonArgs;
use examples::numbers::positive;
use examples::shard::Shard;
use examples::transfer::options::TransferArgs;
use ganymede::protocol::Protocol;
use ganymede::search::rank;

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

    /// One's own images instead: a folder, a .zip or .tar archive or a packed file
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,

    /// Such images that distances are measured against [default: all images of a target that weights/zoo/render has drawn, else the training
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

    /// Features of another network than the discriminators', with which finished runs are measured too, as they started and at their best
    #[arg(long, value_enum, value_name = "PROTOCOL", default_value = "alexnet")]
    pub independent_protocol: Protocol,

    /// Weights of that network [default for those of the repository: in the weights folder]
    #[arg(long, value_name = "FILE")]
    pub independent_features: Option<PathBuf>,

    /// Do the I-th of N equal parts of the runs; processes that share --out may do the others at the same time
    #[arg(long, value_name = "I/N", default_value_t = Shard::WHOLE)]
    pub shard: Shard,

    /// Where the study is kept
    #[arg(long, value_name = "DIR", default_value = "out/study_transfer")]
    pub out: PathBuf,

    #[command(flatten)]
    pub transfer: TransferArgs,

    #[command(flatten)]
    pub common: CommonArgs,
}
