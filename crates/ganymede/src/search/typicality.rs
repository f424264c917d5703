use std::fmt;

use ndarray::ArrayView2;
use retrieval_gaussian::{Index, RankedModel};
use serde::{Deserialize, Serialize};

use super::{OwnSamples, Searcher};
use crate::{Context, Error, Observer};

/// Log-densities of a model's own samples under the model, which say how usual a query's is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OwnScores {
    /// Sorted.
    scores: Vec<f64>,
}

/// Samples whose scores are kept with an index, and how many numbers are kept of them.
pub(crate) const KEPT_SAMPLES: usize = 1000;
pub(crate) const KEPT_QUANTILES: usize = 200;

/// As an index keeps them: hundredths, from the least on, with a space between two.
impl From<OwnScores> for String {
    fn from(own: OwnScores) -> Self {
        let texts: Vec<String> = own.scores.iter().map(|s| format!("{s:.2}")).collect();
        texts.join(" ")
    }
}

impl TryFrom<String> for OwnScores {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let scores: Option<Vec<f64>> = text.split(' ').map(|score| score.parse().ok()).collect();
        match scores {
            Some(scores) if scores.iter().all(|s| s.is_finite()) && scores.is_sorted() => {
                Ok(Self { scores })
            }
            _ => Err(
                "own_scores that are not finite numbers in order; remove them and bring the index up to date".to_owned(),
            ),
        }
    }
}

impl OwnScores {
    /// Of any scores that can be compared.
    pub fn new(mut scores: Vec<f64>) -> Self {
        scores.sort_by(f64::total_cmp);
        Self { scores }
    }

    /// Log-densities of features `[samples, dimension]` under a model of an index.
    pub(crate) fn of(
        index: &Index,
        model: &str,
        features: ArrayView2<'_, f32>,
    ) -> Result<Self, Error> {
        let scores = index.log_densities(model, features)?;
        if !scores.iter().all(|score| score.is_finite()) {
            return Err(Error::Model {
                model: model.to_owned(),
                problem: "its own samples have no finite log-densities under it; make its statistics again, or take it out"
                    .to_owned(),
            });
        }
        Ok(Self::new(scores))
    }

    /// Evenly spaced quantiles of them, from the least to the largest, rounded to a hundredth: few enough to be kept.
    pub fn quantiles(&self, count: usize) -> Self {
        let count = count.min(self.scores.len());
        let last = self.scores.len().saturating_sub(1);
        let steps = count.saturating_sub(1).max(1);
        let at = |index: usize| self.scores[(index * last + steps / 2) / steps];
        let rounded = (0..count).map(|index| (at(index) * 100.0).round() / 100.0);
        Self {
            scores: rounded.collect(),
        }
    }

    /// The share of the samples whose log-density is lower than `score`, in [0, 1]: 0 for an image that is unlike all
    /// that the model makes.
    pub fn typicality(&self, score: f64) -> f64 {
        let lower = self.scores.partition_point(|own| *own < score);
        lower as f64 / self.scores.len().max(1) as f64
    }
}

/// The model that an image is most usual for, and how usual: what a ranking does not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Its name in the zoo.
    pub model: String,
    /// The share of its own samples that are less likely than the image.
    pub typicality: f64,
    /// Whether the model is likely to have made the image.
    pub fits: bool,
}

impl Fit {
    /// Typicality from which on a model is likely to have made an image: that some of its own samples are less likely.
    /// The index keeps 200 of them or fewer.
    pub const LEAST_TYPICALITY: f64 = 0.005;

    /// The verdict on an image of this typicality for a model.
    pub fn new(model: String, typicality: f64) -> Self {
        Self {
            model,
            typicality,
            fits: typicality >= Self::LEAST_TYPICALITY,
        }
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            model, typicality, ..
        } = self;
        let percent = 100.0 * typicality;
        match self.fits {
            true => write!(
                f,
                "most usual for {model}, {percent:.1} % of whose samples are less likely"
            ),
            false => write!(
                f,
                "no model of this zoo is likely to have made this image (best: {model}, {percent:.1} % of its samples are as unlikely)"
            ),
        }
    }
}

