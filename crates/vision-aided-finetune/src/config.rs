use serde::{Deserialize, Serialize};

use crate::progressive;
use crate::random::{self, Stream, stream};
use crate::ranges;
use crate::vision_aided::VisionAidedConfig;
use crate::{
    AdamOptions, Annealing, DiffAugment, ExponentialMovingAverage, ProgressiveStage, TrainingError,
};

/// Options of training; the defaults are those of stylegan2-ada-pytorch's `--cfg=stylegan2` for a batch of 16, with the
/// ramp-up of its `--cfg=auto`.
///
/// `--cfg=auto` also chooses by side and batch: learning rate 0.0025 below 1024 pixels, and an R1 weight of 0.0002
/// times the side squared over the batch. A run that starts from weights has no ramp-up there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Start of all random numbers.
    pub seed: u64,
    /// Images of a batch; a multiple of the group of the discriminator's minibatch standard deviation.
    pub batch_size: usize,
    /// The generator's optimizer, before the correction for lazy regularization.
    pub generator_adam: AdamOptions,
    /// The discriminator's optimizer, before the correction for lazy regularization.
    pub discriminator_adam: AdamOptions,
    /// Weight of R1, 10 in StyleGAN2: the loss has `gamma / 2` times the penalty.
    ///
    /// In a stage of lower resolution it is less, in proportion to the number of pixels, as `--cfg=auto` chooses it.
    pub r1_gamma: f64,
    /// Iterations between two R1 steps, 16 in StyleGAN2; 0 for none.
    pub r1_interval: u64,
    /// Weight of R2, the same penalty at generated images, in the iterations of R1 (Huang et al. 2024); 0 without, as in
    /// StyleGAN2.
    #[serde(default)]
    pub r2_gamma: f64,
    /// Whether the losses compare a generated image's logit with a real one's, as in
    /// [`relativistic_generator_loss`](crate::loss::relativistic_generator_loss), in place of each by itself.
    #[serde(default)]
    pub relativistic: bool,
    /// Weight of [`excess_variation`](crate::flatness::excess_variation), which makes areas of one color even; 0 without, as
    /// in StyleGAN2.
    #[serde(default)]
    pub flatness_weight: f64,
    /// Weight of the path length penalty, 2 in StyleGAN2.
    pub path_length_weight: f64,
    /// Iterations between two path length steps, 4 in StyleGAN2; 0 for none.
    pub path_length_interval: u64,
    /// The path length batch is the batch divided by this, 2 in StyleGAN2.
    pub path_length_batch_shrink: usize,
    /// Weight of a batch in the running mean of path lengths, 0.01 in StyleGAN2.
    pub path_length_decay: f32,
    /// Share of batches in which later layers get other latents, 0.9 in StyleGAN2.
    pub style_mixing_probability: f64,
    /// Running average of the generator's weights.
    pub average: ExponentialMovingAverage,
    /// What the discriminator sees instead of the images as they are.
    pub augment: DiffAugment,
    /// Whether half of the real images, drawn at random, are flipped left to right.
    ///
    /// Differs from the official option `mirror`, which shows every image and its mirror image once an epoch.
    pub mirror: bool,
    /// Whether the generator gets noise images in training. Flat art is better without (its noise strengths then stay
    /// what they are).
    pub noise: bool,
    /// Half-life of a second running average in thousands of images, without ramp-up; none by default. Which of the two
    /// makes the better images depends on the learning rate, and can be measured afterwards.
    #[serde(default)]
    pub slow_average_kimg: Option<f64>,
    /// Whether the discriminators' step sees the images of the generator's step, which saves a pass through the
    /// generator in every iteration.
    ///
    /// StyleGAN2's loop makes new images with the generator as it is after its step, which is the default.
    #[serde(default)]
    pub shared_images: bool,
    /// Learning rates, and the weight of R1, that change towards the end; none by default.
    #[serde(default)]
    pub annealing: Option<Annealing>,
    /// Stages of lower resolution that training goes through first; none by default.
    #[serde(default)]
    pub progressive: Vec<ProgressiveStage>,
    /// Options of the discriminators on frozen vision networks, where there are any.
    #[serde(default)]
    pub vision_aided: VisionAidedConfig,
}

/// StyleGAN2's half-life of the average: 10 kimg for batches of 32, in proportion to the batch.
const AVERAGE_KIMG_PER_IMAGE: f64 = 10.0 / 32.0;

