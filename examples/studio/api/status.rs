//! What the server does at the moment.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::inversion;
use crate::animation;
use crate::studio::Studio;

/// What the page asks at its start.
#[derive(Serialize)]
pub struct Status {
    version: &'static str,
    /// That wait or run.
    jobs: usize,
    pictures: usize,
    /// Whether MP4 can be made.
    mp4: bool,
    /// How an inversion goes where nothing else is asked for.
    inversion: inversion::Wanted,
}

pub async fn status(State(studio): State<Arc<Studio>>) -> Json<Status> {
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        jobs: studio.work.inside(),
        pictures: studio.pictures.inside(),
        mp4: animation::has_ffmpeg(),
        inversion: inversion::Wanted::default(),
    })
}
