//! Search for models.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::State;
use ganymede::search::{self, Fit, Method, Outcome, Searcher};
use serde::Deserialize;

use crate::failure::Failure;
use crate::input::Input;
use crate::studio::Studio;

/// What is searched for: images, which are one query, or a model of the zoo.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    #[serde(default)]
    images: Vec<String>,
    #[serde(default)]
    like: Option<String>,
    #[serde(default)]
    method: Method,
}

/// Images of one query.
const MOST_IMAGES: usize = 100;

pub async fn search(
    State(studio): State<Arc<Studio>>,
    Input(wanted): Input<Wanted>,
) -> Result<Json<Outcome>, Failure> {
    if wanted.images.is_empty() == wanted.like.is_none() || wanted.images.len() > MOST_IMAGES {
        return Err(Failure::refused(format!(
            "expected 1 to {MOST_IMAGES} images, or a model in `like`"
        )));
    }
    let outcome = studio.soon(move |studio| {
        let images = wanted.images.iter().map(|id| studio.uploads.image(id));
        let options = search::Options {
            image: images.collect::<Result<_, Failure>>()?,
            together: wanted.images.len() > 1,
            like: wanted.like,
            method: wanted.method,
            ..search::Options::default()
        };
        Ok(search::run(&options, &studio.context, &mut ())?)
    });
    Ok(Json(outcome.await?))
}

/// A score, and the model of the zoo that it is of.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scored {
    model: String,
    score: f64,
}

/// Samples that a score is compared with.
const SAMPLES: usize = 200;

/// How usual an image of this score is for the model, by the samples that the index keeps scores of; where it keeps none, they are drawn once.
pub async fn typicality(
    State(studio): State<Arc<Studio>>,
    Input(Scored { model, score }): Input<Scored>,
) -> Result<Json<Fit>, Failure> {
    let fit = studio.soon(move |studio| {
        // Pictures and searches take turns, so that nobody waits for this lock.
        let mut known = studio
            .own_scores
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = known.get(&model) {
            return Ok(Fit::new(model, own.typicality(score)));
        }
        let context = &studio.context;
        let searcher = Searcher::open(None, None, &context.weights()?, context.device())?;
        if let Some(share) = searcher.typicality(&model, score) {
            return Ok(Fit::new(model, share));
        }
        let own = searcher.own_scores(&model, SAMPLES, context, &mut ())?;
        let share = own.typicality(score);
        known.insert(model.clone(), own);
        Ok(Fit::new(model, share))
    });
    Ok(Json(fit.await?))
}