impl Default for TrainingConfig {
    fn default() -> Self {
        let batch_size = 16;
        Self {
            seed: 0,
            batch_size,
            generator_adam: AdamOptions::default(),
            discriminator_adam: AdamOptions::default(),
            r1_gamma: 10.0,
            r1_interval: 16,
            r2_gamma: 0.0,
            relativistic: false,
            flatness_weight: 0.0,
            path_length_weight: 2.0,
            path_length_interval: 4,
            path_length_batch_shrink: 2,
            path_length_decay: 0.01,
            style_mixing_probability: 0.9,
            average: ExponentialMovingAverage {
                kimg: batch_size as f64 * AVERAGE_KIMG_PER_IMAGE,
                rampup: Some(0.05),
            },
            augment: DiffAugment::default(),
            mirror: false,
            noise: true,
            slow_average_kimg: None,
            shared_images: false,
            annealing: None,
            progressive: Vec::new(),
            vision_aided: VisionAidedConfig::default(),
        }
    }
}

impl TrainingConfig {
    /// Seeds for the random initial weights of a generator and a discriminator, drawn from [`seed`](Self::seed).
    ///
    /// ```
    /// use vision_aided_finetune::TrainingConfig;
    ///
    /// let seeds = |seed| TrainingConfig { seed, ..TrainingConfig::default() }.initial_weight_seeds();
    /// let [generator, discriminator] = seeds(0);
    /// assert_ne!(generator, discriminator);
    /// assert_ne!(seeds(0), seeds(1));
    /// ```
    pub fn initial_weight_seeds(&self) -> [u32; 2] {
        let mut random = stream(self.seed, 0, Stream::InitialWeights);
        [(); 2].map(|()| random::seed(&mut random) as u32)
    }

    /// Refuses a change of options that decide which random numbers and images the iterations of a run get.
    pub(crate) fn check_change(&self, changed: &Self) -> Result<(), TrainingError> {
        let fixed = |option, found: &dyn std::fmt::Debug, expected: &dyn std::fmt::Debug| {
            let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
            if found == expected {
                Ok(())
            } else {
                Err(TrainingError::FixedOption {
                    option,
                    found,
                    expected,
                })
            }
        };
        fixed("seed", &changed.seed, &self.seed)?;
        fixed("batch_size", &changed.batch_size, &self.batch_size)?;
        fixed("mirror", &changed.mirror, &self.mirror)?;
        fixed("noise", &changed.noise, &self.noise)?;
        fixed("progressive", &changed.progressive, &self.progressive)?;
        fixed(
            "vision_aided.head_form",
            &changed.vision_aided.head_form,
            &self.vision_aided.head_form,
        )
    }

    /// Checks every option's range.
    ///
    /// # Errors
    /// Names the first option that is out of range, and the range.
    pub fn validate(&self) -> Result<(), TrainingError> {
        let check = |option, valid: bool, found: String, expected: &str| {
            if valid {
                Ok(())
            } else {
                Err(TrainingError::InvalidOption {
                    option,
                    found,
                    expected: expected.into(),
                })
            }
        };
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let not_negative = |value: f64| value.is_finite() && value >= 0.0;
        check(
            "batch_size",
            self.batch_size > 0,
            self.batch_size.to_string(),
            "at least 1",
        )?;
        for (option, adam) in [
            ("generator_adam", self.generator_adam),
            ("discriminator_adam", self.discriminator_adam),
            ("vision_aided.adam", self.vision_aided.adam),
        ] {
            let valid = positive(adam.learning_rate)
                && (0.0..1.0).contains(&adam.beta_1)
                && (0.0..1.0).contains(&adam.beta_2)
                && positive(adam.epsilon);
            check(
                option,
                valid,
                format!("{adam:?}"),
                "a positive learning rate and epsilon, and betas from 0 to below 1",
            )?;
        }
        for (option, value) in [
            ("r1_gamma", self.r1_gamma),
            ("r2_gamma", self.r2_gamma),
            ("flatness_weight", self.flatness_weight),
            ("path_length_weight", self.path_length_weight),
            ("vision_aided.weight", self.vision_aided.weight),
        ] {
            check(
                option,
                not_negative(value),
                value.to_string(),
                "a number of at least 0",
            )?;
        }
        check(
            "vision_aided.balance",
            self.vision_aided.balance.is_none_or(positive),
            format!("{:?}", self.vision_aided.balance),
            "a positive number, or none",
        )?;
        let shrink = self.path_length_batch_shrink;
        check(
            "path_length_batch_shrink",
            (1..=self.batch_size).contains(&shrink),
            shrink.to_string(),
            "from 1 to the batch size",
        )?;
        check(
            "path_length_decay",
            (0.0..=1.0).contains(&self.path_length_decay),
            self.path_length_decay.to_string(),
            "from 0 to 1",
        )?;
        check(
            "style_mixing_probability",
            (0.0..=1.0).contains(&self.style_mixing_probability),
            self.style_mixing_probability.to_string(),
            "from 0 to 1",
        )?;
        ranges::check(self)?;
        progressive::validate(&self.progressive)?;
        if let Some(annealing) = self.annealing {
            annealing.validate()?;
        }
        check(
            "slow_average_kimg",
            self.slow_average_kimg.is_none_or(positive),
            format!("{:?}", self.slow_average_kimg),
            "a positive half-life",
        )?;
        let average = self.average;
        check(
            "average",
            positive(average.kimg) && average.rampup.is_none_or(positive),
            format!("{average:?}"),
            "a positive half-life and ramp-up",
        )
    }

