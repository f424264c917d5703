use std::path::{Path, PathBuf};

use image_tensor::{DecodeLimits, ResizeProtocol, center_crop_and_resize, decode_file};

use super::{CHANNELS, ImageSet};
use crate::TrainingError;

/// File names that are taken for images; the content then decides.
const EXTENSIONS: [&str; 8] = ["png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff"];

pub(super) fn read(folder: &Path, side: usize) -> Result<ImageSet, TrainingError> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    // The order of a directory is the file system's; the order of paths is the same everywhere.
    files.sort();
    if files.is_empty() {
        return Err(TrainingError::NoImages {
            path: folder.to_owned(),
        });
    }
    let pixels = side * side;
    let mut bytes = Vec::with_capacity(files.len() * CHANNELS * pixels);
    for file in &files {
        let image = decode_file(file, &DecodeLimits::default())?;
        let image = center_crop_and_resize(&image, side as u32, ResizeProtocol::PillowLanczos);
        for channel in 0..CHANNELS {
            bytes.extend(image.pixels().map(|pixel| pixel.0[channel]));
        }
    }
    Ok(ImageSet::from_bytes(side, bytes))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), TrainingError> {
    let io = |source| TrainingError::Io {
        path: folder.to_owned(),
        source,
    };
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|extension| EXTENSIONS.contains(&extension.to_lowercase().as_str()))
        {
            files.push(path);
        }
    }
    Ok(())
}
