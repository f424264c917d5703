//! Ranges beyond which an option can only be a mistake, so that it is refused before hours of training and not after.

use crate::{AdamOptions, TrainingConfig, TrainingError};

/// Largest learning rate. Weights are of the size of 1 and a step of Adam moves each by about the rate; published runs
/// use 0.0005 to 0.01.
const MAX_LEARNING_RATE: f64 = 1.0;
/// Largest weight of a loss; the official runs use up to 100 for R1 at 1024 pixels.
const MAX_WEIGHT: f64 = 1e6;
/// Largest epsilon of Adam: beyond it the gradient's own size no longer counts.
const MAX_EPSILON: f64 = 1.0;
/// Longest half-life of an average, in thousands of images: more than a hundred times the longest published run.
const MAX_KIMG: f64 = 1e7;
/// Most images of a batch.
const MAX_BATCH: usize = 1 << 16;

/// Checks sizes; that numbers are numbers, signs and what goes together is [`TrainingConfig::validate`]'s.
pub(crate) fn check(config: &TrainingConfig) -> Result<(), TrainingError> {
    at_most("batch_size", config.batch_size as f64, MAX_BATCH as f64)?;
    for (options, adam) in [
        (
            ["generator_adam.learning_rate", "generator_adam.epsilon"],
            config.generator_adam,
        ),
        (
            [
                "discriminator_adam.learning_rate",
                "discriminator_adam.epsilon",
            ],
            config.discriminator_adam,
        ),
        (
            [
                "vision_aided.adam.learning_rate",
                "vision_aided.adam.epsilon",
            ],
            config.vision_aided.adam,
        ),
    ] {
        let AdamOptions {
            learning_rate,
            epsilon,
            ..
        } = adam;
        at_most(options[0], learning_rate, MAX_LEARNING_RATE)?;
        at_most(options[1], epsilon, MAX_EPSILON)?;
    }
    at_most("r1_gamma", config.r1_gamma, MAX_WEIGHT)?;
    at_most("r2_gamma", config.r2_gamma, MAX_WEIGHT)?;
    at_most("flatness_weight", config.flatness_weight, MAX_WEIGHT)?;
    at_most("path_length_weight", config.path_length_weight, MAX_WEIGHT)?;
    at_most(
        "vision_aided.weight",
        config.vision_aided.weight,
        MAX_WEIGHT,
    )?;
    at_most(
        "vision_aided.balance",
        config.vision_aided.balance.unwrap_or_default(),
        MAX_WEIGHT,
    )?;
    at_most("average.kimg", config.average.kimg, MAX_KIMG)?;
    at_most(
        "slow_average_kimg",
        config.slow_average_kimg.unwrap_or_default(),
        MAX_KIMG,
    )
}

fn at_most(option: &'static str, value: f64, limit: f64) -> Result<(), TrainingError> {
    if value <= limit {
        return Ok(());
    }
    Err(TrainingError::InvalidOption {
        option,
        found: value.to_string(),
        expected: format!("at most {limit}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_can_only_be_mistakes_are_named() {
        let config = TrainingConfig::default();
        check(&config).expect("the default is in range");
        let refused = |config: TrainingConfig, option: &str| {
            let message = check(&config).expect_err(option).to_string();
            assert!(message.contains(option), "{message}");
        };
        for value in [1e20, 1e308, f64::INFINITY, f64::NAN] {
            refused(
                TrainingConfig {
                    r1_gamma: value,
                    ..config.clone()
                },
                "r1_gamma",
            );
            let mut fast = config.clone();
            fast.discriminator_adam.learning_rate = value;
            refused(fast, "discriminator_adam.learning_rate");
        }
        refused(
            TrainingConfig {
                batch_size: usize::MAX,
                ..config
            },
            "batch_size",
        );
    }
}
