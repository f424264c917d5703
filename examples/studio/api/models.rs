//! Models: which there are, what each can do, and new ones.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use ganymede::checkpoint_file::is_file_name;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::failure::Failure;
use crate::shelf::{ENDINGS, Entry};
use crate::studio::Studio;

/// Largest checkpoint that can be dropped: the largest official ones take 400 MB.
const MODEL_BYTES: u64 = 2 << 30;

/// All models with what their cards say.
pub async fn list(State(studio): State<Arc<Studio>>) -> Result<Json<Value>, Failure> {
    let entries = studio
        .soon(|studio| Ok(studio.shelf.list(&studio.context.weights()?)))
        .await?;
    Ok(Json(json!({ "models": entries })))
}

/// What a model makes and how it can be edited; loads it.
pub async fn describe(
    State(studio): State<Arc<Studio>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let described = studio.soon(move |studio| {
        let entry = studio.shelf.find(&id, studio.context.weights())?;
        description(&entry, studio)
    });
    Ok(Json(described.await?))
}

fn description(entry: &Entry, studio: &Studio) -> Result<Value, Failure> {
    let context = &studio.context;
    let model = context.model(&entry.which())?;
    let (mapping, synthesis) = (&model.generator.mapping, &model.generator.synthesis);
    let book = model.edits()?;
    let edits: Vec<Value> = book
        .iter()
        .map(|(name, edit)| {
            json!({ "name": name, "description": edit.description, "range": edit.range, "layers": edit.layers })
        })
        .collect();
    let directions = model.directions(&model.usual_basis(), context)?;
    let shares = directions.explained_variance_ratio().to_vec();
    Ok(json!({
        "id": entry.id,
        "name": entry.name,
        "resolution": model.resolution(),
        "layers": synthesis.num_ws(),
        "w_dim": synthesis.w_dim(),
        "classes": mapping.c_dim(),
        "truncation": mapping.tracks_w_avg(),
        "noise": !synthesis.noise_images().is_empty(),
        "edits": edits,
        "components": shares,
    }))
}

/// The picture of samples beside a model.
pub async fn samples(
    State(studio): State<Arc<Studio>>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let entry = studio.shelf.find(&id, studio.context.weights())?;
    let none = || Failure::not_found("this model has no picture of samples");
    let file = entry.samples().ok_or_else(none)?;
    let png = tokio::fs::read(file).await.map_err(|_| none())?;
    Ok(([(header::CONTENT_TYPE, "image/png")], png).into_response())
}

/// Keeps a checkpoint that was dropped on the page, if it can be loaded, until the program ends.
pub async fn add(
    State(studio): State<Arc<Studio>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<Value>, Failure> {
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    if !is_file_name(&name) || !ending.is_some_and(|ending| ENDINGS.contains(&&*ending)) {
        return Err(Failure::refused(format!(
            "expected the name of a checkpoint, which ends with one of .{}",
            ENDINGS.join(", .")
        )));
    }
    let file = studio.uploads.models().join(&name);
    let incoming = tempfile::NamedTempFile::new_in(studio.uploads.models())
        .map_err(|error| Failure::internal(error.to_string()))?;
    receive(body, incoming.path()).await?;
    let id = format!("dropped:{name}");
    let described = Arc::clone(&studio).soon(move |studio| {
        incoming
            .persist(&file)
            .map_err(|error| Failure::internal(error.to_string()))?;
        let entry = studio.shelf.find(&id, studio.context.weights())?;
        description(&entry, studio).inspect_err(|_| {
            // What cannot be loaded is of no use to anyone.
            let _ = std::fs::remove_file(&file);
        })
    });
    match described.await {
        Ok(description) => Ok(Json(description)),
        Err(mut failure) => {
            failure.message = studio.uploads.without_folder(&failure.message);
            Err(failure)
        }
    }
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
