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
        .soon(move |studio| studio.uploads.add_tuned(&bytes, studio.context.device()))
        .await?;
    Ok(Json(json!({ "id": id })))
}

/// The file, for `--tuned` of the programs.
pub async fn get(
    State(studio): State<Arc<Studio>>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let file = studio.uploads.tuned(&id)?;
    let bytes = tokio::fs::read(file).await;
    let bytes = bytes.map_err(|_| Failure::not_found(crate::uploads::NO_TUNED))?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}
