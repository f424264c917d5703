//! What the server does at the moment.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::film;
use crate::studio::Studio;

/// What the page asks at its start.
#[derive(Serialize)]
pub struct Status {
    #[serde(flatten)]
    interface: studio_interface::Status,
    /// That wait or run.
    jobs: usize,
    pictures: usize,
    /// Whether MP4 can be made.
    mp4: bool,
}

pub async fn status(State(studio): State<Arc<Studio>>) -> Json<Status> {
    Json(Status {
        interface: studio.interface.status(),
        jobs: studio.work.inside(),
        pictures: studio.pictures.inside(),
        mp4: film::has_ffmpeg(),
    })
}
