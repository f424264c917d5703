//! How an inversion goes.

use burn::tensor::Device;
use inversion::{
    EarlyStopping, InversionConfig, LatentSpace, NoiseOptimization, NoiseStart, Optimizer,
    Perturbation, RefinementConfig, Start,
};
use lpips::LpipsNetwork;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::device::DeviceChoice;

/// How images are inverted. [`inversion::InversionConfig`] has the ranges of its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct Settings {
    /// Latents to optimize: one w for all layers, or one for each
    #[cfg_attr(feature = "clap", arg(long, value_enum, default_value_t))]
    pub space: Space,
    /// How latents are optimized
    #[cfg_attr(feature = "clap", arg(long, value_enum, default_value_t))]
    pub optimizer: OptimizerChoice,
    /// Optimization steps
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Settings::default().steps))]
    pub steps: usize,
    /// Network of the LPIPS distance
    #[cfg_attr(feature = "clap", arg(long, default_value_t, value_parser = lpips_network()))]
    pub lpips: LpipsNetwork,
    /// Images optimized together; results depend on it by rounding only
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Settings::default().batch, value_parser = clap::value_parser!(u16).range(1..)))]
    pub batch: u16,
    /// Adam's learning rate
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Settings::default().learning_rate))]
    pub learning_rate: f64,
    /// Course of the learning rate
    #[cfg_attr(feature = "clap", arg(long, value_enum, default_value_t))]
    pub schedule: ScheduleChoice,
    /// Weight of the LPIPS distance
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Settings::default().lambda_lpips))]
    pub lambda_lpips: f32,
    /// Weight of the mean squared pixel error
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Settings::default().lambda_mse))]
    pub lambda_mse: f32,
    /// Weight of the pull towards the mean latent
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Settings::default().lambda_w_avg))]
    pub lambda_w_avg: f32,
    /// Pull the latents towards those that the model is likely to make, in the space before the mapping network's last
    /// activation
    #[cfg_attr(feature = "clap", arg(long))]
    pub prior: bool,
    /// Weight of --prior
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Settings::default().lambda_prior))]
    pub lambda_prior: f32,
    /// Where the optimization starts
    #[cfg_attr(feature = "clap", arg(long, value_enum, default_value_t))]
    pub start: StartChoice,
    /// Random latents of --start sampled
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Settings::default().start_samples))]
    pub start_samples: usize,
    /// Truncation of those random latents
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Settings::default().start_psi))]
    pub start_psi: f32,
    /// Noise images of the model
    #[cfg_attr(feature = "clap", arg(long, value_enum, default_value_t))]
    pub noise: NoiseChoice,
    /// Weight that keeps optimized noise images white
    #[serde(alias = "noise_regularisation")]
    #[cfg_attr(feature = "clap", arg(long, alias = "noise-regularisation", default_value_t = Settings::default().noise_regularization))]
    pub noise_regularization: f32,
    /// Perturb the latents randomly at first, as the official projector does
    #[cfg_attr(feature = "clap", arg(long))]
    pub perturb: bool,
    /// End an image's optimization after this many steps without improvement
    #[cfg_attr(feature = "clap", arg(long, value_name = "STEPS"))]
    pub patience: Option<usize>,
    /// Fraction by which the loss must fall to count as an improvement
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Settings::default().min_improvement))]
    pub min_improvement: f64,
    /// Then add an offset to the features behind one block, where the image is not yet like its target
    #[cfg_attr(feature = "clap", arg(long))]
    pub refine: bool,
    /// Side of that block's output [default: a quarter of the image's]
    #[cfg_attr(feature = "clap", arg(long, value_name = "SIDE"))]
    pub refine_block: Option<usize>,
    /// Optimization steps of --refine
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Settings::default().refine_steps))]
    pub refine_steps: usize,
    /// Adam's learning rate of --refine, in units of the features
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Settings::default().refine_learning_rate))]
    pub refine_learning_rate: f64,
    /// Weight of the pull that keeps the offset of --refine small
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Settings::default().lambda_offset))]
    pub lambda_offset: f32,
    /// LPIPS of a place from which on --refine changes its features freely; less where it is less
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Settings::default().mask_level))]
    pub mask_level: f32,
}

impl Default for Settings {
    fn default() -> Self {
        let config = InversionConfig::default();
        let refinement = RefinementConfig::default();
        Self {
            space: Space::default(),
            optimizer: OptimizerChoice::default(),
            steps: config.steps,
            lpips: LpipsNetwork::default(),
            batch: 4,
            learning_rate: config.learning_rate,
            schedule: ScheduleChoice::default(),
            lambda_lpips: config.lambda_lpips,
            lambda_mse: config.lambda_mse,
            lambda_w_avg: config.lambda_w_avg,
            prior: false,
            lambda_prior: 0.001,
            start: StartChoice::default(),
            start_samples: 100,
            start_psi: 0.7,
            noise: NoiseChoice::default(),
            noise_regularization: NoiseOptimization::OFFICIAL_REGULARIZATION,
            perturb: false,
            patience: None,
            min_improvement: 0.001,
            refine: false,
            refine_block: refinement.block,
            refine_steps: refinement.steps,
            refine_learning_rate: refinement.learning_rate,
            lambda_offset: refinement.lambda_offset,
            mask_level: refinement.mask_level,
        }
    }
}

/// Where an inversion starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum StartChoice {
    /// At the best of random latents and the mean latent, for each image
    #[default]
    Sampled,
    /// At the mean latent, as in the paper and the official projector
    Mean,
    /// At a regression from the image's features, fitted to the model's samples the first time and kept beside the
    /// model
    Regressed,
}

