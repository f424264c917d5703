//! Latents with an edit in several strengths: pictures, and how far they are from the unedited ones.

use burn::tensor::Device;
use ganspace::{Edit, apply_edits};
use lpips::Lpips;
use ndarray::Array2;
use stylegan2::{FeatureOffset, RandomState};

use super::plan::Plan;
use crate::latents::FoundLatent;
use crate::model_image::ModelImage;
use crate::{Error, Model, Observer, Phase, Preview, feature_offset, rendering};

/// A latent `[num_ws, w_dim]` with an edit in each strength.
///
/// # Errors
///
/// The edit is of latents of another shape, or a strength is not finite.
pub fn in_strengths(
    edit: &Edit,
    latent: &Array2<f32>,
    strengths: &[f64],
) -> Result<Vec<Array2<f32>>, Error> {
    let edited = strengths.iter().map(|strength| {
        let mut latent = latent.clone();
        edit.apply(&mut latent, *strength)?;
        Ok(latent)
    });
    edited.collect()
}

/// One picture of a strip.
#[derive(Clone, Debug)]
pub struct Edited {
    /// Of the changing edit; none where all strengths are fixed, or in the picture before these.
    pub strength: Option<f64>,
    pub image: ModelImage,
    /// LPIPS from the same latent with strength 0.
    pub lpips: f64,
    /// Mean of the same for steps of the same length in random directions.
    pub random_lpips: Option<f64>,
}

pub struct Strips<'a> {
    pub model: &'a Model,
    pub metric: &'a Lpips,
    pub batch: usize,
    pub device: &'a Device,
    /// Number of random directions.
    pub random: usize,
    pub seed: u32,
}

impl Strips<'_> {
    /// Rows of pictures, one for each latent. Without a changing edit: before and after.
    pub fn render(
        &self,
        plan: &Plan,
        latents: &[FoundLatent],
        observer: &mut dyn Observer,
    ) -> Result<Vec<Vec<Edited>>, Error> {
        observer.begin(&Phase::new("latents", latents.len()));
        let mut rows = Vec::with_capacity(latents.len());
        for (row, latent) in latents.iter().enumerate() {
            let pictures = self.row(plan, latent, observer)?;
            for (column, edited) in pictures.iter().enumerate() {
                let name = format!("latent-{row}-{column}");
                observer.preview(&Preview::new(&name, &edited.image.opaque()));
            }
            rows.push(pictures);
            observer.position(row as u64 + 1);
        }
        observer.end();
        Ok(rows)
    }

    fn row(
        &self,
        plan: &Plan,
        latent: &FoundLatent,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Edited>, Error> {
        let offset = feature_offset::batch(&[latent.offset.as_ref()], self.device)?;
        let offset = offset.as_ref();
        let latent = &latent.w_plus;
        let fixed: Vec<(&Edit, f64)> = plan
            .fixed
            .iter()
            .map(|fixed| (&fixed.edit, fixed.strength))
            .collect();
        let with = |more: &[(&Edit, f64)]| -> Result<Array2<f32>, Error> {
            let mut edited = latent.clone();
            apply_edits(&[&fixed, more].concat(), &mut edited)?;
            Ok(edited)
        };
        let Some(axis) = &plan.axis else {
            let found = self.compare(latent, &[latent.clone(), with(&[])?], offset, observer)?;
            return Ok(found
                .into_iter()
                .map(|(image, lpips)| Edited {
                    strength: None,
                    image,
                    lpips,
                    random_lpips: None,
                })
                .collect());
        };
        let base = with(&[])?;
        let edited = axis
            .strengths
            .iter()
            .map(|strength| with(&[(&axis.edit, *strength)]))
            .collect::<Result<Vec<_>, _>>()?;
        // The same directions for every latent.
        let mut normals = RandomState::new(self.seed);
        let random: Vec<Edit> = (0..self.random)
            .map(|_| axis.edit.in_random_direction(|| normals.standard_normal()))
            .collect();
        let mut row = Vec::with_capacity(edited.len());
        for ((image, lpips), strength) in self
            .compare(&base, &edited, offset, observer)?
            .into_iter()
            .zip(&axis.strengths)
        {
            let elsewhere = random
                .iter()
                .map(|random| with(&[(random, *strength)]))
                .collect::<Result<Vec<_>, _>>()?;
            let distances = self.compare(&base, &elsewhere, offset, observer)?;
            let sum: f64 = distances.iter().map(|(_, lpips)| lpips).sum();
            row.push(Edited {
                strength: Some(*strength),
                image,
                lpips,
                random_lpips: Some(sum / self.random as f64),
            });
        }
        Ok(row)
    }

    /// Images of latents, with their LPIPS from that of `base`.
    fn compare(
        &self,
        base: &Array2<f32>,
        latents: &[Array2<f32>],
        offset: Option<&FeatureOffset>,
        observer: &mut dyn Observer,
    ) -> Result<Vec<(ModelImage, f64)>, Error> {
        let base = std::slice::from_ref(base);
        let base = rendering::render_with(self.model, base, offset, self.device)?;
        let mut found = Vec::with_capacity(latents.len());
        for latents in latents.chunks(self.batch) {
            observer.go_on()?;
            let images = rendering::render_with(self.model, latents, offset, self.device)?;
            let distances = rendering::distances(self.metric, images.clone(), base.clone())?;
            let images = ModelImage::from_signed_unit(images);
            found.extend(images.into_iter().zip(distances));
        }
        Ok(found)
    }
}
