use std::sync::PoisonError;

use ganymede::search::{self, Fit, Method, Outcome, Searcher};
use serde::Deserialize;

use crate::{Failure, Studio};

/// What is searched for: images, which are one query, or a model of the zoo.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    #[serde(default)]
    images: Vec<String>,
    #[serde(default)]
    like: Option<String>,
    #[serde(default)]
    method: Method,
}

/// Images of one query.
const MOST_IMAGES: usize = 100;

/// A score, and the model of the zoo that it is of.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scored {
    model: String,
    score: f64,
}

/// Samples that a score is compared with.
const SAMPLES: usize = 200;

impl Search {
    /// Whether it names what one search can take.
    ///
    /// # Errors
    ///
    /// It does not.
    pub fn validate(&self) -> Result<(), Failure> {
        if self.images.is_empty() == self.like.is_none() || self.images.len() > MOST_IMAGES {
            return Err(Failure::refused(format!(
                "expected 1 to {MOST_IMAGES} images, or a model in `like`"
            )));
        }
        Ok(())
    }
}

impl Studio {
    /// Ranks the models.
    ///
    /// # Errors
    ///
    /// As [`search::run`]; an image is not here.
    pub fn search(&self, wanted: Search) -> Result<Outcome, Failure> {
        wanted.validate()?;
        let images = wanted.images.iter().map(|id| self.uploads.image(id));
        let options = search::Options {
            image: images.collect::<Result<_, Failure>>()?,
            together: wanted.images.len() > 1,
            like: wanted.like,
            method: wanted.method,
            ..search::Options::default()
        };
        Ok(search::run(&options, &self.context, &mut ())?)
    }

    /// How usual an image of this score is for the model, by the samples that the index keeps scores of; where it keeps
    /// none, they are drawn once.
    ///
    /// # Errors
    ///
    /// There is no index, or the model is not in it.
    pub fn typicality(&self, scored: Scored) -> Result<Fit, Failure> {
        let Scored { model, score } = scored;
        // Pictures and searches take turns, so that nobody waits for this lock.
        let mut known = self
            .own_scores
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = known.get(&model) {
            return Ok(Fit::new(model, own.typicality(score)));
        }
        let context = &self.context;
        let searcher = Searcher::open(None, None, &context.weights()?, context.device())?;
        if let Some(share) = searcher.typicality(&model, score) {
            return Ok(Fit::new(model, share));
        }
        let own = searcher.own_scores(&model, SAMPLES, context, &mut ())?;
        let share = own.typicality(score);
        known.insert(model.clone(), own);
        Ok(Fit::new(model, share))
    }
}
