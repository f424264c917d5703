use retrieval_gaussian::Query;
use stylegan2::{NoiseMode, Truncation, latents_from_seeds};

use super::{Method, Searcher};
use crate::{Context, Error, Model, Observer, Phase};

/// Log-densities of a model's own samples under the model, which say how usual a query's is.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnScores {
    /// Sorted.
    scores: Vec<f64>,
}

/// Samples are drawn from this seed on, far from those that an index is built of: under its own fit a sample is likelier than another.
const FIRST_SEED: u32 = 1 << 31;

/// Samples that are made together.
const BATCH: usize = 16;

impl OwnScores {
    /// Of any scores that can be compared.
    pub fn new(mut scores: Vec<f64>) -> Self {
        scores.sort_by(f64::total_cmp);
        Self { scores }
    }

    /// The share of the samples whose log-density is lower than `score`, in [0, 1]: 0 for an image that is unlike all that the model makes.
    pub fn typicality(&self, score: f64) -> f64 {
        let lower = self.scores.partition_point(|own| *own < score);
        lower as f64 / self.scores.len().max(1) as f64
    }
}

impl Searcher {
    /// Draws samples of a model of the zoo and scores them by its Gaussian density. Those of a model with classes are of all of them, drawn uniformly.
    ///
    /// # Errors
    ///
    /// There is no such model, or it is not in the index; [`Error::Cancelled`] when the observer ends the work.
    pub fn own_scores(
        &self,
        name: &str,
        samples: usize,
        context: &Context,
        observer: &mut dyn Observer,
    ) -> Result<OwnScores, Error> {
        let device = context.device();
        let model = Model::of_zoo(self.zoo.model(name)?, device)?;
        let mapping = &model.generator.mapping;
        let mut scores = Vec::with_capacity(samples);
        observer.begin(&Phase::new("samples", samples));
        for first in (0..samples).step_by(BATCH) {
            observer.go_on()?;
            let seeds: Vec<u32> = (first..samples.min(first + BATCH))
                .map(|i| FIRST_SEED + i as u32)
                .collect();
            let z = latents_from_seeds(&seeds, mapping.z_dim(), device);
            let labels = model.generator.drawn_labels(&seeds, device);
            let images = model
                .generator
                .forward(z, labels, Truncation::NONE, &NoiseMode::Constant);
            for row in self.features_of_tensor(images).rows() {
                let query = Query::feature(&row.to_vec());
                let (ranking, _) = self.rank(&query, Method::GaussianDensity)?;
                let own = ranking.models.iter().find(|ranked| ranked.model == name);
                let own = own.ok_or_else(|| Error::Model {
                    model: name.to_owned(),
                    problem: "not in the index; build the index again".to_owned(),
                })?;
                scores.push(own.score);
            }
            observer.position(scores.len() as u64);
        }
        observer.end();
        Ok(OwnScores::new(scores))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use burn::tensor::Device;

    use super::*;

    #[test]
    fn typicality_is_the_share_of_lower_scores() {
        let own = OwnScores::new(vec![3.0, 1.0, 2.0, 4.0]);
        for (score, share) in [(0.5, 0.0), (1.0, 0.0), (2.5, 0.5), (9.0, 1.0)] {
            assert_eq!(own.typicality(score), share, "{score}");
        }
    }

    #[test]
    fn a_model_s_own_kind_is_typical_and_noise_is_not() {
        let context = Context::new(Device::flex());
        let weights = context.weights().unwrap();
        let searcher = Searcher::open(None, None, &weights, context.device()).unwrap();
        let own = searcher.own_scores("micah", 48, &context, &mut ()).unwrap();
        let typicality = |image: image_tensor::RgbImage| {
            let features = searcher.features(&[image]);
            let query = Query::feature(&features.row(0).to_vec());
            let (ranking, _) = searcher.rank(&query, Method::GaussianDensity).unwrap();
            let found = ranking
                .models
                .into_iter()
                .find(|ranked| ranked.model == "micah")
                .unwrap();
            own.typicality(found.score)
        };
        let model = context.model("micah").unwrap();
        let z = latents_from_seeds(
            &[FIRST_SEED + 1000],
            model.generator.mapping.z_dim(),
            context.device(),
        );
        let sample = model
            .generator
            .forward(z, None, Truncation::NONE, &NoiseMode::Constant);
        let sample = image_tensor::from_signed_unit(sample).swap_remove(0);
        let noise = image_tensor::RgbImage::from_fn(64, 64, |x, y| {
            image_tensor::Rgb([
                (x * 37 + y * 101 + x * y * 13) as u8,
                (x * y * 7) as u8,
                (y * 59) as u8,
            ])
        });
        assert_eq!(typicality(noise), 0.0);
        assert!(typicality(sample) > 0.0);
    }
}
