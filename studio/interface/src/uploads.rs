//! Images, models and changes of models that were given to the page or found by it, in a folder.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ganymede::image_tensor::{DecodeLimits, ImageTensorError, RgbImage, decode_bytes, encode_png};
use ganymede::stylegan2::WeightDelta;
use ganymede::{Device, digest};

use crate::Failure;
use crate::scratch::Scratch;

/// Largest image file.
pub const IMAGE_BYTES: usize = 32 << 20;

/// Images that are kept; the oldest goes first.
const IMAGES: usize = 256;

/// Largest change of a model: those of the largest ones take a twentieth of 120 MB.
pub const TUNED_BYTES: usize = 16 << 20;

/// Changes that are kept; the oldest goes first.
const TUNED: usize = 64;

const NO_TUNED: &str = "no such change of a model here; send it again";

/// What was given, by the name of its content.
pub struct Uploads {
    folder: PathBuf,
    images: Mutex<VecDeque<String>>,
    tuned: Mutex<VecDeque<String>>,
}

impl Uploads {
    pub(crate) fn new(folder: PathBuf) -> Result<Self, std::io::Error> {
        for inner in [IMAGES_FOLDER, MODELS_FOLDER, TUNED_FOLDER, SCRATCH_FOLDER] {
            whole_file::make_folder(folder.join(inner))?;
        }
        Ok(Self {
            folder,
            images: Mutex::default(),
            tuned: Mutex::default(),
        })
    }

    /// A folder for work that is done soon.
    pub(crate) fn scratch(&self) -> Result<Scratch, std::io::Error> {
        Scratch::new(&self.folder.join(SCRATCH_FOLDER))
    }

    /// Where models are put.
    pub fn models(&self) -> PathBuf {
        self.folder.join(MODELS_FOLDER)
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
        let name = keep(&self.images, IMAGES, &png, |name| self.image_file(name))?;
        Ok((name, image))
    }

    /// The file of an image that is kept.
    pub fn image(&self, name: &str) -> Result<PathBuf, Failure> {
        match lock(&self.images).iter().any(|known| known == name) {
            true => Ok(self.image_file(name)),
            false => Err(Failure::not_found("no such image here; send it again")),
        }
    }

    /// Keeps a file of pivotal tuning, if it is one, under the name of its content.
    pub fn add_tuned(&self, bytes: &[u8], device: &Device) -> Result<String, Failure> {
        let scratch = self.scratch()?;
        let file = scratch.folder().join(format!("given{ENDING}"));
        whole_file::write(&file, bytes)?;
        WeightDelta::read(&file, device).map_err(|error| {
            let path = file.display().to_string();
            Failure::refused(error.to_string().replace(&path, "the change"))
        })?;
        self.keep_tuned(bytes)
    }

    /// As [`add_tuned`](Self::add_tuned), of a file that was made here.
    pub(crate) fn keep_tuned(&self, bytes: &[u8]) -> Result<String, Failure> {
        keep(&self.tuned, TUNED, bytes, |name| self.tuned_file(name))
    }

    /// The bytes of an image that is kept, as PNG.
    ///
    /// # Errors
    ///
    /// It is not here.
    pub fn image_bytes(&self, name: &str) -> Result<Vec<u8>, Failure> {
        Ok(whole_file::read(self.image(name)?, u64::MAX)?)
    }

    /// The bytes of a change that is kept.
    ///
    /// # Errors
    ///
    /// It is not here.
    pub fn tuned_bytes(&self, name: &str) -> Result<Vec<u8>, Failure> {
        Ok(whole_file::read(self.tuned(name)?, TUNED_BYTES as u64)?)
    }

    /// The file of a change that is kept.
    pub fn tuned(&self, name: &str) -> Result<PathBuf, Failure> {
        match lock(&self.tuned).iter().any(|known| known == name) {
            true => Ok(self.tuned_file(name)),
            false => Err(Failure::not_found(NO_TUNED)),
        }
    }

    /// A message without the folder's path, which is nobody's concern.
    pub(crate) fn without_folder(&self, message: &str) -> String {
        let prefix = format!("{}{}", self.models().display(), std::path::MAIN_SEPARATOR);
        message.replace(&prefix, "")
    }

    fn image_file(&self, name: &str) -> PathBuf {
        let folder = self.folder.join(IMAGES_FOLDER);
        folder.join(format!("{name}.png"))
    }

    fn tuned_file(&self, name: &str) -> PathBuf {
        let folder = self.folder.join(TUNED_FOLDER);
        folder.join(format!("{name}{ENDING}"))
    }
}

/// Writes a file under the name of its content; of more than `most` files the oldest go.
fn keep(
    names: &Mutex<VecDeque<String>>,
    most: usize,
    bytes: &[u8],
    file: impl Fn(&str) -> PathBuf,
) -> Result<String, Failure> {
    let name = digest::of_bytes(bytes);
    let mut names = lock(names);
    ganymede::files::write(&file(&name), bytes)?;
    names.retain(|known| *known != name);
    names.push_back(name.clone());
    while names.len() > most {
        if let Some(oldest) = names.pop_front() {
            // What cannot be removed goes with the folder.
            let _ = whole_file::remove(file(&oldest));
        }
    }
    Ok(name)
}

fn lock(names: &Mutex<VecDeque<String>>) -> MutexGuard<'_, VecDeque<String>> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

const IMAGES_FOLDER: &str = "images";
const MODELS_FOLDER: &str = "models";
const TUNED_FOLDER: &str = "tuned";
const SCRATCH_FOLDER: &str = "scratch";
const ENDING: &str = ".tuned.safetensors";
