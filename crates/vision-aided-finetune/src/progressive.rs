use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use stylegan2_ops::{Filter, upsample2d};

use crate::TrainingError;

/// Images in a kimg.
const KILO: f64 = 1000.0;

/// One stage of progressive growing (Karras et al. 2018): training at a lower resolution than the images have.
///
/// At a quarter of the side an iteration takes a fraction of the time, and networks learn there what goes where;
/// details come later.
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

/// Thousands of images over which the detail of real images is faded in after networks have grown.
///
/// The generator's images have none at first. Real ones that do would be told apart by that alone, whatever they show,
/// and the generator would answer with noise; Karras et al. 2018 fade for the same reason, over 800 kimg of much longer
/// stages.
const FADE_KIMG: f64 = 10.0;

/// Thousands of images for which the generator stays as it is after networks have grown.
///
/// The grown discriminator reads images through a block of random weights and says nothing sensible at first; Adam's
/// first steps are of full length all the same.
const WAIT_KIMG: f64 = 1.0;

/// Thousands of images over which the generator's learning rate rises from 0 behind that. A hundred iterations of 16
/// images are as many as StyleGAN2's decay of 0.99 averages over; this is a little more.
const WARM_UP_KIMG: f64 = 2.0;

/// What grew last: the resolution before, and how many images were shown since.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Growth {
    pub(crate) from: usize,
    shown: f64,
}

impl Growth {
    /// The growth that lies behind `shown` images, if any.
    pub(crate) fn last(stages: &[ProgressiveStage], shown: u64) -> Option<Self> {
        let shown = shown as f64;
        let ended = stages.iter().rfind(|stage| stage.kimg * KILO <= shown)?;
        Some(Self {
            from: ended.resolution,
            shown: shown - ended.kimg * KILO,
        })
    }

    /// Factor on the generator's learning rate, from 0 to 1.
    pub(crate) fn warm_up(self) -> f64 {
        ((self.shown - WAIT_KIMG * KILO) / (WARM_UP_KIMG * KILO)).clamp(0.0, 1.0)
    }

    /// Share of the detail that real images show, from 0 to 1.
    pub(crate) fn detail(self) -> f64 {
        (self.shown / (FADE_KIMG * KILO)).min(1.0)
    }
}

/// Images `[batch, channels, side, side]` with that share of what is lost when they are averaged down to `from` and
/// upsampled by the filter of the generator's RGB images.
pub(crate) fn with_detail(x: Tensor<4>, from: usize, share: f64) -> Tensor<4> {
    let [batch, channels, side, _] = x.dims();
    let factor = side / from;
    let small = x
        .clone()
        .reshape([batch, channels, from, factor, from, factor])
        .mean_dim(5)
        .mean_dim(3)
        .reshape([batch, channels, from, from]);
    let without = upsample2d(small, &Filter::normalized_outer(&RESAMPLE_TAPS), factor);
    without.clone() + (x - without).mul_scalar(share)
}

/// StyleGAN2's.
const RESAMPLE_TAPS: [f32; 4] = [1.0, 3.0, 3.0, 1.0];

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
    fn after_each_growth_the_generator_waits_and_detail_fades_in() {
        let stages = stages(&["16:1", "32:25"]);
        assert_eq!(Growth::last(&stages, 999), None);
        assert_eq!(Growth::last(&[], 5), None);
        for (shown, from, warm_up, detail) in [
            (1000, 16, 0.0, 0.0),
            (2000, 16, 0.0, 0.1),
            (3000, 16, 0.5, 0.2),
            (4000, 16, 1.0, 0.3),
            (24_999, 16, 1.0, 1.0),
            (25_000, 32, 0.0, 0.0),
            (30_000, 32, 1.0, 0.5),
        ] {
            let growth = Growth::last(&stages, shown).unwrap();
            assert_eq!(growth.from, from);
            assert!((growth.warm_up() - warm_up).abs() < 1e-12, "at {shown}");
            assert!((growth.detail() - detail).abs() < 1e-12, "at {shown}");
        }
    }

    #[test]
    fn images_without_detail_are_upsampled_means() {
        for (_, device) in testkit::devices() {
            let values = testkit::seeded("detail", 2 * 3 * 8 * 8, 1.0);
            let x = Tensor::<4>::from_data(
                burn::tensor::TensorData::new(values, [2, 3, 8, 8]),
                &device,
            );
            let of = |x: Tensor<4>| -> Vec<f32> { x.into_data().iter::<f32>().collect() };
            let none = with_detail(x.clone(), 4, 0.0);
            // Averaging what was upsampled by the filter is no identity; a constant stays one, and all of the detail is
            // the image.
            let flat = Tensor::<4>::full([1, 3, 8, 8], 0.25, &device);
            let middle = with_detail(flat, 4, 0.0).slice([0..1, 0..3, 2..6, 2..6]);
            testkit::assert_close("constant", &of(middle), &[0.25; 48], 1e-6);
            testkit::assert_close(
                "all",
                &of(with_detail(x.clone(), 4, 1.0)),
                &of(x.clone()),
                1e-6,
            );
            let half = with_detail(x.clone(), 4, 0.5);
            testkit::assert_close("half", &of(half), &of((none + x).div_scalar(2.0)), 1e-6);
        }
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
