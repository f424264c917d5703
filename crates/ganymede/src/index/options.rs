use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::protocol::Protocol;
use crate::Error;
use crate::features::FeatureOptions;

/// How models are sampled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct Sampling {
    /// The network that sees the samples.
    #[cfg_attr(feature = "clap", command(flatten))]
    pub features: FeatureOptions,
    /// Samples of each model; the paper took 50000
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Sampling::default().samples, value_parser = clap::value_parser!(u64).range(2..)))]
    pub samples: u64,
    /// Truncation of the samples
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Sampling::default().truncation_psi))]
    pub truncation_psi: f32,
    /// Class of all samples of conditional models, counted from 0 [default: drawn uniformly]
    #[cfg_attr(feature = "clap", arg(long))]
    pub class: Option<usize>,
    /// Leave out models that cannot be sampled, and say which
    #[cfg_attr(feature = "clap", arg(long))]
    pub skip_bad: bool,
    /// Folder of models [default: zoo/ in the weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub zoo: Option<PathBuf>,
    /// Where statistics are kept while they are made, to go on from and to evaluate. They are not kept without
    #[cfg_attr(feature = "clap", arg(skip))]
    pub moments: Option<PathBuf>,
    /// Latents are drawn from this seed and those after it
    #[cfg_attr(feature = "clap", arg(skip))]
    pub seed: u32,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            features: FeatureOptions::default(),
            samples: 50_000,
            truncation_psi: 1.0,
            class: None,
            skip_bad: false,
            zoo: None,
            moments: None,
            seed: 0,
        }
    }
}

impl Sampling {
    /// Whether the values can be used.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] names the first that cannot.
    pub fn validate(&self) -> Result<(), Error> {
        if self.samples < 2 {
            return Err(Error::option(
                "samples",
                self.samples,
                "expected at least 2",
            ));
        }
        Ok(())
    }

    /// What statistics depend on, beside the generator.
    pub(super) fn protocol(&self) -> Protocol {
        Protocol {
            features: self.features.record(),
            samples: self.samples,
            truncation_psi: self.truncation_psi,
            seed: self.seed,
        }
    }
}

/// How an index is built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct BuildOptions {
    /// Principal components of all models' features together that features are projected on
    #[cfg_attr(feature = "clap", arg(long, default_value_t = BuildOptions::default().dimension))]
    pub dimension: usize,
    /// Added to the covariance's diagonal
    #[cfg_attr(feature = "clap", arg(long, default_value_t = BuildOptions::default().ridge))]
    pub ridge: f64,
    /// How models are sampled.
    #[cfg_attr(feature = "clap", command(flatten))]
    pub sampling: Sampling,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            dimension: 128,
            ridge: 1e-3,
            sampling: Sampling::default(),
        }
    }
}

/// How parts of an index become one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct MergeOptions {
    /// Parts that `build --shard` wrote, or folders of them
    #[cfg_attr(feature = "clap", arg(required = true, value_name = "PART"))]
    pub parts: Vec<PathBuf>,
    /// Principal components of all models' features together that features are projected on
    #[cfg_attr(feature = "clap", arg(long, default_value_t = MergeOptions::default().dimension))]
    pub dimension: usize,
    /// Added to the covariance's diagonal
    #[cfg_attr(feature = "clap", arg(long, default_value_t = MergeOptions::default().ridge))]
    pub ridge: f64,
    /// Folder of models, where the index goes [default: zoo/ in the weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub zoo: Option<PathBuf>,
    /// Weights of the feature network, for parts of earlier versions, which lack samples that the index needs [default:
    /// the network's file in features/ of the weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub features_file: Option<PathBuf>,
    /// Write the index even where models of the zoo are in none of the parts
    #[cfg_attr(feature = "clap", arg(long))]
    pub partial: bool,
}

impl Default for MergeOptions {
    fn default() -> Self {
        let build = BuildOptions::default();
        Self {
            parts: Vec::new(),
            dimension: build.dimension,
            ridge: build.ridge,
            zoo: None,
            features_file: None,
            partial: false,
        }
    }
}

/// How an index is changed: sampling is that of the index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct ChangeOptions {
    /// Weights of the feature network [default: the network's file in features/ of the weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub features_file: Option<PathBuf>,
    /// Class of all samples of conditional models, counted from 0 [default: that of the samples before, or drawn
    /// uniformly]
    #[cfg_attr(feature = "clap", arg(long))]
    pub class: Option<usize>,
    /// Leave out models that cannot be sampled, and say which
    #[cfg_attr(feature = "clap", arg(long))]
    pub skip_bad: bool,
    /// Folder of models [default: zoo/ in the weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub zoo: Option<PathBuf>,
    /// Where statistics are kept while they are made. They are not kept without
    #[cfg_attr(feature = "clap", arg(skip))]
    pub moments: Option<PathBuf>,
}

/// What accuracies are compared for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct EvaluateOptions {
    /// Dimensions to compare
    #[cfg_attr(feature = "clap", arg(long, value_delimiter = ',', default_values_t = EvaluateOptions::default().dimensions))]
    pub dimensions: Vec<usize>,
    /// Ridges to compare
    #[cfg_attr(feature = "clap", arg(long, value_delimiter = ',', default_values_t = EvaluateOptions::default().ridges))]
    pub ridges: Vec<f64>,
    /// Folder with a folder of images for each model, or a file NAME.png of square images below each other [default:
    /// studies/ in the weights folder, or queries/ where that is not there]
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub queries: Option<PathBuf>,
    /// In place of samples take what each model was trained on (drawn by weights/zoo/render): what perfect models would
    /// reach
    #[cfg_attr(feature = "clap", arg(long))]
    pub training_images: bool,
    /// How models are sampled.
    #[cfg_attr(feature = "clap", command(flatten))]
    pub sampling: Sampling,
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        Self {
            dimensions: vec![16, 32, 64, 128, 256],
            ridges: vec![1e-5, 1e-4, 1e-3, 1e-2],
            queries: None,
            training_images: false,
            sampling: Sampling::default(),
        }
    }
}
