use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::numbers::check_positive;
#[cfg(feature = "clap")]
use crate::numbers::positive;
use crate::protocol::Protocol;
#[cfg(feature = "clap")]
use crate::search::rank;
use crate::shard::Shard;
use crate::transfer::{FineTuning, Settings};

/// Which targets, which sources, and how each run goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct Options {
    /// Few-shot sets of the repository [default: all]
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME", num_args = 1.., conflicts_with = "images"))]
    pub target: Vec<String>,
    /// One's own images instead: a folder, a .zip or .tar archive or a packed file
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub images: Option<PathBuf>,
    /// Such images that distances are measured against [default: all images of a target that weights/zoo/render has
    /// drawn, else the training images]
    #[cfg_attr(feature = "clap", arg(long, value_name = "PATH"))]
    pub reference: Option<PathBuf>,
    /// Folder of models with their index [default: zoo/ in the weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub models: Option<PathBuf>,
    /// Ranks of the sources; for those beyond the zoo its last model stands in, once
    #[cfg_attr(feature = "clap", arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = Options::default().ranks, value_parser = rank))]
    pub ranks: Vec<usize>,
    /// Runs of each source: --seed, --seed + 1, ..
    #[cfg_attr(feature = "clap", arg(long, value_name = "N", default_value_t = Options::default().seeds, value_parser = clap::value_parser!(u32).range(1..)))]
    pub seeds: u32,
    /// Length of each run, in thousands of images
    #[cfg_attr(feature = "clap", arg(long, value_name = "K", default_value_t = Options::default().kimg, value_parser = positive))]
    pub kimg: f64,
    /// Also fine-tune the model at the first of the ranks without discriminators on frozen networks
    #[cfg_attr(feature = "clap", arg(long))]
    pub plain: bool,
    /// Draws of a measurement's images, by which it is said how much a distance owes to which images there were; 0 for
    /// none
    #[cfg_attr(feature = "clap", arg(long, value_name = "N", default_value_t = Options::default().resamples))]
    pub resamples: u32,
    /// Other features, those that discriminators see, in which finished runs are measured too, as they started and at
    /// their best
    #[cfg_attr(feature = "clap", arg(long, alias = "independent-protocol", value_enum, value_name = "PROTOCOL", default_value_t = Options::default().second_protocol))]
    pub second_protocol: Protocol,
    /// Weights of that network [default for those of the repository: in the weights folder]
    #[cfg_attr(
        feature = "clap",
        arg(long, alias = "independent-features", value_name = "FILE")
    )]
    pub second_features: Option<PathBuf>,
    /// Do the I-th of N equal parts of the runs; processes that share --out may do the others at the same time
    #[cfg_attr(feature = "clap", arg(long, value_name = "I/N", default_value_t))]
    pub shard: Shard,
    /// Write the runs of this part into one file in this folder, named after its content, when all are done
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub parts: Option<PathBuf>,
    /// Run nothing, and report on the runs in the parts that --parts wrote, or folders of them; all options but --out
    /// are theirs
    #[cfg_attr(feature = "clap", arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = ["shard", "parts"]))]
    pub merge: Vec<PathBuf>,
    /// Where the study is kept
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR", default_value_os_t = Options::default().out))]
    pub out: PathBuf,
    /// How each source is fine-tuned and measured.
    #[cfg_attr(feature = "clap", command(flatten))]
    pub tuning: FineTuning,
    /// Of each source's first run
    #[cfg_attr(feature = "clap", arg(skip))]
    pub seed: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            target: Vec::new(),
            images: None,
            reference: None,
            models: None,
            ranks: vec![1, 20, 25],
            seeds: 2,
            kimg: 5.0,
            plain: false,
            resamples: 20,
            second_protocol: Protocol::EfficientnetLite0,
            second_features: None,
            shard: Shard::WHOLE,
            parts: None,
            merge: Vec::new(),
            out: PathBuf::from("out/study_transfer"),
            tuning: FineTuning::default(),
            seed: 0,
        }
    }
}

impl Options {
    /// Whether the values make sense together, as far as that can be said before anything is opened.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] names the first that does not.
    pub fn validate(&self) -> Result<(), Error> {
        self.tuning.validate()?;
        check_positive("kimg", self.kimg)?;
        if self.seeds == 0 {
            return Err(Error::option("seeds", 0, "expected at least 1"));
        }
        if self.ranks.contains(&0) {
            return Err(Error::option(
                "ranks",
                0,
                "ranks count from 1, the best model's",
            ));
        }
        if let (Some(parts), false) = (&self.parts, self.merge.is_empty()) {
            return Err(Error::option(
                "parts",
                parts.display(),
                "runs of parts are in files already; leave it out",
            ));
        }
        if let (true, false) = (self.shard != Shard::WHOLE, self.merge.is_empty()) {
            return Err(Error::option(
                "shard",
                self.shard,
                "a part makes its own runs; merge those of all parts for the report",
            ));
        }
        match (&self.images, self.target.is_empty()) {
            (Some(images), false) => Err(Error::option(
                "images",
                images.display(),
                "a target has its own images; leave out one of them",
            )),
            _ => Ok(()),
        }
    }

    /// Those of a run of a source.
    pub(super) fn settings(&self, seed: u32, plain: bool) -> Settings {
        Settings {
            resamples: self.resamples,
            ..self.tuning.settings(seed, plain)
        }
    }

    /// Those of each source's runs.
    pub(super) fn run_seeds(&self) -> Range<u32> {
        self.seed..self.seed.saturating_add(self.seeds)
    }
}
