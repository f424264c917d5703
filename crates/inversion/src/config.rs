use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{InversionError, Schedule};

/// Which latents are optimized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LatentSpace {
    /// One w for all layers: stays close to what the generator was trained on, and reaches less.
    W,
    /// One w for each layer (Abdal et al. 2019).
    #[default]
    WPlus,
}

/// Where the optimization starts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one of it, and a box would be in the way of every caller"
)]
#[non_exhaustive]
pub enum Start {
    /// The mean latent in every layer, as the official projector.
    WAvg,
    /// For each target the one with the least objective among the mean latent and this many random latents.
    BestOf {
        /// Number of random latents.
        samples: usize,
        /// Truncation towards the mean latent: 1 leaves the samples as they are, less makes them more typical.
        truncation_psi: f32,
        /// Seed of the latents, the same for every target.
        seed: u32,
    },
    /// Given latents, `[1 or batch, num_ws, w_dim]`, or `[1 or batch, 1, w_dim]` for one w in all layers (the only
    /// shape in W).
    ///
    /// Serde refuses to write them: tensors are no settings.
    #[serde(skip)]
    Given(Tensor<3>),
}

/// Which noise images the generator adds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Noise {
    /// The generator's own, fixed.
    #[default]
    Constant,
    /// None.
    None,
    /// Optimized together with the latents, as the official projector does; each target has its own.
    Optimized(NoiseOptimization),
}

/// Optimization of the noise images.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoiseOptimization {
    /// Their values before the first step.
    pub start: NoiseStart,
    /// Weight of [`noise_regularization`](crate::noise_regularization) in the objective, which keeps image content out
    /// of the noise.
    pub regularization: f32,
}

impl NoiseOptimization {
    /// The official projector's weight of the noise regularization.
    pub const OFFICIAL_REGULARIZATION: f32 = 1e5;
}

impl Default for NoiseOptimization {
    /// The generator's own images and the official weight.
    fn default() -> Self {
        Self {
            start: NoiseStart::Constant,
            regularization: Self::OFFICIAL_REGULARIZATION,
        }
    }
}

/// Noise images before the first step.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoiseStart {
    /// The generator's own.
    Constant,
    /// Standard normal values, the same for every target; the official projector draws them so.
    Random {
        /// Seed of the values.
        seed: u32,
    },
    /// These, in the order of [`SynthesisNetwork::noise_images`](stylegan2::SynthesisNetwork::noise_images), each
    /// `[1 or batch, 1, resolution, resolution]`. Serde refuses to write them.
    #[serde(skip)]
    Given(Vec<Tensor<4>>),
}

/// The official projector's random perturbation of the latents, which helps to leave poor minima early on.
///
/// At t = step / steps the latents get normal noise of standard deviation
/// `w_std initial_factor max(0, 1 - t / ramp)^2`, where `w_std = sqrt(E |w - w_avg|^2)` over `w_std_samples` random
/// latents. Every target gets the same noise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Perturbation {
    /// Size at the start, in units of `w_std`.
    pub initial_factor: f64,
    /// Fraction of the steps after which it is 0.
    pub ramp: f64,
    /// Random latents for `w_std`.
    pub w_std_samples: usize,
    /// Seed of the noise and of the latents for `w_std`.
    pub seed: u32,
}

impl Default for Perturbation {
    /// The official projector's values.
    fn default() -> Self {
        Self {
            initial_factor: 0.05,
            ramp: 0.75,
            w_std_samples: 10_000,
            seed: 123,
        }
    }
}

/// How latents are moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Optimizer {
    /// Adam, as in the official projector.
    #[default]
    Adam,
    /// L-BFGS with a line search for the weak Wolfe conditions, each image for itself. A step is an evaluation of the
    /// objective and costs what one of Adam's costs; rate and schedule are Adam's alone, and losses are read at every
    /// step. It needs an objective that stays the same, and moves latents only: noise images cannot be optimized and
    /// latents not be perturbed.
    Lbfgs,
}

impl Optimizer {
    fn is_adam(&self) -> bool {
        *self == Self::Adam
    }
}

/// When an image is done before the last step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Steps without improvement after which an image stops.
    pub patience: usize,
    /// Fraction by which the objective must fall below its best value to count as an improvement.
    pub min_improvement: f64,
}

