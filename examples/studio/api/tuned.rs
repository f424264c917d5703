//! Changes of models' weights: those that inversions found, and those of a session.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::studio::Studio;

/// Keeps a file of pivotal tuning; its id serves recipes.
pub async fn add(
    State(studio): State<Arc<Studio>>,
    bytes: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Json<Value>, Failure> {
    let bytes = bytes
        .map_err(|rejection| Failure::with_status(rejection.status(), rejection.body_text()))?;
    let id = studio
        .soon(move |interface| {
            let device = interface.context.device();
            Ok(interface.uploads.add_tuned(&bytes, device)?)
        })
        .await?;
    Ok(Json(json!({ "id": id })))
}

/// The file, for `--tuned` of the programs.
pub async fn get(
    State(studio): State<Arc<Studio>>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let read = tokio::task::spawn_blocking(move || studio.interface.uploads.tuned_bytes(&id));
    let bytes = read.await.map_err(|_| Failure::panicked())??;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}
