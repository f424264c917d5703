//! The drawn images that styles of the zoo are trained on.

use std::path::{Path, PathBuf};

use crate::{BASE, Error, Weights};

/// Behind a style's name, the file of its images in `weights/zoo/data`.
pub const TRAINING_IMAGES: &str = ".training.safetensors";

/// Where they lie unless another folder is named.
pub fn folder(weights: &Weights) -> PathBuf {
    weights.zoo().join("data")
}

/// The files of a style in a folder, or of all styles for the base model.
///
/// # Errors
///
/// There are none; the error says how they are drawn.
pub fn files(style: &str, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    if style == BASE {
        return all_styles(folder);
    }
    let path = folder.join(format!("{style}{TRAINING_IMAGES}"));
    if path.exists() {
        Ok(vec![path])
    } else {
        Err(missing(path))
    }
}

fn all_styles(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = std::fs::read_dir(folder).map_err(|_| missing(folder.to_owned()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io(folder, "cannot be listed"))?.path();
        if path.to_string_lossy().ends_with(TRAINING_IMAGES) {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(missing(folder.to_owned()));
    }
    Ok(paths)
}

fn missing(path: PathBuf) -> Error {
    Error::File {
        path,
        problem: "missing; draw the images of the zoo with `npm ci && node render.js` in weights/zoo/render".to_owned(),
    }
}
