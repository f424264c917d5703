use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use inversion::TuningConfig;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::invert::{self, NoiseChoice, OptimizerChoice, Settings, StartChoice};
#[cfg(feature = "clap")]
use crate::search::rank;
use crate::study::start;

/// Which images, which ways, and how each goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(
    feature = "clap",
    derive(clap::Args),
    group(skip),
    command(mut_arg("start", |arg| arg.default_value("mean")))
)]
pub struct Options {
    /// Models of the zoo [default: all]
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME", num_args = 1..))]
    pub models: Vec<String>,
    /// Held-out images of each kind
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().images, value_parser = clap::value_parser!(u16).range(1..)))]
    pub images: u16,
    /// Invert into the model that search gives this rank, in place of the images' own
    #[cfg_attr(feature = "clap", arg(long, value_name = "RANK", value_parser = rank))]
    pub rank: Option<usize>,
    /// Leave out some ways
    #[cfg_attr(feature = "clap", arg(long, value_name = "WAY", num_args = 1.., value_enum))]
    pub without: Vec<Way>,
    /// Steps of L-BFGS
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().lbfgs_steps))]
    pub lbfgs_steps: usize,
    /// Steps of L-BFGS from the regressed start
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().regressed_steps))]
    pub regressed_steps: usize,
    /// Steps of L-BFGS with the prior
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().prior_steps))]
    pub prior_steps: usize,
    /// Weight of the prior
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().prior_weight))]
    pub prior_weight: f32,
    /// Weight of the pull towards the mean latent beside the prior
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().prior_w_avg))]
    pub prior_w_avg: f32,
    /// Steps of the tuning
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().tune_steps))]
    pub tune_steps: usize,
    /// Adam's learning rate of the tuning
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().tune_learning_rate))]
    pub tune_learning_rate: f64,
    /// Weight of what keeps other images in the tuning
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().lambda_locality))]
    pub lambda_locality: f32,
    /// Write a picture of each image into this folder: target, W+, refined, tuned, and the first named edit of the
    /// model on W+ and on refined
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub pictures: Option<PathBuf>,
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
        let tuning = TuningConfig::default();
        Self {
            models: Vec::new(),
            images: 6,
            rank: None,
            without: Vec::new(),
            lbfgs_steps: 200,
            regressed_steps: 100,
            prior_steps: 300,
            prior_weight: 5e-5,
            prior_w_avg: 0.01,
            tune_steps: tuning.steps,
            tune_learning_rate: tuning.learning_rate,
            lambda_locality: tuning.locality.lambda,
            pictures: None,
            inversion: start::at_the_mean(),
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
        let settings = &self.inversion;
        for (option, is_given) in [
            ("refine", settings.refine),
            ("prior", settings.prior),
            ("optimizer", settings.optimizer != OptimizerChoice::Adam),
            ("start", settings.start == StartChoice::Regressed),
        ] {
            if is_given {
                return Err(Error::option(
                    option,
                    "",
                    "the study tries this beside the search without it; leave it out",
                ));
            }
        }
        if settings.noise != NoiseChoice::Constant {
            return Err(Error::option(
                "noise",
                "",
                "edits are compared with the model's own noise; leave it out",
            ));
        }
        if self.images == 0 {
            return Err(Error::option("images", 0, "expected at least 1"));
        }
        if self.rank == Some(0) {
            return Err(Error::option(
                "rank",
                0,
                "ranks count from 1, the best model's",
            ));
        }
        if self.without.contains(&Way::WPlus) {
            return Err(Error::option(
                "without",
                Way::WPlus,
                "the others are compared with it",
            ));
        }
        settings.validate()?;
        for way in [Way::Lbfgs, Way::Regressed, Way::Prior] {
            if self.has(way)
                && let Err(error) = self.settings_of(way).validate()
            {
                let problem =
                    format!("{way}: {error}; leave it out with --without lbfgs regressed prior");
                return Err(Error::option("without", "", problem));
            }
        }
        self.tuning().validate()
    }

    /// Whether a way is tried.
    pub(super) fn has(&self, way: Way) -> bool {
        !self.without.contains(&way)
    }

    /// How the search of a way goes.
    pub(super) fn settings_of(&self, way: Way) -> Settings {
        let plain = self.inversion.clone();
        match way {
            Way::Lbfgs => Settings {
                optimizer: OptimizerChoice::Lbfgs,
                steps: self.lbfgs_steps,
                ..plain
            },
            Way::Regressed => Settings {
                start: StartChoice::Regressed,
                optimizer: OptimizerChoice::Lbfgs,
                steps: self.regressed_steps,
                ..plain
            },
            Way::Prior => Settings {
                prior: true,
                lambda_prior: self.prior_weight,
                lambda_w_avg: self.prior_w_avg,
                optimizer: OptimizerChoice::Lbfgs,
                steps: self.prior_steps,
                ..plain
            },
            Way::Refined => Settings {
                refine: true,
                ..plain
            },
            Way::WPlus | Way::Tuned => plain,
        }
    }

    /// As `invert` takes what the tuning goes by.
    pub(super) fn tuning(&self) -> invert::Options {
        invert::Options {
            tune: true,
            tune_steps: self.tune_steps,
            tune_learning_rate: self.tune_learning_rate,
            lambda_locality: self.lambda_locality,
            inversion: self.inversion.clone(),
            seed: self.seed,
            ..invert::Options::default()
        }
    }
}

