//! Images and models that were given to the page, in a temporary folder that goes with the program.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ganymede::digest;
use ganymede::image_tensor::{DecodeLimits, ImageTensorError, RgbImage, decode_bytes, encode_png};
use tempfile::TempDir;

use crate::failure::Failure;

/// Largest image file.
pub const IMAGE_BYTES: usize = 32 << 20;

/// Images that are kept; the oldest goes first.
const IMAGES: usize = 256;

pub struct Uploads {
    folder: TempDir,
    images: Mutex<VecDeque<String>>,
}

impl Uploads {
    pub fn new() -> Result<Self, examples::Failure> {
        let folder = tempfile::Builder::new()
            .prefix("ganymede-studio-")
            .tempdir()?;
        for inner in [IMAGES_FOLDER, MODELS_FOLDER] {
            std::fs::create_dir(folder.path().join(inner))?;
        }
        Ok(Self {
            folder,
            images: Mutex::default(),
        })
    }

    /// Where models are put.
    pub fn models(&self) -> PathBuf {
        self.folder.path().join(MODELS_FOLDER)
    }

    /// Reads an image of any format, and keeps it as PNG under the name of its pixels. Returns the name and the pixels.
    pub fn add_image(&self, bytes: &[u8]) -> Result<(String, RgbImage), Failure> {
        let limits = DecodeLimits {
            max_file_bytes: IMAGE_BYTES as u64,
            ..DecodeLimits::default()
        };
        let refused = |e: ImageTensorError| Failure::refused(e.to_string());
        let image = decode_bytes("the image", bytes, &limits).map_err(refused)?;
        let png = encode_png(&image).map_err(refused)?;
        let name = digest::of_bytes(&png);
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        ganymede::files::write(&self.image_file(&name), &png)?;
        images.retain(|known| *known != name);
        images.push_back(name.clone());
        while images.len() > IMAGES {
            if let Some(oldest) = images.pop_front() {
                // What cannot be removed goes with the folder.
                let _ = std::fs::remove_file(self.image_file(&oldest));
            }
        }
        Ok((name, image))
    }

    /// The file of an image that is kept.
    pub fn image(&self, name: &str) -> Result<PathBuf, Failure> {
        let images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        match images.iter().any(|known| known == name) {
            true => Ok(self.image_file(name)),
            false => Err(Failure::not_found("no such image here; send it again")),
        }
    }

    /// A message without the folder's path, which is nobody's concern.
    pub fn without_folder(&self, message: &str) -> String {
        let prefix = format!("{}{}", self.models().display(), std::path::MAIN_SEPARATOR);
        message.replace(&prefix, "")
    }

    fn image_file(&self, name: &str) -> PathBuf {
        let file: &Path = self.folder.path();
        file.join(IMAGES_FOLDER).join(format!("{name}.png"))
    }
}

const IMAGES_FOLDER: &str = "images";
const MODELS_FOLDER: &str = "models";
