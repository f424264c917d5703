use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, RgbImage};

use crate::ImageTensorError;

/// The image as a PNG file's bytes (8-bit RGB, lossless).
///
/// # Errors
/// [`ImageTensorError::Encode`] when the encoder refuses, as for an image without pixels.
pub fn encode_png(image: &RgbImage) -> Result<Vec<u8>, ImageTensorError> {
    let mut bytes = Vec::new();
    image
        .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)
        .map_err(|e| ImageTensorError::Encode {
            format: "PNG",
            width: image.width(),
            height: image.height(),
            reason: e.to_string(),
        })?;
    Ok(bytes)
}

/// Writes the image as a PNG file, replacing one that is there.
///
/// # Errors
/// [`ImageTensorError::Encode`], or [`ImageTensorError::Write`] naming the path.
pub fn write_png(path: impl AsRef<Path>, image: &RgbImage) -> Result<(), ImageTensorError> {
    let path = path.as_ref();
    std::fs::write(path, encode_png(image)?).map_err(|source| ImageTensorError::Write {
        path: path.to_path_buf(),
        source,
    })
}
