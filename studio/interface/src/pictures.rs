use std::collections::BTreeMap;

use ganymede::checkpoint_file::{FloatPrecision, StoredTensor, save_safetensors};
use ganymede::image_tensor::{encode_png, magnify};
use ganymede::picture::Picture;
use ganymede::stylegan2::FileOffset;
use serde::Deserialize;

use crate::{Failure, Studio};

/// A picture to make, and how large.
#[derive(Deserialize)]
pub struct Wanted {
    /// Its recipe.
    #[serde(flatten)]
    pub picture: Picture,
    /// Each pixel becomes a square of so many.
    #[serde(default = "unchanged")]
    pub enlarged: u32,
}

fn unchanged() -> u32 {
    1
}

/// Side of the largest picture that is sent.
const LARGEST: u32 = 4096;

/// Longest file of latents: those of the largest models with an offset take some megabytes.
const LATENTS_BYTES: u64 = 1 << 30;

impl Studio {
    /// The picture as PNG.
    ///
    /// # Errors
    ///
    /// As [`Picture::render`], and when it would be too large.
    pub fn picture(&self, wanted: Wanted) -> Result<Vec<u8>, Failure> {
        let image = self.resolve(wanted.picture)?.render(&self.context)?;
        if wanted.enlarged == 0 || wanted.enlarged.saturating_mul(image.width()) > LARGEST {
            return Err(Failure::refused(format!(
                "enlarged: expected 1 to {}",
                LARGEST / image.width()
            )));
        }
        let image = magnify(&image, wanted.enlarged);
        encode_png(&image).map_err(|error| Failure::internal(error.to_string()))
    }

    /// The picture's latents, edited, as safetensors: `w_plus` `[1, num_ws, w_dim]`, which all programs here read.
    ///
    /// # Errors
    ///
    /// As [`Picture::w_plus`].
    pub fn latents(&self, picture: Picture) -> Result<Vec<u8>, Failure> {
        let picture = self.resolve(picture)?;
        let model = picture.load_model(&self.context)?;
        let w_plus = picture.w_plus(&model, &self.context)?;
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
        let scratch = self.uploads.scratch()?;
        let file = scratch.folder().join("latents.safetensors");
        save_safetensors(&file, &tensors, &metadata, FloatPrecision::F32)
            .map_err(|error| Failure::internal(error.to_string()))?;
        Ok(whole_file::read(&file, LATENTS_BYTES)?)
    }
}
