//! Inversion of an image into one model or several.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use futures_util::Stream;
use ganymede::Observer;
use ganymede::invert::Settings;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::events::{self, Reporter};
use crate::failure::Failure;
use crate::input::Input;
use crate::inversion;
use crate::studio::Studio;

/// What is inverted, and how.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    image: String,
    models: Vec<String>,
    #[serde(default)]
    settings: Settings,
    /// Of the random latents to start from.
    #[serde(default)]
    seed: u32,
}

/// Models of one job.
const MOST_MODELS: usize = 16;

/// A job that tells `model` before the events of each model's inversion, and ends with a result for each.
pub async fn invert(
    State(studio): State<Arc<Studio>>,
    Input(wanted): Input<Wanted>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    if wanted.models.is_empty() || wanted.models.len() > MOST_MODELS {
        return Err(Failure::refused(format!(
            "models: expected 1 to {MOST_MODELS}"
        )));
    }
    inversion::validate(&wanted.settings)?;
    // Wrong names are told at once and not when the job's turn comes.
    studio.uploads.image(&wanted.image)?;
    for model in &wanted.models {
        studio.which(model)?;
    }
    events::run(studio, move |studio, reporter| {
        all(&wanted, studio, reporter)
    })
}

fn all(wanted: &Wanted, studio: &Studio, reporter: &mut Reporter) -> Result<Value, Failure> {
    let image = studio.uploads.image(&wanted.image)?;
    let mut results = Vec::new();
    for id in &wanted.models {
        if reporter.cancelled() {
            break;
        }
        reporter.tell("model", &json!({ "id": id }));
        let which = studio.which(id)?;
        let Wanted { settings, seed, .. } = wanted;
        let found = inversion::run(&image, &which, settings, *seed, &studio.context, reporter)?;
        let mut found =
            serde_json::to_value(found).map_err(|error| Failure::internal(error.to_string()))?;
        found["id"] = json!(id);
        results.push(found);
    }
    Ok(json!({ "results": results, "cancelled": reporter.cancelled() }))
}
