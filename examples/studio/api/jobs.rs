//! Ending jobs.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::failure::Failure;
use crate::studio::Studio;

/// Asks a job to end: it gives what it has.
pub async fn cancel(
    State(studio): State<Arc<Studio>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    match studio.jobs.cancel(&id) {
        true => Ok(StatusCode::ACCEPTED),
        // Whoever asks cannot know that it was over in the meantime.
        false if studio.jobs.has_ended(&id) => Ok(StatusCode::NO_CONTENT),
        false => Err(Failure::not_found("there was no such job")),
    }
}
