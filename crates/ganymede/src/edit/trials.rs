//! What edits do to many latents: how far the images go, and what that does to an attribute.

use burn::tensor::Device;
use ganspace::{Edit, EffectTrials};
use image_tensor::from_signed_unit;
use lpips::Lpips;
use ndarray::Array2;

use super::attribute::Attribute;
use crate::{Error, Model, Observer, Phase, rendering};

/// Edits are tried with this many standard deviations to either side: far enough to be seen, within what the model was
/// trained on.
pub const STRENGTH: f64 = 2.0;

pub struct Trials<'a> {
    pub model: &'a Model,
    pub latents: &'a [Array2<f32>],
    pub metric: &'a Lpips,
    /// What is measured of the images beside how far they go.
    pub attributes: &'a [Attribute],
    pub batch: usize,
    pub device: &'a Device,
}

/// What edits did: tables `[latents, edits]`.
pub struct Measured {
    /// Root of LPIPS between the two sides.
    pub movement: Array2<f64>,
    /// Changes of each attribute's score.
    pub score_changes: Vec<Array2<f64>>,
}

impl Measured {
    /// Of the only attribute.
    pub fn of_one(mut self) -> EffectTrials {
        EffectTrials {
            score_change: self.score_changes.remove(0),
            movement: self.movement,
        }
    }
}

impl Trials<'_> {
    /// Each edit with strength [`STRENGTH`] to either side, on each latent.
    pub fn measure(
        &self,
        edits: &[Edit],
        what: &str,
        observer: &mut dyn Observer,
    ) -> Result<Measured, Error> {
        let shape = (self.latents.len(), edits.len());
        let mut measured = Measured {
            movement: Array2::zeros(shape),
            score_changes: vec![Array2::zeros(shape); self.attributes.len()],
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
                let first = chunk * pairs;
                for (index, distance) in distances.into_iter().enumerate() {
                    // LPIPS grows with the square of a small step.
                    measured.movement[[sample, first + index]] = distance.sqrt();
                }
                let images = from_signed_unit(images);
                for (attribute, changes) in self.attributes.iter().zip(&mut measured.score_changes)
                {
                    let scores = attribute.scores(&images)?;
                    let (minus, plus) = scores.split_at(count);
                    for (index, (plus, minus)) in plus.iter().zip(minus).enumerate() {
                        changes[[sample, first + index]] = plus - minus;
                    }
                }
                done += count as u64;
                observer.position(done);
            }
        }
        observer.end();
        Ok(measured)
    }

    /// Scores of the unedited images, a list for each attribute.
    pub fn scores(&self) -> Result<Vec<Vec<f64>>, Error> {
        let mut all = vec![Vec::with_capacity(self.latents.len()); self.attributes.len()];
        for latents in self.latents.chunks(self.batch) {
            let images = from_signed_unit(rendering::render(self.model, latents, self.device)?);
            for (attribute, scores) in self.attributes.iter().zip(&mut all) {
                scores.extend(attribute.scores(&images)?);
            }
        }
        Ok(all)
    }
}
