//! What the server does at the moment.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::animation;
use crate::studio::Studio;

pub async fn status(State(studio): State<Arc<Studio>>) -> Json<Value> {
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "jobs": studio.work.inside(),
        "pictures": studio.pictures.inside(),
        "mp4": animation::has_ffmpeg(),
    }))
}