/// A way to invert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum Way {
    /// The search for latents as the settings say, which the others are compared with.
    WPlus,
    /// The same objective by L-BFGS, in fewer steps.
    Lbfgs,
    /// Few steps of L-BFGS from latents that a regression has found.
    Regressed,
    /// L-BFGS with pulls towards likely latents and towards their mean.
    Prior,
    /// The found latents and an offset of features.
    Refined,
    /// The latents that L-BFGS found, or those of the plain search where it is left out, in a tuned model.
    Tuned,
}

impl Display for Way {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WPlus => "W+",
            Self::Lbfgs => "L-BFGS",
            Self::Regressed => "regressed start",
            Self::Prior => "prior",
            Self::Refined => "refined",
            Self::Tuned => "tuned",
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Options)) -> String {
        let mut options = Options::default();
        options.validate().unwrap();
        change(&mut options);
        options.validate().unwrap_err().to_string()
    }

    #[test]
    fn what_is_compared_is_not_an_option_of_all() {
        assert!(refused(|options| options.inversion.refine = true).starts_with("refine"));
        assert!(refused(|options| options.inversion.prior = true).starts_with("prior"));
        assert!(
            refused(|options| options.inversion.start = StartChoice::Regressed)
                .starts_with("start")
        );
        assert!(refused(|options| options.without = vec![Way::WPlus]).contains("W+"));
        assert!(refused(|options| options.rank = Some(0)).starts_with("rank 0"));
        assert!(refused(|options| options.images = 0).starts_with("images 0"));
        assert!(refused(|options| options.tune_learning_rate = -1.0).contains("-1"));
        // Adam's alone.
        let perturbed = |options: &mut Options| options.inversion.perturb = true;
        assert!(refused(perturbed).contains("--without lbfgs regressed prior"));
        let mut options = Options::default();
        perturbed(&mut options);
        options.without = vec![Way::Lbfgs, Way::Regressed, Way::Prior];
        options.validate().unwrap();
    }

    #[test]
    fn ways_differ_from_the_plain_search_in_what_they_are_called_after() {
        let options = Options::default();
        let plain = options.settings_of(Way::WPlus);
        assert_eq!(plain, options.inversion);
        assert_eq!(options.settings_of(Way::Tuned), plain);
        let prior = options.settings_of(Way::Prior);
        assert!(prior.prior && !plain.prior);
        assert_eq!((prior.lambda_prior, prior.lambda_w_avg), (5e-5, 0.01));
        assert!(options.settings_of(Way::Refined).refine && !plain.refine);
        let regressed = options.settings_of(Way::Regressed);
        assert_eq!(
            (regressed.start, regressed.steps),
            (StartChoice::Regressed, 100)
        );
    }
}
