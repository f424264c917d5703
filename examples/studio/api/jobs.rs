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
        false => Err(Failure::not_found("no such job waits or runs")),
    }
}
