//! The named edits of a model on an inversion: what they move, and what else.

use burn::tensor::{Device, Tensor};
use ganspace::Edit;
use image_tensor::{RgbImage, from_signed_unit, to_signed_unit};
use stylegan2::FeatureOffset;

use super::rows::{EditSums, Metrics};
use crate::edit::{RegionColor, in_strengths};
use crate::latents::from_tensor;
use crate::{Context, Error, Model, rendering};

/// Those with an attribute that is measured.
pub(super) struct Edits(Vec<Named>);

struct Named {
    edit: Edit,
    range: [f64; 2],
    attribute: RegionColor,
}

/// What an edit makes of an inversion.
pub(super) struct Made {
    attribute: RegionColor,
    unedited: RgbImage,
    /// At both ends of its range.
    pub(super) ends: Vec<RgbImage>,
}

impl Edits {
    pub(super) fn of(model: &Model, context: &Context) -> Result<Self, Error> {
        let book = model.edits()?;
        let mut edits = Vec::new();
        for (name, named) in book.iter() {
            let Some(attribute) = RegionColor::of_edit(name, named)? else {
                continue;
            };
            let directions = model.directions(&named.basis, context)?;
            edits.push(Named {
                edit: named.edit(name, &model.name, &directions)?,
                range: named.range,
                attribute,
            });
        }
        Ok(Self(edits))
    }

    /// All edits of latents `[1, num_ws, w_dim]`.
    pub(super) fn made(
        &self,
        model: &Model,
        w_plus: &Tensor<3>,
        offset: Option<&FeatureOffset>,
        device: &Device,
    ) -> Result<Vec<Made>, Error> {
        let latent = from_tensor(w_plus.clone()).remove(0);
        let pictures = |latents: &[ndarray::Array2<f32>]| -> Result<Vec<RgbImage>, Error> {
            Ok(from_signed_unit(rendering::render_with(
                model, latents, offset, device,
            )?))
        };
        let mut made = Vec::new();
        let unedited = pictures(std::slice::from_ref(&latent))?.remove(0);
        for named in &self.0 {
            made.push(Made {
                attribute: named.attribute,
                unedited: unedited.clone(),
                ends: pictures(&in_strengths(&named.edit, &latent, &named.range)?)?,
            });
        }
        Ok(made)
    }
}

impl Made {
    /// How far the attribute goes from one end to the other.
    fn change(&self) -> f64 {
        self.attribute.of(&self.ends[1]) - self.attribute.of(&self.ends[0])
    }

    /// Mean LPIPS of the ends from the unedited picture, outside the attribute's region.
    fn rest(&self, metrics: &Metrics, device: &Device) -> Result<f64, Error> {
        let restored = self.ends.iter().map(|end| {
            let region = self.attribute.region;
            region.restored(end, &self.unedited)
        });
        let restored: Vec<RgbImage> = restored.collect();
        let distances = rendering::distances(
            &metrics.alex,
            to_signed_unit(&restored, device),
            to_signed_unit(std::slice::from_ref(&self.unedited), device),
        )?;
        Ok(distances.iter().sum::<f64>() / distances.len() as f64)
    }

    /// Sums over edits: each counts by how far it goes on the plain inversion, and in that direction.
    pub(super) fn compare(
        plain: &[Self],
        other: &[Self],
        metrics: &Metrics,
        device: &Device,
    ) -> Result<EditSums, Error> {
        let mut sums = EditSums::default();
        for (plain, other) in plain.iter().zip(other) {
            let direction = plain.change().signum();
            sums.change[0] += plain.change() * direction;
            sums.change[1] += other.change() * direction;
            sums.rest[0] += plain.rest(metrics, device)?;
            sums.rest[1] += other.rest(metrics, device)?;
        }
        Ok(sums)
    }
}
