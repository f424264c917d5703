//! Images that were given to the page.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::studio::Studio;

/// Keeps an image, in any format that can be read; its id serves searches and inversions.
pub async fn add(
    State(studio): State<Arc<Studio>>,
    bytes: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Json<Value>, Failure> {
    let bytes = bytes
        .map_err(|rejection| Failure::with_status(rejection.status(), rejection.body_text()))?;
    let (id, image) = studio
        .soon(move |interface| Ok(interface.uploads.add_image(&bytes)?))
        .await?;
    Ok(Json(
        json!({ "id": id, "width": image.width(), "height": image.height() }),
    ))
}

/// The image as PNG.
pub async fn get(
    State(studio): State<Arc<Studio>>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let read = tokio::task::spawn_blocking(move || studio.interface.uploads.image_bytes(&id));
    let png = read.await.map_err(|_| Failure::panicked())??;
    Ok(([(header::CONTENT_TYPE, "image/png")], png).into_response())
}
