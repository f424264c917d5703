use std::path::PathBuf;

use clap::Parser;

use examples::CommonArgs;
use examples::numbers::positive;
use examples::transfer::options::TransferArgs;

/// Fine-tune a generator on few images, with discriminators on frozen vision networks
///
/// The Fréchet distance is measured along the way, and the best snapshot is what remains. Ctrl-C saves; the same command goes on with the run in --out, and
/// a longer --kimg makes it longer. Without arguments it fine-tunes the zoo's best model for the first of the repository's few-shot sets.
#[derive(Parser, Debug)]
#[command(name = "finetune")]
pub struct Options {
    /// Start from this generator: a name of the zoo, a checkpoint of any known format, or a training run's checkpoint [default: the model that the zoo's
    /// index ranks first for the images]
    #[arg(long, value_name = "NAME|FILE")]
    pub source: Option<String>,

    /// Start from this discriminator [default: the one in the source's file or beside it, else random weights]
    #[arg(long, value_name = "FILE")]
    pub discriminator: Option<PathBuf>,

    /// Images to train on, a folder, a .zip or .tar archive or a packed file [default: avataaars of the repository's few-shot sets]
    #[arg(long, value_name = "PATH")]
    pub images: Option<PathBuf>,

    /// Such images that distances are measured against [default: the training images]
    #[arg(long, value_name = "PATH")]
    pub reference: Option<PathBuf>,

    /// Length of the run, in thousands of images; a list has stages, each of which starts from the best snapshot so far and adds the network of
    /// --vision-aided that tells the generator's images best from real ones
    #[arg(long, value_name = "K,..", value_delimiter = ',', default_value = "5", value_parser = positive)]
    pub kimg: Vec<f64>,

    /// Train without discriminators on frozen networks
    #[arg(long)]
    pub plain: bool,

    /// Where the run is kept: checkpoint, measurements, samples and the fine-tuned networks [default: out/finetune/NAME, after the images]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Folder of models that the source is ranked from [default: zoo/ in the weights folder]
    #[arg(long, value_name = "DIR", conflicts_with = "source")]
    pub models: Option<PathBuf>,

    #[command(flatten)]
    pub transfer: TransferArgs,

    #[command(flatten)]
    pub common: CommonArgs,
}
