use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::invert::{Settings, StartChoice};
#[cfg(feature = "clap")]
use crate::search::rank;
use crate::shard::Shard;
use crate::study::start;
use crate::{Error, Observer, Warning};

/// Which images, which models, and how each inversion goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(
    feature = "clap",
    derive(clap::Args),
    group(skip),
    command(mut_arg("start", |arg| arg.default_value("mean")))
)]
pub struct Options {
    /// Kinds of images [default: six kinds of faces and figures; with --images all its subfolders]
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "NAMES", value_delimiter = ',')
    )]
    pub categories: Vec<String>,
    /// Folder with a subfolder of images for each category [default: studies/ in the weights folder, held-out images of
    /// the zoo's kinds]
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub images: Option<PathBuf>,
    /// Images of each category
    #[cfg_attr(feature = "clap", arg(long, value_name = "N", default_value_t = Options::default().count, value_parser = clap::value_parser!(u32).range(1..)))]
    pub count: u32,
    /// Folder of models with their index, which the example `index` builds [default: zoo/ in the weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub models: Option<PathBuf>,
    /// How many models are ranked: those that are called like a category, then the first by name of the same
    /// architecture
    #[cfg_attr(feature = "clap", arg(long, value_name = "N", default_value_t = Options::default().model_count, value_parser = clap::value_parser!(u32).range(1..)))]
    pub model_count: u32,
    /// The models that are ranked, instead of that rule
    #[cfg_attr(
        feature = "clap",
        arg(
            long,
            value_name = "NAMES",
            value_delimiter = ',',
            conflicts_with = "model_count"
        )
    )]
    pub zoo_models: Vec<String>,
    /// Ranks of the models to invert with; those beyond the models are left out
    #[cfg_attr(feature = "clap", arg(long, value_name = "RANKS", value_delimiter = ',', default_values_t = Options::default().ranks, value_parser = rank))]
    pub ranks: Vec<usize>,
    /// Weights of the feature network that the index was built with [default: the network's file in features/ of the
    /// weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub features_file: Option<PathBuf>,
    /// Interpolations of each category, with the model at rank 1 and with a random one
    #[cfg_attr(feature = "clap", arg(long, value_name = "N", default_value_t = Options::default().interpolations))]
    pub interpolations: u16,
    /// Frames of each
    #[cfg_attr(feature = "clap", arg(long, value_name = "N", default_value_t = Options::default().frames, value_parser = clap::value_parser!(u16).range(2..)))]
    pub frames: u16,
    /// Images of each category that the figures show
    #[cfg_attr(feature = "clap", arg(long, value_name = "N", default_value_t = Options::default().shown))]
    pub shown: u16,
    /// Resamples of a bootstrap interval
    #[cfg_attr(feature = "clap", arg(long, value_name = "N", default_value_t = Options::default().resamples, value_parser = clap::value_parser!(u32).range(100..)))]
    pub resamples: u32,
    /// Do the inversions of the I-th of N parts, counted from 1, and write them into one file instead of a report
    #[cfg_attr(feature = "clap", arg(long, value_name = "I/N"))]
    pub shard: Option<Shard>,
    /// Where --shard writes its part, a file that is named after its content [default: parts/ in --out]
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR", requires = "shard"))]
    pub parts: Option<PathBuf>,
    /// Take inversions first from parts that --shard wrote, or folders of them, or other caches
    #[cfg_attr(feature = "clap", arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "shard"))]
    pub merge: Vec<PathBuf>,
    /// Where inversions are kept [default: cache/ in --out]
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub cache: Option<PathBuf>,
    /// Folder for the report and its figures
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR", default_value_os_t = Options::default().out))]
    pub out: PathBuf,
    /// How inversions go. They start at the mean latent, as the paper's do.
    #[serde(deserialize_with = "start::settings")]
    #[cfg_attr(feature = "clap", command(flatten))]
    pub inversion: Settings,
    /// Seed of everything random
    #[cfg_attr(feature = "clap", arg(skip))]
    pub seed: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            categories: Vec::new(),
            images: None,
            count: 25,
            models: None,
            model_count: 15,
            zoo_models: Vec::new(),
            ranks: vec![1, 10, 15],
            features_file: None,
            interpolations: 8,
            frames: 30,
            shown: 2,
            resamples: 10_000,
            shard: None,
            parts: None,
            merge: Vec::new(),
            cache: None,
            out: PathBuf::from("out/study_inversion"),
            inversion: start::at_the_mean(),
            seed: 0,
        }
    }
}

