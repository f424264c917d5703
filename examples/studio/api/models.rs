//! Models: which there are, what each can do, and new ones.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::failure::Failure;
use crate::studio::Studio;

/// Largest checkpoint that can be dropped: the largest official ones take 400 MB.
const MODEL_BYTES: u64 = 2 << 30;

/// All models with what their cards say.
pub async fn list(State(studio): State<Arc<Studio>>) -> Result<Json<Value>, Failure> {
    let listed = studio.soon(|interface| Ok(interface.models()?));
    Ok(Json(listed.await?))
}

/// What a model makes and how it can be edited; loads it.
pub async fn describe(
    State(studio): State<Arc<Studio>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let described = studio.soon(move |interface| Ok(interface.describe(&id)?));
    Ok(Json(described.await?))
}

/// The picture of samples beside a model. It waits for no other picture.
pub async fn samples(
    State(studio): State<Arc<Studio>>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let read = tokio::task::spawn_blocking(move || studio.interface.samples(&id));
    let png = read.await.map_err(|_| Failure::panicked())??;
    Ok(([(header::CONTENT_TYPE, "image/png")], png).into_response())
}

/// Keeps a checkpoint that was dropped on the page, if it can be loaded, until the program ends.
pub async fn add(
    State(studio): State<Arc<Studio>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<Value>, Failure> {
    let file = studio.interface.place_of_model(&name)?;
    let incoming = tempfile::NamedTempFile::new_in(studio.interface.uploads.models())
        .map_err(|error| Failure::internal(error.to_string()))?;
    receive(body, incoming.path()).await?;
    let described = studio.soon(move |interface| {
        incoming
            .persist(&file)
            .map_err(|error| Failure::internal(error.to_string()))?;
        Ok(interface.added_model(&name)?)
    });
    Ok(Json(described.await?))
}

/// Writes a body to a file, piece by piece.
async fn receive(body: Body, path: &std::path::Path) -> Result<(), Failure> {
    let internal = |error: std::io::Error| Failure::internal(error.to_string());
    let mut file = tokio::fs::File::create(path).await.map_err(internal)?;
    let mut pieces = body.into_data_stream();
    let mut length = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| Failure::refused(error.to_string()))?;
        length += piece.len() as u64;
        if length > MODEL_BYTES {
            return Err(Failure::too_large(format!(
                "longer than {MODEL_BYTES} bytes"
            )));
        }
        file.write_all(&piece).await.map_err(internal)?;
    }
    file.flush().await.map_err(internal)
}
