//! What is measured of an inversion, and its median over images.

use std::sync::Arc;

use burn::tensor::Tensor;
use inversion::psnr_of_pictures;
use lpips::{Lpips, LpipsNetwork};
use serde::Serialize;

use super::options::Way;
use crate::median::median;
use crate::{Context, Error, rendering};

/// Both distances that results are given in.
pub(super) struct Metrics {
    pub alex: Arc<Lpips>,
    pub vgg: Arc<Lpips>,
}

/// How named edits work on an inversion: sums over edits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EditSums {
    /// How far attributes move on the plain inversion and on this one.
    pub change: [f64; 2],
    /// LPIPS of what the edits should not touch.
    pub rest: [f64; 2],
}

/// One inversion.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Measured {
    /// Peak signal-to-noise ratio of the picture, in dB.
    pub psnr: f64,
    /// LPIPS of AlexNet.
    #[serde(rename = "lpips_alex")]
    pub alex: f64,
    /// LPIPS of VGG16.
    #[serde(rename = "lpips_vgg")]
    pub vgg: f64,
    /// Euclidean distance of the latents from the mean latent, over all layers.
    #[serde(rename = "w_plus_distance")]
    pub distance: f64,
    /// Wall time, of everything before it included.
    pub seconds: f64,
    /// The objective in the end, of searches for latents.
    #[serde(rename = "objective")]
    pub total: Option<f64>,
    /// Mean of a refinement's mask.
    pub mask: Option<f64>,
    /// LPIPS that other images of a tuned model have moved by.
    pub moved: Option<f64>,
    /// What named edits do, where the model has any.
    pub edits: EditSums,
}

impl Metrics {
    pub(super) fn load(context: &Context) -> Result<Self, Error> {
        Ok(Self {
            alex: context.lpips(LpipsNetwork::AlexNet)?,
            vgg: context.lpips(LpipsNetwork::Vgg16)?,
        })
    }

    /// Of an image and its target, both `[1, channels, side, side]`.
    pub(super) fn measure(
        &self,
        image: &Tensor<4>,
        target: &Tensor<4>,
        seconds: f64,
    ) -> Result<Measured, Error> {
        let shown = image.clone().clamp(-1.0, 1.0);
        let distance = |metric: &Lpips| -> Result<f64, Error> {
            Ok(rendering::distances(metric, shown.clone(), target.clone())?[0])
        };
        Ok(Measured {
            psnr: psnr_of_pictures(image.clone(), target.clone())[0],
            alex: distance(&self.alex)?,
            vgg: distance(&self.vgg)?,
            seconds,
            ..Measured::default()
        })
    }
}

/// An image inverted in one way.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ImageResult {
    /// Kind and number of the held-out image, `KIND-NUMBER`.
    pub image: String,
    /// The model that it was inverted into.
    pub model: String,
    /// How.
    pub way: Way,
    /// What came of it.
    #[serde(flatten)]
    pub measured: Measured,
}

/// A way over all images: medians, and of edits sums.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// How images were inverted.
    pub way: Way,
    /// How many.
    pub images: usize,
    /// Median peak signal-to-noise ratio of the pictures, in dB.
    pub psnr: f64,
    /// Median LPIPS of AlexNet.
    pub lpips_alex: f64,
    /// Median LPIPS of VGG16.
    pub lpips_vgg: f64,
    /// Median Euclidean distance of the latents from the mean latent, over all layers.
    pub w_plus_distance: f64,
    /// Median wall time of an image, of everything before it included.
    pub seconds: f64,
    /// Median objective in the end, of searches for latents.
    pub objective: Option<f64>,
    /// How far named edits move what they are named after, as a share of how far they move it on the plain search's
    /// result.
    pub edit_kept: Option<f64>,
    /// LPIPS of what they should leave as it is, as such a share.
    pub side_effect: Option<f64>,
    /// Median over images of the mean of a refinement's mask.
    pub mask: Option<f64>,
    /// Median LPIPS that other images of a tuned model have moved by.
    pub moved: Option<f64>,
}

/// Medians over images, and edits over all of them together.
pub(super) fn summary(way: Way, measured: &[&Measured]) -> Row {
    let of_some = |value: fn(&Measured) -> Option<f64>| {
        median(measured.iter().copied().filter_map(value).collect())
    };
    let of = |value: fn(&Measured) -> f64| {
        median(measured.iter().copied().map(value).collect()).unwrap_or(f64::NAN)
    };
    let share = |sums: fn(&EditSums) -> [f64; 2]| {
        let [plain, this] = [0, 1].map(|which: usize| {
            let values = measured.iter().map(|measured| sums(&measured.edits)[which]);
            values.sum::<f64>()
        });
        (plain > 0.0).then(|| this / plain)
    };
    Row {
        way,
        images: measured.len(),
        psnr: of(|m| m.psnr),
        lpips_alex: of(|m| m.alex),
        lpips_vgg: of(|m| m.vgg),
        w_plus_distance: of(|m| m.distance),
        seconds: of(|m| m.seconds),
        objective: of_some(|m| m.total),
        edit_kept: share(|edits| edits.change),
        side_effect: share(|edits| edits.rest),
        mask: of_some(|m| m.mask),
        moved: of_some(|m| m.moved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_medians_and_edits_by_how_far_they_went() {
        let measured = |psnr: f64, change: [f64; 2], mask: Option<f64>| Measured {
            psnr,
            mask,
            edits: EditSums {
                change,
                rest: [0.0, 0.0],
            },
            ..Measured::default()
        };
        let of = [
            measured(20.0, [1.0, 0.5], Some(0.25)),
            measured(30.0, [3.0, 2.5], None),
            measured(22.0, [0.0, 0.0], Some(0.75)),
        ];
        let row = summary(Way::Refined, &of.each_ref());
        assert_eq!((row.images, row.psnr, row.mask), (3, 22.0, Some(0.5)));
        // An edit that moves more counts for more: (0.5 + 2.5) / (1 + 3).
        assert_eq!(row.edit_kept, Some(0.75));
        // Nothing was to be left as it is.
        assert_eq!((row.side_effect, row.objective), (None, None));
    }
}
