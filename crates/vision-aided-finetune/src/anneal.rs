use serde::{Deserialize, Serialize};

use crate::TrainingError;

/// Images in a kimg.
const KILO: f64 = 1000.0;

/// Learning rates that fall towards the end of a run, by a constant factor for every image.
///
/// Large steps find the shapes of the data sooner, and small ones draw them cleanly. R1 keeps its weight unless it is
/// given an end of its own.
///
/// ```
/// use vision_aided_finetune::Annealing;
///
/// let annealing: Annealing = "48:54:0.2".parse()?;
/// assert_eq!(annealing.learning_rate_factor(0), 1.0);
/// assert_eq!(annealing.learning_rate_factor(60_000), 0.2);
/// # Ok::<(), vision_aided_finetune::TrainingError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Annealing {
    /// Thousands of images of the whole run at which it begins.
    pub from_kimg: f64,
    /// Thousands of images of the whole run at which it ends.
    pub to_kimg: f64,
    /// Factor on the learning rates of both networks at the end.
    pub learning_rate: f64,
    /// Factor on the weight of R1 at the end.
    pub r1_gamma: f64,
}

impl Annealing {
    /// The factor on the learning rates after `shown` images.
    pub fn learning_rate_factor(self, shown: u64) -> f64 {
        self.learning_rate.powf(self.progress(shown))
    }

    /// The factor on the weight of R1 after `shown` images.
    pub fn r1_factor(self, shown: u64) -> f64 {
        self.r1_gamma.powf(self.progress(shown))
    }

    /// From 0 to 1.
    fn progress(self, shown: u64) -> f64 {
        let length = self.to_kimg - self.from_kimg;
        ((shown as f64 / KILO - self.from_kimg) / length).clamp(0.0, 1.0)
    }

    pub(crate) fn validate(self) -> Result<(), TrainingError> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let ordered = 0.0 <= self.from_kimg && self.from_kimg < self.to_kimg;
        if ordered
            && self.to_kimg.is_finite()
            && positive(self.learning_rate)
            && positive(self.r1_gamma)
        {
            return Ok(());
        }
        Err(TrainingError::InvalidOption {
            option: "annealing",
            found: self.to_string(),
            expected: "FROM:TO:RATE or FROM:TO:RATE:R1, FROM below TO in thousands of images, the others positive factors"
                .to_owned(),
        })
    }
}

impl std::str::FromStr for Annealing {
    type Err = TrainingError;

    /// Reads `FROM:TO:RATE` or `FROM:TO:RATE:R1`.
    fn from_str(text: &str) -> Result<Self, TrainingError> {
        let invalid = || TrainingError::InvalidOption {
            option: "annealing",
            found: text.to_owned(),
            expected: "FROM:TO:RATE or FROM:TO:RATE:R1, such as 48:54:0.2".to_owned(),
        };
        let numbers: Vec<f64> = text
            .split(':')
            .map(|number| number.parse().map_err(|_| invalid()))
            .collect::<Result<_, _>>()?;
        let (from_kimg, to_kimg, learning_rate, r1_gamma) = match numbers[..] {
            [from, to, rate] => (from, to, rate, 1.0),
            [from, to, rate, r1] => (from, to, rate, r1),
            _ => return Err(invalid()),
        };
        let annealing = Self {
            from_kimg,
            to_kimg,
            learning_rate,
            r1_gamma,
        };
        annealing.validate()?;
        Ok(annealing)
    }
}

impl std::fmt::Display for Annealing {
    /// What [`from_str`](std::str::FromStr::from_str) reads.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{}:{}",
            self.from_kimg, self.to_kimg, self.learning_rate
        )?;
        if self.r1_gamma == 1.0 {
            return Ok(());
        }
        write!(f, ":{}", self.r1_gamma)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_fall_by_the_same_ratio_in_every_part() {
        let annealing: Annealing = "10:14:0.0625:4".parse().expect("four numbers");
        for (shown, rate, r1) in [
            (0, 1.0, 1.0),
            (10_000, 1.0, 1.0),
            (11_000, 0.5, 2f64.sqrt()),
            (12_000, 0.25, 2.0),
            (14_000, 0.0625, 4.0),
            (u64::MAX, 0.0625, 4.0),
        ] {
            // Rounding of a power.
            assert!((annealing.learning_rate_factor(shown) - rate).abs() < 1e-12);
            assert!((annealing.r1_factor(shown) - r1).abs() < 1e-12);
        }
    }

    #[test]
    fn its_text_is_read_back_and_nonsense_is_refused() {
        for text in ["48:54:0.2", "0:1:0.5:3"] {
            let annealing: Annealing = text.parse().expect(text);
            assert_eq!(annealing.to_string(), text);
        }
        for text in [
            "",
            "48",
            "48:54",
            "54:48:0.2",
            "48:48:0.2",
            "-1:2:0.5",
            "0:1:0",
            "0:1:-1",
            "0:1:nan",
            "0:inf:0.5",
            "0:1:1:0",
            "0:1:1:1:1",
            "a:b:c",
        ] {
            let message = text.parse::<Annealing>().expect_err(text).to_string();
            assert!(message.contains("annealing"), "{message}");
        }
    }
}