/// Settings of [`invert`](crate::invert). Serde reads and writes them, all but tensors to start from.
///
/// ```
/// use inversion::{InversionConfig, Start};
///
/// let config = InversionConfig {
///     steps: 50,
///     start: Start::BestOf { samples: 100, truncation_psi: 0.7, seed: 1 },
///     ..InversionConfig::default()
/// };
/// let text = serde_json::to_string(&config)?;
/// let read: InversionConfig = serde_json::from_str(&text)?;
/// assert_eq!(serde_json::to_string(&read)?, text);
///
/// // What is left out is as by default, and a name that is not known is an error.
/// let short: InversionConfig = serde_json::from_str(r#"{"steps": 50}"#)?;
/// assert_eq!((short.steps, short.learning_rate), (50, 0.1));
/// assert!(serde_json::from_str::<InversionConfig>(r#"{"stepz": 50}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InversionConfig {
    /// Which latents are optimized.
    pub space: LatentSpace,
    /// How they are.
    #[serde(skip_serializing_if = "Optimizer::is_adam")]
    pub optimizer: Optimizer,
    /// Number of steps; 0 evaluates the start.
    pub steps: usize,
    /// Adam's learning rate where the schedule's factor is 1.
    pub learning_rate: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Weight of the LPIPS distance.
    pub lambda_lpips: f32,
    /// Weight of the mean squared error of the pixels in [-1, 1].
    pub lambda_mse: f32,
    /// Weight of the mean square of `w_plus - w_avg`, a pull towards latents that the generator knows; 0 for none.
    pub lambda_w_avg: f32,
    /// Weight of [`LatentPrior::pull`](crate::LatentPrior::pull), a pull towards latents that the mapping network is
    /// likely to make; 0 for none.
    pub lambda_prior: f32,
    /// Where the optimization starts.
    pub start: Start,
    /// Which noise images the generator adds.
    pub noise: Noise,
    /// Random perturbation of the latents.
    pub perturbation: Option<Perturbation>,
    /// When an image is done before the last step.
    pub early_stopping: Option<EarlyStopping>,
    /// Losses are read from the device, best latents kept, images stopped and progress reported every so many steps,
    /// from the first on.
    ///
    /// 1 costs nothing on the CPU. On a GPU every read waits for the device, so 10 or so is faster; the best latents
    /// are then the best among the steps that were read.
    pub report_every: usize,
}

impl Default for InversionConfig {
    /// W+, 300 steps from the mean latent, learning rate 0.1 throughout, one part LPIPS and five parts MSE.
    ///
    /// The repository's `docs/results.md` has the measurements behind the rate, its schedule and the weights.
    fn default() -> Self {
        Self {
            space: LatentSpace::WPlus,
            optimizer: Optimizer::Adam,
            steps: 300,
            learning_rate: 0.1,
            schedule: Schedule::Constant,
            lambda_lpips: 1.0,
            lambda_mse: 5.0,
            lambda_w_avg: 0.0,
            lambda_prior: 0.0,
            start: Start::WAvg,
            noise: Noise::Constant,
            perturbation: None,
            early_stopping: None,
            report_every: 1,
        }
    }
}

/// Most random latents: 2 GB of them at 512 numbers each, and far more than a choice or a standard deviation gains
/// from.
const MAX_SAMPLES: usize = 1_000_000;

/// Largest learning rate. A step of Adam moves every number of a latent by about as much, and they are a few units
/// apart.
const MAX_LEARNING_RATE: f64 = 1000.0;
/// Largest weight of a term. Times the squares of what images and latents have it stays far from the end of f32,
/// 3.4e38.
const MAX_WEIGHT: f32 = 1e12;
/// Largest truncation and perturbation, in either direction.
const MAX_FACTOR: f64 = 1000.0;
/// Most steps: at a millisecond each that is a day.
const MAX_STEPS: usize = 100_000_000;