/// Fewer resamples say nothing about a tail of 2.5 %.
const LEAST_RESAMPLES: u32 = 100;

impl Options {
    /// Whether the values make sense together, as far as that can be said before anything is opened.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] names the first that does not.
    pub fn validate(&self) -> Result<(), Error> {
        self.inversion.validate()?;
        if self.inversion.refine || self.inversion.start == StartChoice::Regressed {
            return Err(Error::option(
                if self.inversion.refine {
                    "refine"
                } else {
                    "start"
                },
                "",
                "the study compares searches for latents from one start; leave it out",
            ));
        }
        for (option, value, least) in [
            ("count", self.count, 1),
            ("model_count", self.model_count, 1),
            ("frames", self.frames.into(), 2),
            ("resamples", self.resamples, LEAST_RESAMPLES),
        ] {
            if value < least {
                return Err(Error::option(
                    option,
                    value,
                    format!("expected at least {least}"),
                ));
            }
        }
        if self.ranks.contains(&0) {
            return Err(Error::option(
                "ranks",
                0,
                "ranks count from 1, the best model's",
            ));
        }
        match (&self.shard, self.merge.is_empty()) {
            (Some(shard), false) => Err(Error::option(
                "shard",
                shard,
                "a part makes its own inversions; merge those of all parts for the report",
            )),
            _ => Ok(()),
        }
    }

    /// Where inversions are kept.
    pub fn cache(&self) -> PathBuf {
        let beside = || self.out.join("cache");
        self.cache.clone().unwrap_or_else(beside)
    }

    /// Where a part is written.
    pub(super) fn parts(&self) -> PathBuf {
        let beside = || self.out.join("parts");
        self.parts.clone().unwrap_or_else(beside)
    }

    /// The ranks that so many models have, each once, the best first.
    pub(super) fn ranks(
        &self,
        models: usize,
        observer: &mut dyn Observer,
    ) -> Result<Vec<usize>, Error> {
        let mut ranks = self.ranks.clone();
        ranks.sort_unstable();
        ranks.dedup();
        let beyond = ranks.partition_point(|rank| *rank <= models);
        for rank in &ranks[beyond..] {
            observer.warn(&Warning::RankUnranked {
                rank: *rank,
                models,
            });
        }
        ranks.truncate(beyond);
        if ranks.is_empty() {
            let problem = format!("none of them is among 1 to {models}");
            return Err(Error::option("ranks", "", problem));
        }
        Ok(ranks)
    }

    /// Images that are optimized together.
    ///
    /// Always as many, repeated where there are fewer: how a sum is rounded depends on how many images there are,
    /// though not on which. With early stopping the batch shrinks when an image is done, so that its images would not
    /// be independent.
    pub(super) fn batch(&self) -> usize {
        match self.inversion.patience {
            None => usize::from(self.inversion.batch),
            Some(_) => 1,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_that_there_are_and_patient_images_go_alone() {
        let ranks = |ranks: &[usize], models| {
            let options = Options {
                ranks: ranks.to_vec(),
                ..Options::default()
            };
            options.ranks(models, &mut ())
        };
        assert_eq!(ranks(&[15, 1, 3, 3, 10], 12).unwrap(), [1, 3, 10]);
        let error = ranks(&[4, 5], 3).unwrap_err().to_string();
        assert!(error.contains("among 1 to 3"), "{error}");
        // Early stopping would make the images of a batch depend on each other.
        let batch = |patience| {
            let inversion = Settings {
                batch: 8,
                patience,
                ..Settings::default()
            };
            let options = Options {
                inversion,
                ..Options::default()
            };
            options.batch()
        };
        assert_eq!(batch(Some(20)), 1);
        assert_eq!(batch(None), 8);
    }
}
