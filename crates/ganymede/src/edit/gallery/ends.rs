use burn::tensor::Device;
use ganspace::Edit;
use image_tensor::{RgbImage, from_signed_unit, to_signed_unit};
use lpips::Lpips;
use ndarray::Array2;
use serde::Serialize;
use stylegan2::FeatureOffset;

use crate::edit::{RegionColor, in_strengths};
use crate::latents::FoundLatent;
use crate::{Error, Model, feature_offset, rendering};

/// What an edit does between the ends of its range.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct EndEffect {
    /// Of the attribute, from the first end to the last.
    pub change: Option<f64>,
    /// The same in standard deviations of the attribute over samples.
    pub change_in_stdevs: Option<f64>,
    /// Mean over the two ends of LPIPS from the unedited picture.
    pub lpips: f64,
    /// The same, with the attribute's region as it is in the unedited picture: what else changes.
    pub rest_lpips: Option<f64>,
}

impl EndEffect {
    /// The mean; of changes without their signs where `unsigned`, as those of random directions would cancel.
    pub(super) fn mean(effects: &[Self], unsigned: bool) -> Self {
        let mean = |value: &dyn Fn(&Self) -> Option<f64>| {
            let values: Option<Vec<f64>> = effects.iter().map(value).collect();
            values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
        };
        let sign = |change: f64| if unsigned { change.abs() } else { change };
        Self {
            change: mean(&|effect| effect.change.map(sign)),
            change_in_stdevs: mean(&|effect| effect.change_in_stdevs.map(sign)),
            lpips: mean(&|effect| Some(effect.lpips)).unwrap_or(f64::NAN),
            rest_lpips: mean(&|effect| effect.rest_lpips),
        }
    }
}

/// Measures edits at the ends of a range.
pub(super) struct Ends<'a> {
    pub model: &'a Model,
    pub metric: &'a Lpips,
    pub device: &'a Device,
    pub range: [f64; 2],
    pub attribute: Option<RegionColor>,
    /// Standard deviation of the attribute over samples.
    pub scale: Option<f64>,
}

impl Ends<'_> {
    /// Each edit on one latent.
    pub(super) fn measure(
        &self,
        latent: &FoundLatent,
        edits: &[Edit],
    ) -> Result<Vec<EndEffect>, Error> {
        let offset = feature_offset::batch(&[latent.offset.as_ref()], self.device)?;
        let offset = offset.as_ref();
        let original = self
            .pictures(std::slice::from_ref(&latent.w_plus), offset)?
            .remove(0);
        let mut found = Vec::with_capacity(edits.len());
        for edit in edits {
            let ends = self.pictures(&in_strengths(edit, &latent.w_plus, &self.range)?, offset)?;
            let (change, rest_lpips) = match self.attribute {
                None => (None, None),
                Some(color) => {
                    let rest: Vec<RgbImage> = ends
                        .iter()
                        .map(|end| color.region.restored(end, &original))
                        .collect();
                    let change = color.of(&ends[1]) - color.of(&ends[0]);
                    (Some(change), Some(self.distance(&rest, &original)?))
                }
            };
            let scale = self.scale.filter(|scale| *scale > 0.0);
            found.push(EndEffect {
                change,
                change_in_stdevs: change.zip(scale).map(|(change, scale)| change / scale),
                lpips: self.distance(&ends, &original)?,
                rest_lpips,
            });
        }
        Ok(found)
    }

    fn pictures(
        &self,
        latents: &[Array2<f32>],
        offset: Option<&FeatureOffset>,
    ) -> Result<Vec<RgbImage>, Error> {
        let images = rendering::render_with(self.model, latents, offset, self.device)?;
        Ok(from_signed_unit(images))
    }

    /// Mean LPIPS from one picture, all in 8 bits.
    fn distance(&self, pictures: &[RgbImage], from: &RgbImage) -> Result<f64, Error> {
        let distances = rendering::distances(
            self.metric,
            to_signed_unit(pictures, self.device),
            to_signed_unit(std::slice::from_ref(from), self.device),
        )?;
        Ok(distances.iter().sum::<f64>() / distances.len() as f64)
    }
}
