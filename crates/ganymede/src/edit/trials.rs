//! What edits do to many latents: how far the images go, and what that does to an attribute.

use backbones::{ResizeMethod, resize};
use burn::tensor::{Device, Tensor};
use ganspace::{Edit, EffectTrials};
use image_tensor::{ResizeProtocol, RgbImage, from_signed_unit, rgb_over_white};
use lpips::Lpips;
use ndarray::Array2;

use super::attribute::Attribute;
use crate::{Error, Model, Observer, Phase, rendering};

/// Edits are tried with this many standard deviations to either side: far enough to be seen, within what the model was
/// trained on.
pub const STRENGTH: f64 = 2.0;

/// Steps by which it is found out what edits do together: where the effects of several still add up.
const SMALL: f64 = 1.0;

/// Larger images are compared at this side where the embeddings of all edits lie in memory at once.
const LARGEST: usize = 256;

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

/// What edits do together, means over latents for strength 1.
pub struct Products {
    /// `[edits, edits]`: inner products of what two edits do to the picture, as LPIPS sees it.
    pub side_effects: Array2<f64>,
    /// `[attributes, edits]`: what each edit adds to each attribute's score.
    pub score_changes: Array2<f64>,
}

/// Images of at most this side; larger ones made smaller.
fn at_most(side: usize, images: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    if height.max(width) <= side {
        return images;
    }
    resize(
        images,
        [side; 2],
        ResizeMethod::Pillow(ResizeProtocol::PillowBilinear),
    )
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
                let images = self.to_either_side(latent, edits, STRENGTH)?;
                let count = edits.len();
                let [minus, plus] = [0, count].map(|first| images.clone().narrow(0, first, count));
                let distances = rendering::distances(self.metric, minus, plus)?;
                let first = chunk * pairs;
                for (index, distance) in distances.into_iter().enumerate() {
                    // LPIPS grows with the square of a small step.
                    measured.movement[[sample, first + index]] = distance.sqrt();
                }
                let changes = self.score_changes(&from_signed_unit(images))?;
                for (table, changes) in measured.score_changes.iter_mut().zip(changes) {
                    for (index, change) in changes.into_iter().enumerate() {
                        table[[sample, first + index]] = change;
                    }
                }
                done += count as u64;
                observer.position(done);
            }
        }
        observer.end();
        Ok(measured)
    }

    /// What the edits do together, for mixtures of them.
    pub fn products(
        &self,
        edits: &[Edit],
        what: &str,
        observer: &mut dyn Observer,
    ) -> Result<Products, Error> {
        let count = edits.len();
        let mut products = Products {
            side_effects: Array2::zeros((count, count)),
            score_changes: Array2::zeros((self.attributes.len(), count)),
        };
        observer.begin(&Phase::new(what, self.latents.len()));
        let pairs = (self.batch / 2).max(1);
        // Of the mean over latents, for strength 1.
        let share = 1.0 / (2.0 * SMALL * self.latents.len() as f64);
        for (done, latent) in self.latents.iter().enumerate() {
            let mut differences = Vec::new();
            for (chunk, edits) in edits.chunks(pairs).enumerate() {
                observer.go_on()?;
                let images = self.to_either_side(latent, edits, SMALL)?;
                let count = edits.len();
                let changes = self.score_changes(&from_signed_unit(images.clone()))?;
                for (mut sums, changes) in
                    products.score_changes.rows_mut().into_iter().zip(changes)
                {
                    for (index, change) in changes.into_iter().enumerate() {
                        sums[chunk * pairs + index] += share * change;
                    }
                }
                let seen = self
                    .metric
                    .embedding(at_most(LARGEST, rgb_over_white(images)))?;
                let [minus, plus] = [0, count].map(|first| seen.clone().narrow(0, first, count));
                differences.push(plus - minus);
            }
            let differences = Tensor::cat(differences, 0);
            let gram = differences.clone().matmul(differences.transpose());
            let values = gram.into_data().iter::<f64>().collect();
            let gram = Array2::from_shape_vec((count, count), values)
                .expect("a product of every two edits");
            products
                .side_effects
                .scaled_add(share / (2.0 * SMALL), &gram);
            observer.position(done as u64 + 1);
        }
        observer.end();
        Ok(products)
    }

    /// Images of a latent with every edit at `-strength`, then with every edit at `strength`.
    fn to_either_side(
        &self,
        latent: &Array2<f32>,
        edits: &[Edit],
        strength: f64,
    ) -> Result<Tensor<4>, Error> {
        let edited = |strength: f64| {
            edits.iter().map(move |edit| {
                let mut latent = latent.clone();
                edit.apply(&mut latent, strength)?;
                Ok(latent)
            })
        };
        let latents = edited(-strength)
            .chain(edited(strength))
            .collect::<Result<Vec<_>, Error>>()?;
        rendering::render(self.model, &latents, self.device)
    }

    /// What edits add to each attribute's score, by images to either side.
    fn score_changes(&self, images: &[RgbImage]) -> Result<Vec<Vec<f64>>, Error> {
        let attributes = self.attributes.iter();
        attributes
            .map(|attribute| {
                let scores = attribute.scores(images)?;
                let (minus, plus) = scores.split_at(scores.len() / 2);
                Ok(plus
                    .iter()
                    .zip(minus)
                    .map(|(plus, minus)| plus - minus)
                    .collect())
            })
            .collect()
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