impl InversionConfig {
    /// Checks every setting's range.
    ///
    /// # Errors
    /// [`InversionError::Setting`] names the first that is out of range, and the range.
    pub fn validate(&self) -> Result<(), InversionError> {
        let check = |holds: bool, setting, found: String, expected| {
            if holds {
                Ok(())
            } else {
                Err(InversionError::Setting {
                    setting,
                    found,
                    expected,
                })
            }
        };
        let weight = |setting, value: f32| {
            check(
                (0.0..=MAX_WEIGHT).contains(&value),
                setting,
                value.to_string(),
                "a number from 0 to 1e12",
            )
        };
        let fraction = |setting, value: f64| {
            check(
                (0.0..=1.0).contains(&value),
                setting,
                value.to_string(),
                "a fraction from 0 to 1",
            )
        };
        let count =
            |setting, value: usize| check(value > 0, setting, value.to_string(), "at least 1");

        check(
            self.learning_rate > 0.0 && self.learning_rate <= MAX_LEARNING_RATE,
            "learning_rate",
            self.learning_rate.to_string(),
            "a number above 0 and at most 1000",
        )?;
        check(
            self.steps <= MAX_STEPS,
            "steps",
            self.steps.to_string(),
            "at most 100000000",
        )?;
        if let Schedule::Ramp { ramp_down, ramp_up } = self.schedule {
            fraction("schedule.ramp_down", ramp_down)?;
            fraction("schedule.ramp_up", ramp_up)?;
        }
        weight("lambda_lpips", self.lambda_lpips)?;
        weight("lambda_mse", self.lambda_mse)?;
        weight("lambda_w_avg", self.lambda_w_avg)?;
        weight("lambda_prior", self.lambda_prior)?;
        check(
            self.lambda_lpips > 0.0 || self.lambda_mse > 0.0,
            "lambda_lpips and lambda_mse",
            "0 for both".into(),
            "at least one above 0, as nothing else depends on the target",
        )?;
        if let Start::BestOf {
            samples,
            truncation_psi,
            ..
        } = self.start
        {
            check(
                (1..=MAX_SAMPLES).contains(&samples),
                "start.samples",
                samples.to_string(),
                "1 to 1000000",
            )?;
            check(
                f64::from(truncation_psi.abs()) <= MAX_FACTOR,
                "start.truncation_psi",
                truncation_psi.to_string(),
                "a number from -1000 to 1000",
            )?;
        }
        if let Noise::Optimized(noise) = &self.noise {
            weight("noise.regularization", noise.regularization)?;
        }
        if let Some(perturbation) = self.perturbation {
            check(
                (0.0..=MAX_FACTOR).contains(&perturbation.initial_factor),
                "perturbation.initial_factor",
                perturbation.initial_factor.to_string(),
                "a number from 0 to 1000",
            )?;
            fraction("perturbation.ramp", perturbation.ramp)?;
            check(
                (1..=MAX_SAMPLES).contains(&perturbation.w_std_samples),
                "perturbation.w_std_samples",
                perturbation.w_std_samples.to_string(),
                "1 to 1000000",
            )?;
        }
        if let Some(stopping) = self.early_stopping {
            count("early_stopping.patience", stopping.patience)?;
            fraction("early_stopping.min_improvement", stopping.min_improvement)?;
        }
        count("report_every", self.report_every)?;
        let changes = match (&self.noise, &self.perturbation) {
            (Noise::Optimized(_), _) => Some("optimized noise images"),
            (_, Some(_)) => Some("perturbed latents"),
            _ => None,
        };
        match (self.optimizer, changes) {
            (Optimizer::Lbfgs, Some(what)) => Err(InversionError::Setting {
                setting: "optimizer",
                found: format!("L-BFGS with {what}"),
                expected: "Adam for those",
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(config: InversionConfig) -> String {
        config
            .validate()
            .expect_err("a setting out of range")
            .to_string()
    }

    #[test]
    fn settings_out_of_range_are_named_with_what_is_expected() {
        let config = InversionConfig::default();
        assert!(config.validate().is_ok());
        assert_eq!(
            refused(InversionConfig {
                learning_rate: f64::NAN,
                ..config.clone()
            }),
            "learning_rate is NaN, expected a number above 0 and at most 1000"
        );
        for learning_rate in [0.0, -1.0, 1e20, 1e308, f64::INFINITY] {
            let message = refused(InversionConfig {
                learning_rate,
                ..config.clone()
            });
            assert!(message.contains("at most 1000"), "{message}");
        }
        assert_eq!(
            refused(InversionConfig {
                lambda_mse: -1.0,
                ..config.clone()
            }),
            "lambda_mse is -1, expected a number from 0 to 1e12"
        );
        assert!(
            refused(InversionConfig {
                lambda_mse: 0.0,
                lambda_lpips: 0.0,
                ..config.clone()
            })
            .starts_with("lambda_lpips and lambda_mse is 0 for both")
        );
        assert!(
            refused(InversionConfig {
                report_every: 0,
                ..config.clone()
            })
            .starts_with("report_every is 0")
        );
        let lbfgs = InversionConfig {
            optimizer: Optimizer::Lbfgs,
            ..config.clone()
        };
        assert!(lbfgs.validate().is_ok());
        assert!(
            refused(InversionConfig {
                perturbation: Some(Perturbation::default()),
                ..lbfgs
            })
            .starts_with("optimizer is L-BFGS with perturbed latents")
        );
        assert!(
            refused(InversionConfig {
                early_stopping: Some(EarlyStopping {
                    patience: 0,
                    min_improvement: 0.01
                }),
                ..config
            })
            .starts_with("early_stopping.patience is 0")
        );
    }
}
