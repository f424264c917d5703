//! What edits do to many latents: how far the images go, and what that does to an attribute.

use burn::tensor::{Device, Tensor};
use ganspace::{Edit, EffectTrials};
use image_tensor::from_signed_unit;
use lpips::Lpips;
use ndarray::Array2;

use super::attribute::Attribute;
use crate::{Error, Model, Observer, Phase, rendering};

/// Edits are tried with this many standard deviations to either side: far enough to be seen, within what the model was trained on.
pub const STRENGTH: f64 = 2.0;

pub struct Trials<'a> {
    pub model: &'a Model,
    pub latents: &'a [Array2<f32>],
    pub metric: &'a Lpips,
    pub attribute: Option<&'a Attribute>,
    pub batch: usize,
    pub device: &'a Device,
}

impl Trials<'_> {
    /// Each edit with strength [`STRENGTH`] to either side, on each latent. Without an attribute the changes of its score are zero.
    pub fn measure(
        &self,
        edits: &[Edit],
        what: &str,
        observer: &mut dyn Observer,
    ) -> Result<EffectTrials, Error> {
        let shape = (self.latents.len(), edits.len());
        let mut trials = EffectTrials {
            score_change: Array2::zeros(shape),
            movement: Array2::zeros(shape),
        };
        observer.begin(&Phase::new(what, shape.0 * shape.1));
        let mut done = 0;
        // Half of a batch are the edits to one side.
        let pairs = (self.batch / 2).max(1);
        for (sample, latent) in self.latents.iter().enumerate() {
            for (chunk, edits) in edits.chunks(pairs).enumerate() {
                observer.go_on()?;
                let edited = |strength: f64| {
                    edits.iter().map(move |edit| {
                        let mut latent = latent.clone();
                        edit.apply(&mut latent, strength)?;
                        Ok(latent)
                    })
                };
                let latents = edited(-STRENGTH)
                    .chain(edited(STRENGTH))
                    .collect::<Result<Vec<_>, Error>>()?;
                let images = rendering::render(self.model, &latents, self.device)?;
                let count = edits.len();
                let [minus, plus] = [0, count].map(|first| images.clone().narrow(0, first, count));
                let distances = rendering::distances(self.metric, minus, plus)?;
                let changes = self.score_changes(images, count)?;
                for (index, (distance, change)) in distances.into_iter().zip(changes).enumerate() {
                    let place = [sample, chunk * pairs + index];
                    // LPIPS grows with the square of a small step.
                    trials.movement[place] = distance.sqrt();
                    trials.score_change[place] = change;
                }
                done += count as u64;
                observer.position(done);
            }
        }
        observer.end();
        Ok(trials)
    }

    /// Scores of the unedited images.
    pub fn scores(&self, attribute: &Attribute) -> Result<Vec<f64>, Error> {
        let mut scores = Vec::with_capacity(self.latents.len());
        for latents in self.latents.chunks(self.batch) {
            let images = rendering::render(self.model, latents, self.device)?;
            scores.extend(attribute.scores(&from_signed_unit(images))?);
        }
        Ok(scores)
    }

    /// Of `[minus..., plus...]`, `count` images each.
    fn score_changes(&self, images: Tensor<4>, count: usize) -> Result<Vec<f64>, Error> {
        let Some(attribute) = self.attribute else {
            return Ok(vec![0.0; count]);
        };
        let scores = attribute.scores(&from_signed_unit(images))?;
        let (minus, plus) = scores.split_at(count);
        Ok(plus.iter().zip(minus).map(|(p, m)| p - m).collect())
    }
}