    /// Whether an iteration takes a path length step.
    pub(crate) fn regularizes_path_length(&self, iteration: u64) -> bool {
        self.path_length_weight > 0.0
            && self.path_length_interval > 0
            && iteration.is_multiple_of(self.path_length_interval)
    }

    /// Whether the discriminator's gradient in its images is penalized at all, real or generated ones.
    fn penalizes_gradients(&self) -> bool {
        self.r1_gamma > 0.0 || self.r2_gamma > 0.0
    }

    /// Whether an iteration takes a step of R1, of R2 or of both.
    pub(crate) fn regularizes_discriminator(&self, iteration: u64) -> bool {
        self.penalizes_gradients()
            && self.r1_interval > 0
            && iteration.is_multiple_of(self.r1_interval)
    }

    /// The slow average as such.
    pub(crate) fn slow_average(&self) -> Option<ExponentialMovingAverage> {
        self.slow_average_kimg
            .map(|kimg| ExponentialMovingAverage { kimg, rampup: None })
    }

    /// Factors on the learning rates and on the weight of R1 after `shown` images.
    pub(crate) fn annealed(&self, shown: u64) -> [f64; 2] {
        match self.annealing {
            Some(annealing) => [
                annealing.learning_rate_factor(shown),
                annealing.r1_factor(shown),
            ],
            None => [1.0; 2],
        }
    }

    /// The generator's optimizer with the correction for its lazy regularizer.
    pub(crate) fn corrected_generator_adam(&self) -> AdamOptions {
        let interval = if self.path_length_weight > 0.0 {
            self.path_length_interval
        } else {
            0
        };
        self.generator_adam.for_lazy_regularization(interval)
    }

    /// The discriminator's optimizer with the correction for its lazy regularizer.
    pub(crate) fn corrected_discriminator_adam(&self) -> AdamOptions {
        let interval = if self.penalizes_gradients() {
            self.r1_interval
        } else {
            0
        };
        self.discriminator_adam.for_lazy_regularization(interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_survives_json() {
        let config = TrainingConfig::default();
        config.validate().expect("the default is valid");
        let json = serde_json::to_string(&config).expect("numbers and lists");
        assert_eq!(
            serde_json::from_str::<TrainingConfig>(&json).expect("its own JSON"),
            config
        );
    }

    #[test]
    fn options_out_of_range_are_named() {
        let broken = [
            (
                "batch_size",
                TrainingConfig {
                    batch_size: 0,
                    ..TrainingConfig::default()
                },
            ),
            (
                "r1_gamma",
                TrainingConfig {
                    r1_gamma: f64::NAN,
                    ..TrainingConfig::default()
                },
            ),
            (
                "r2_gamma",
                TrainingConfig {
                    r2_gamma: -1.0,
                    ..TrainingConfig::default()
                },
            ),
            (
                "flatness_weight",
                TrainingConfig {
                    flatness_weight: -1.0,
                    ..TrainingConfig::default()
                },
            ),
            (
                "path_length_weight",
                TrainingConfig {
                    path_length_weight: -1.0,
                    ..TrainingConfig::default()
                },
            ),
            (
                "path_length_batch_shrink",
                TrainingConfig {
                    path_length_batch_shrink: 17,
                    ..TrainingConfig::default()
                },
            ),
            (
                "path_length_decay",
                TrainingConfig {
                    path_length_decay: 1.5,
                    ..TrainingConfig::default()
                },
            ),
            (
                "style_mixing_probability",
                TrainingConfig {
                    style_mixing_probability: -0.1,
                    ..TrainingConfig::default()
                },
            ),
            (
                "vision_aided.balance",
                TrainingConfig {
                    vision_aided: VisionAidedConfig {
                        balance: Some(0.0),
                        ..VisionAidedConfig::default()
                    },
                    ..TrainingConfig::default()
                },
            ),
        ];
        for (option, config) in broken {
            let message = config.validate().expect_err(option).to_string();
            assert!(message.contains(option), "{message}");
        }
    }

    #[test]
    fn a_regularizer_that_is_off_leaves_the_optimizer_alone() {
        let config = TrainingConfig {
            r1_gamma: 0.0,
            path_length_interval: 0,
            ..TrainingConfig::default()
        };
        assert_eq!(
            config.corrected_discriminator_adam(),
            config.discriminator_adam
        );
        assert_eq!(config.corrected_generator_adam(), config.generator_adam);
        assert!(!config.regularizes_discriminator(0) && !config.regularizes_path_length(0));
    }
}