/// How latents are optimized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum OptimizerChoice {
    /// Adam
    #[default]
    Adam,
    /// L-BFGS with a line search: closer in as many steps, each of which costs the same
    Lbfgs,
}

/// The latents that are optimized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Space {
    /// One for all layers
    W,
    /// One for each layer
    #[default]
    #[serde(alias = "w-plus")]
    #[cfg_attr(feature = "clap", value(name = "w_plus", alias = "w-plus"))]
    WPlus,
}

impl Space {
    /// As results name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::W => "w",
            Self::WPlus => "w_plus",
        }
    }
}

/// How the learning rate goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum ScheduleChoice {
    /// The same at every step
    #[default]
    Constant,
    /// Up over the first twentieth, down over the last quarter
    Ramp,
}

/// Which noise images an inversion has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum NoiseChoice {
    /// The model's own
    #[default]
    Constant,
    /// No noise
    None,
    /// Optimized with the latents, from random images
    #[serde(alias = "optimised")]
    #[cfg_attr(feature = "clap", value(alias = "optimised"))]
    Optimized,
}

/// The names of LPIPS' networks.
#[cfg(feature = "clap")]
fn lpips_network() -> impl clap::builder::TypedValueParser<Value = LpipsNetwork> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    let names = LpipsNetwork::ALL.map(LpipsNetwork::name);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<LpipsNetwork>())
}

impl Settings {
    /// Whether the values make sense together, as far as that can be said before the model is known.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for no images at a time, and [`Error::Inversion`] for a number out of its range; both name it.
    pub fn validate(&self) -> Result<(), Error> {
        if self.batch == 0 {
            return Err(Error::option("batch", self.batch, "expected at least 1"));
        }
        self.refinement_of(1).validate()?;
        Ok(self.config_of(0, 1).validate()?)
    }

    /// Whether LPIPS with the chosen network takes images of `side` x `side` pixels, as the model makes them.
    ///
    /// # Errors
    ///
    /// They are too small for it; the error says which network takes them.
    pub fn check_side(&self, model: &str, side: u32) -> Result<(), Error> {
        let network = self.lpips;
        let (side, least) = (side as usize, network.min_size());
        if side >= least {
            return Ok(());
        }
        let vgg = LpipsNetwork::Vgg16.min_size();
        let what_to_do = if side >= vgg {
            "use vgg".to_owned()
        } else {
            format!("none of its networks takes less than {vgg}x{vgg}")
        };
        Err(Error::option(
            "lpips",
            network,
            format!(
                "it takes images from {least}x{least} pixels on and {model} makes {side}x{side}; {what_to_do}"
            ),
        ))
    }

    /// As [`inversion::invert`] takes them. `seed` is that of all that is random; the device decides how often losses
    /// are read.
    pub fn config(&self, seed: u32, device: &Device) -> InversionConfig {
        self.config_of(seed, DeviceChoice::of(device).steps_between_reads())
    }

    /// As [`inversion::refine`] takes them.
    pub fn refinement(&self, device: &Device) -> RefinementConfig {
        self.refinement_of(DeviceChoice::of(device).steps_between_reads())
    }

    fn refinement_of(&self, report_every: usize) -> RefinementConfig {
        RefinementConfig {
            block: self.refine_block,
            steps: self.refine_steps,
            learning_rate: self.refine_learning_rate,
            lambda_lpips: self.lambda_lpips,
            lambda_mse: self.lambda_mse,
            lambda_offset: self.lambda_offset,
            mask_level: self.mask_level,
            report_every,
            ..RefinementConfig::default()
        }
    }

    fn config_of(&self, seed: u32, report_every: usize) -> InversionConfig {
        InversionConfig {
            space: match self.space {
                Space::W => LatentSpace::W,
                Space::WPlus => LatentSpace::WPlus,
            },
            optimizer: match self.optimizer {
                OptimizerChoice::Adam => Optimizer::Adam,
                OptimizerChoice::Lbfgs => Optimizer::Lbfgs,
            },
            steps: self.steps,
            learning_rate: self.learning_rate,
            schedule: match self.schedule {
                ScheduleChoice::Constant => inversion::Schedule::Constant,
                ScheduleChoice::Ramp => inversion::Schedule::OFFICIAL_RAMP,
            },
            lambda_lpips: self.lambda_lpips,
            lambda_mse: self.lambda_mse,
            lambda_w_avg: self.lambda_w_avg,
            lambda_prior: match self.prior {
                true => self.lambda_prior,
                false => 0.0,
            },
            start: match self.start {
                StartChoice::Sampled if self.start_samples > 0 => Start::BestOf {
                    samples: self.start_samples,
                    truncation_psi: self.start_psi,
                    seed,
                },
                // A search puts what is regressed from its images in place of it.
                StartChoice::Sampled | StartChoice::Mean | StartChoice::Regressed => Start::WAvg,
            },
            noise: match self.noise {
                NoiseChoice::Constant => inversion::Noise::Constant,
                NoiseChoice::None => inversion::Noise::None,
                NoiseChoice::Optimized => inversion::Noise::Optimized(NoiseOptimization {
                    start: NoiseStart::Random { seed },
                    regularization: self.noise_regularization,
                }),
            },
            perturbation: self.perturb.then(|| Perturbation {
                seed,
                ..Perturbation::default()
            }),
            early_stopping: self.patience.map(|patience| EarlyStopping {
                patience,
                min_improvement: self.min_improvement,
            }),
            report_every,
        }
    }
}
