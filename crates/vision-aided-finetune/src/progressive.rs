use serde::{Deserialize, Serialize};

use crate::TrainingError;

/// Images in a kimg.
const KILO: f64 = 1000.0;

/// One stage of progressive growing (Karras et al. 2018): training at a lower resolution than the images have.
///
/// At a quarter of the side an iteration takes a fraction of the time, and networks learn there what goes where; details come later.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgressiveStage {
    /// Side of the networks' images; the training images are averaged down to it.
    pub resolution: usize,
    /// Thousands of images of the whole run at which the stage ends.
    pub kimg: f64,
}

impl std::str::FromStr for ProgressiveStage {
    type Err = TrainingError;

    /// Reads `RESOLUTION:KIMG`.
    fn from_str(text: &str) -> Result<Self, TrainingError> {
        let parts = text
            .split_once(':')
            .and_then(|(resolution, kimg)| Some((resolution.parse().ok()?, kimg.parse().ok()?)));
        let (resolution, kimg) = parts.ok_or_else(|| TrainingError::InvalidOption {
            option: "progressive",
            found: text.to_owned(),
            expected: "RESOLUTION:KIMG, such as 16:40".to_owned(),
        })?;
        Ok(Self { resolution, kimg })
    }
}

impl std::fmt::Display for ProgressiveStage {
    /// What [`from_str`](std::str::FromStr::from_str) reads.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.resolution, self.kimg)
    }
}

/// The resolution that is trained after `shown` images; `last` is the images' own.
pub(crate) fn resolution_after(stages: &[ProgressiveStage], shown: u64, last: usize) -> usize {
    stages
        .iter()
        .find(|stage| (shown as f64) < stage.kimg * KILO)
        .map_or(last, |stage| stage.resolution)
}

/// Thousands of images over which the generator's learning rate rises from 0 after networks have grown.
///
/// The grown discriminator reads images through a block of random weights and says nothing sensible at first; Adam's first steps are of full length all
/// the same. Until the discriminator, at its full rate, has found its way again, the generator would unlearn what the smaller networks had learnt. A
/// hundred iterations of 16 images are as many as StyleGAN2's decay of 0.99 averages over; this is a little more.
const WARM_UP_KIMG: f64 = 2.0;

/// Factor on the generator's learning rate after `shown` images, above 0 and at most 1; 1 in a first stage.
pub(crate) fn warm_up(stages: &[ProgressiveStage], shown: u64, batch: usize) -> f64 {
    let shown = shown as f64;
    let grown = stages
        .iter()
        .map(|stage| stage.kimg * KILO)
        .filter(|end| *end <= shown)
        .fold(None, |latest: Option<f64>, end| {
            Some(latest.map_or(end, |latest| latest.max(end)))
        });
    match grown {
        None => 1.0,
        Some(end) => ((shown - end + batch as f64) / (WARM_UP_KIMG * KILO)).min(1.0),
    }
}

/// Resolutions and ends must rise.
pub(crate) fn validate(stages: &[ProgressiveStage]) -> Result<(), TrainingError> {
    let invalid = |found: &ProgressiveStage, expected: String| {
        Err(TrainingError::InvalidOption {
            option: "progressive",
            found: found.to_string(),
            expected,
        })
    };
    for stage in stages {
        if !stage.resolution.is_power_of_two() || !stage.kimg.is_finite() || stage.kimg <= 0.0 {
            return invalid(
                stage,
                "a power of two as resolution and a positive end in kimg".to_owned(),
            );
        }
    }
    for pair in stages.windows(2) {
        if pair[1].resolution <= pair[0].resolution || pair[1].kimg <= pair[0].kimg {
            return invalid(
                &pair[1],
                format!("a larger resolution and a later end than {}", pair[0]),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    fn stages(texts: &[&str]) -> Vec<ProgressiveStage> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn stages_follow_each_other_by_images_shown() {
        let stages = stages(&["16:1", "32:2.5"]);
        for (shown, resolution) in [(0, 16), (999, 16), (1000, 32), (2499, 32), (2500, 64)] {
            assert_eq!(resolution_after(&stages, shown, 64), resolution);
        }
        assert_eq!(resolution_after(&[], 0, 64), 64);
        assert_eq!(stages[1].to_string(), "32:2.5");
    }

    #[test]
    fn the_generators_rate_rises_after_each_growth() {
        let stages = stages(&["16:1", "32:5"]);
        for (shown, factor) in [
            (0, 1.0),
            (999, 1.0),
            (1000, 0.005),
            (2000, 0.505),
            (3000, 1.0),
            (4999, 1.0),
            (5990, 0.5),
            (90_000, 1.0),
        ] {
            let found = warm_up(&stages, shown, 10);
            assert!((found - factor).abs() < 1e-12, "{found} at {shown}");
        }
        assert_eq!(warm_up(&[], 0, 10), 1.0);
    }

    #[test]
    fn stages_that_do_not_rise_are_refused() {
        assert!(validate(&stages(&["16:1", "32:2"])).is_ok());
        for wrong in [
            &["32:1", "16:2"][..],
            &["16:2", "32:2"],
            &["24:1"],
            &["16:0"],
            &["16:nan"],
        ] {
            assert!(validate(&stages(wrong)).is_err(), "{wrong:?}");
        }
        assert!("16".parse::<ProgressiveStage>().is_err());
    }
}
