use std::io::Cursor;
use std::path::Path;

use image::{EncodableLayout, ImageBuffer, ImageFormat, Pixel, PixelWithColorType};

use crate::ImageTensorError;

/// The image as a PNG file's bytes, lossless, with the channels that it has: gray, RGB or RGBA.
///
/// # Errors
/// [`ImageTensorError::Encode`] when the encoder refuses, as for an image without pixels.
pub fn encode_png<P>(image: &ImageBuffer<P, Vec<P::Subpixel>>) -> Result<Vec<u8>, ImageTensorError>
where
    P: Pixel + PixelWithColorType,
    [P::Subpixel]: EncodableLayout,
{
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

/// Writes the image as a PNG file as [`encode_png`] makes it, replacing one that is there: beside it, then renamed, so
/// that the name never stands for half a picture.
///
/// # Errors
/// [`ImageTensorError::Encode`], or [`ImageTensorError::Write`] naming the path.
pub fn write_png<P>(
    path: impl AsRef<Path>,
    image: &ImageBuffer<P, Vec<P::Subpixel>>,
) -> Result<(), ImageTensorError>
where
    P: Pixel + PixelWithColorType,
    [P::Subpixel]: EncodableLayout,
{
    let path = path.as_ref();
    whole_file::write(path, encode_png(image)?).map_err(|source| ImageTensorError::Write {
        path: path.to_path_buf(),
        source,
    })
}
