//! Search for models.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use ganymede::search::{Fit, Outcome};
use studio_interface::{Scored, Search};

use crate::failure::Failure;
use crate::input::Input;
use crate::studio::Studio;

/// Ranks the models for images or a model.
pub async fn search(
    State(studio): State<Arc<Studio>>,
    Input(wanted): Input<Search>,
) -> Result<Json<Outcome>, Failure> {
    wanted.validate()?;
    let outcome = studio.soon(move |interface| Ok(interface.search(wanted)?));
    Ok(Json(outcome.await?))
}

/// How usual an image of a score is for a model.
pub async fn typicality(
    State(studio): State<Arc<Studio>>,
    Input(scored): Input<Scored>,
) -> Result<Json<Fit>, Failure> {
    let fit = studio.soon(move |interface| Ok(interface.typicality(scored)?));
    Ok(Json(fit.await?))
}
