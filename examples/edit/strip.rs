//! Latents with an edit in several strengths: pictures, and how far they are from the unedited ones.

use burn::tensor::Device;
use ganspace::{Edit, apply_edits};
use image_tensor::{RgbImage, from_signed_unit};
use lpips::Lpips;
use ndarray::Array2;
use stylegan2::RandomState;

use crate::plan::Plan;
use examples::interrupt::{Interrupt, Interrupted};
use examples::{Failure, progress, rendering};
use ganymede::Model;

/// A latent with an edit in each strength.
pub fn in_strengths(
    edit: &Edit,
    latent: &Array2<f32>,
    strengths: &[f64],
) -> Result<Vec<Array2<f32>>, Failure> {
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
    pub image: RgbImage,
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
    pub interrupt: &'a Interrupt,
    /// Number of random directions.
    pub random: usize,
    pub seed: u32,
}

impl Strips<'_> {
    /// Rows of pictures, one for each latent. Without a changing edit: before and after.
    pub fn render(
        &self,
        plan: &Plan,
        latents: &[Array2<f32>],
    ) -> Result<Vec<Vec<Edited>>, Failure> {
        let bar = progress::bar(latents.len(), "latents");
        let mut rows = Vec::with_capacity(latents.len());
        for latent in latents {
            rows.push(self.row(plan, latent)?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(rows)
    }

    fn row(&self, plan: &Plan, latent: &Array2<f32>) -> Result<Vec<Edited>, Failure> {
        let fixed: Vec<(&Edit, f64)> = plan
            .fixed
            .iter()
            .map(|fixed| (&fixed.edit, fixed.strength))
            .collect();
        let with = |more: &[(&Edit, f64)]| -> Result<Array2<f32>, Failure> {
            let mut edited = latent.clone();
            apply_edits(&[&fixed, more].concat(), &mut edited)?;
            Ok(edited)
        };
        let Some(axis) = &plan.axis else {
            let found = self.compare(latent, &[latent.clone(), with(&[])?])?;
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
            .compare(&base, &edited)?
            .into_iter()
            .zip(&axis.strengths)
        {
            let elsewhere = random
                .iter()
                .map(|random| with(&[(random, *strength)]))
                .collect::<Result<Vec<_>, _>>()?;
            let distances = self.compare(&base, &elsewhere)?;
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
    ) -> Result<Vec<(RgbImage, f64)>, Failure> {
        let base = rendering::render(self.model, std::slice::from_ref(base), self.device)?;
        let mut found = Vec::with_capacity(latents.len());
        for latents in latents.chunks(self.batch) {
            if self.interrupt.requested() {
                return Err(Interrupted.into());
            }
            let images = rendering::render(self.model, latents, self.device)?;
            let distances = rendering::distances(self.metric, images.clone(), base.clone())?;
            found.extend(from_signed_unit(images).into_iter().zip(distances));
        }
        Ok(found)
    }
}
