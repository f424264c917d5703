use std::path::Path;

use checkpoint::{Checkpoint, StoredDType};

use super::{CHANNELS, ImageSet};
use crate::TrainingError;

/// The metadata entry `format` of the layout that is read.
const FORMAT: &str = "packed-images/1";
const TENSOR: &str = "images";

/// The images, in the size that is expected where there is one.
pub(super) fn read(path: &Path, side: Option<usize>) -> Result<ImageSet, TrainingError> {
    let file = Checkpoint::open(path)?;
    let not_packed = |reason: String| TrainingError::NotPacked {
        path: path.to_owned(),
        reason,
    };
    let format = file.metadata().get("format").map(String::as_str);
    if format != Some(FORMAT) {
        return Err(not_packed(format!(
            "its metadata `format` is {format:?}, expected {FORMAT:?}"
        )));
    }
    let images = file
        .tensors()
        .get(TENSOR)
        .ok_or_else(|| not_packed(format!("it has no tensor `{TENSOR}`")))?;
    let &[count, CHANNELS, height, width] = images.shape() else {
        return Err(not_packed(format!(
            "`{TENSOR}` has shape {:?}, expected [count, {CHANNELS}, side, side]",
            images.shape()
        )));
    };
    if images.dtype() != StoredDType::U8 || height != width {
        return Err(not_packed(format!(
            "`{TENSOR}` is {:?} of {height}x{width}, expected U8 and squares",
            images.dtype()
        )));
    }
    if count == 0 {
        return Err(TrainingError::NoImages {
            path: path.to_owned(),
        });
    }
    if let Some(expected) = side.filter(|side| *side != width) {
        return Err(TrainingError::WrongSize {
            what: format!("images of {}", path.display()),
            found: width,
            expected,
        });
    }
    Ok(ImageSet::from_bytes(width, images.bytes().to_vec()))
}