impl Searcher {
    /// How usual an image of these Gaussian log-densities is for the model that it is most usual for; none where the
    /// index keeps no scores of samples. Of equally usual ones it is the first.
    pub fn fit(&self, ranked: &[RankedModel]) -> Option<Fit> {
        let mut best: Option<Fit> = None;
        for ranked in ranked {
            let Some(typicality) = self.typicality(&ranked.model, ranked.score) else {
                continue;
            };
            if best
                .as_ref()
                .is_none_or(|best| typicality > best.typicality)
            {
                best = Some(Fit::new(ranked.model.clone(), typicality));
            }
        }
        best
    }

    /// The share of a model's own samples that are less likely than an image of this Gaussian log-density; none where
    /// the index keeps no scores of its samples.
    pub fn typicality(&self, model: &str, score: f64) -> Option<f64> {
        Some(self.kept_scores.get(model)?.typicality(score))
    }

    /// Draws samples of a model of the zoo and scores them by its Gaussian density. They are truncated and of the
    /// classes that those of the index are.
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
        let own = OwnSamples {
            count: samples,
            truncation_psi: self.truncation_psi,
            class: self.classes.get(name).copied(),
        };
        let model = self.zoo.model(name)?;
        let features = own.features(model, &self.features, context.device(), observer)?;
        OwnScores::of(&self.index, name, features.view())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use burn::tensor::Device;
    use retrieval_gaussian::Query;
    use stylegan2::{NoiseMode, Truncation, latents_from_seeds};

    use super::super::own_samples::FIRST_SEED;
    use super::*;
    use crate::search::Method;

    #[test]
    fn typicality_is_the_share_of_lower_scores() {
        let own = OwnScores::new(vec![3.0, 1.0, 2.0, 4.0]);
        for (score, share) in [(0.5, 0.0), (1.0, 0.0), (2.5, 0.5), (9.0, 1.0)] {
            assert_eq!(own.typicality(score), share, "{score}");
        }
    }

    #[test]
    fn quantiles_are_evenly_spaced_and_have_both_ends() {
        let own = OwnScores::new((0..1000).rev().map(f64::from).collect());
        let kept = own.quantiles(200);
        assert_eq!(kept.scores.len(), 200);
        assert_eq!((kept.scores[0], kept.scores[199]), (0.0, 999.0));
        let text = String::from(kept.clone());
        assert_eq!(OwnScores::try_from(text), Ok(kept.clone()));
        for wrong in ["", "1 nan", "2 1", "a"] {
            assert!(OwnScores::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        for score in [-1.0, 10.0, 333.3, 990.0, 2000.0] {
            // Half a step of 200.
            assert!(
                (kept.typicality(score) - own.typicality(score)).abs() <= 0.0051,
                "{score}"
            );
        }
        assert_eq!(
            OwnScores::new(vec![1.0, 2.0]).quantiles(200).scores,
            [1.0, 2.0]
        );
    }

    #[test]
    fn the_verdict_says_so_in_words() {
        let no = Fit::new("micah".to_owned(), 0.0).to_string();
        assert!(
            no.starts_with("no model of this zoo is likely") && no.contains("best: micah, 0.0 %"),
            "{no}"
        );
        let yes = Fit::new("micah".to_owned(), 0.42);
        assert!(
            yes.fits && yes.to_string().contains("micah, 42.0 %"),
            "{yes}"
        );
    }

    #[test]
    fn a_model_is_scored_as_a_search_scores_it() {
        let context = Context::new(Device::flex());
        let weights = context.weights().unwrap();
        let searcher = Searcher::open(None, None, &weights, context.device()).unwrap();
        let (name, count) = ("micah", 3);
        let own = OwnSamples {
            count,
            truncation_psi: 1.0,
            class: None,
        };
        let model = searcher.zoo.model(name).unwrap();
        let features = own
            .features(model, &searcher.features, context.device(), &mut ())
            .unwrap();
        let searched = (0..count).map(|row| {
            let query = Query::feature(&features.row(row).to_vec());
            let (ranking, _) = searcher.rank(&query, Method::GaussianDensity).unwrap();
            let mut models = ranking.models.into_iter();
            models.find(|ranked| ranked.model == name).unwrap().score
        });
        let expected = OwnScores::new(searched.collect());
        let alone = searcher.own_scores(name, count, &context, &mut ()).unwrap();
        for (alone, expected) in alone.scores.iter().zip(&expected.scores) {
            // Features that are scored together may be summed in another order, of 128 squares in f32.
            assert!((alone - expected).abs() < 1e-3, "{alone} {expected}");
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
