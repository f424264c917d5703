//! Pictures, their latents, and animations of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use ganymede::checkpoint_file::{FloatPrecision, StoredTensor, save_safetensors};
use ganymede::image_tensor::{encode_png, magnify};
use ganymede::picture::Picture;
use ganymede::stylegan2::FileOffset;
use serde::Deserialize;

use crate::animation::{self, Animation};
use crate::failure::Failure;
use crate::input::Input;
use crate::studio::Studio;

/// A picture to make, and how large.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(flatten)]
    picture: Picture,
    /// Each pixel becomes a square of so many.
    #[serde(default = "unchanged")]
    enlarged: u32,
}

fn unchanged() -> u32 {
    1
}

/// Side of the largest picture that is sent.
const LARGEST: u32 = 4096;

impl Studio {
    /// The recipe with the model and the change of its weights named as jobs name them.
    pub fn resolve(&self, mut picture: Picture) -> Result<Picture, Failure> {
        picture.model = self.which(&picture.model)?;
        if let Some(id) = picture.tuned {
            let id = id.to_str().unwrap_or_default();
            picture.tuned = Some(self.uploads.tuned(id)?);
        }
        Ok(picture)
    }

    /// A model's id as jobs name it.
    pub fn which(&self, id: &str) -> Result<String, Failure> {
        Ok(self.shelf.find(id, self.context.weights())?.which())
    }
}

/// The picture as PNG.
pub async fn picture(
    State(studio): State<Arc<Studio>>,
    Input(wanted): Input<Wanted>,
) -> Result<Response, Failure> {
    let png = studio
        .soon(move |studio| {
            let image = studio.resolve(wanted.picture)?.render(&studio.context)?;
            if wanted.enlarged == 0 || wanted.enlarged.saturating_mul(image.width()) > LARGEST {
                return Err(Failure::refused(format!(
                    "enlarged: expected 1 to {}",
                    LARGEST / image.width()
                )));
            }
            let image = magnify(&image, wanted.enlarged);
            encode_png(&image).map_err(|error| Failure::internal(error.to_string()))
        })
        .await?;
    Ok(([(header::CONTENT_TYPE, "image/png")], png).into_response())
}

/// The picture's latents, edited, as safetensors: `w_plus` `[1, num_ws, w_dim]`, which all programs here read.
pub async fn latents(
    State(studio): State<Arc<Studio>>,
    Input(picture): Input<Picture>,
) -> Result<Response, Failure> {
    let bytes = studio
        .soon(move |studio| {
            let picture = studio.resolve(picture)?;
            let model = picture.load_model(&studio.context)?;
            let w_plus = picture.w_plus(&model, &studio.context)?;
            let (layers, features) = w_plus.dim();
            let values: Vec<f32> = w_plus.iter().copied().collect();
            let tensor = StoredTensor::from_f32(vec![1, layers, features], &values);
            let mut tensors = BTreeMap::from([("w_plus".to_owned(), tensor)]);
            if let Some(offset) = picture.offset(&model)? {
                let shape = vec![1, offset.values.nrows(), offset.block, offset.block];
                let values: Vec<f32> = offset.values.iter().copied().collect();
                let name = FileOffset::tensor_name(offset.block);
                tensors.insert(name, StoredTensor::from_f32(shape, &values));
            }
            let metadata = BTreeMap::from([("model".to_owned(), model.name.clone())]);
            let internal = |error: std::io::Error| Failure::internal(error.to_string());
            let file = tempfile::NamedTempFile::new().map_err(internal)?;
            save_safetensors(file.path(), &tensors, &metadata, FloatPrecision::F32)
                .map_err(|error| Failure::internal(error.to_string()))?;
            std::fs::read(file.path()).map_err(internal)
        })
        .await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

/// A course as GIF or MP4.
pub async fn animation(
    State(studio): State<Arc<Studio>>,
    Input(wanted): Input<Animation>,
) -> Result<Response, Failure> {
    wanted.validate()?;
    let kind = wanted.format.content_type();
    // What stays here goes with this request, and so when its reader goes away.
    let (gone, _here) = tokio::sync::oneshot::channel::<()>();
    let bytes = studio
        .soon(move |studio| {
            let picture = studio.resolve(wanted.picture.clone())?;
            animation::make(&wanted, &picture, &studio.context, || !gone.is_closed())
        })
        .await?;
    Ok(([(header::CONTENT_TYPE, kind)], bytes).into_response())
}
