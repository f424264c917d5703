use image_source::{BadImages, ImageSource, ImageSourceError};
use image_tensor::{DecodeLimits, ResizeProtocol, RgbImage, center_crop_and_resize};

use super::{ImageSet, RGB};
use crate::TrainingError;

/// The usable images in `side` x `side`, and why others were left out.
pub(super) fn read(
    source: &ImageSource,
    side: usize,
    bad_images: BadImages,
) -> Result<(ImageSet, Vec<ImageSourceError>), TrainingError> {
    // Packed images were made for a size, so another one is a mistake.
    if let Some((path, found)) = source.packed_sides().find(|(_, found)| *found != side) {
        return Err(TrainingError::WrongSize {
            what: format!("images of {}", path.display()),
            found,
            expected: side,
        });
    }
    let mut bytes = Vec::new();
    let skipped = source.for_each(&DecodeLimits::default(), bad_images, |image| {
        append(&mut bytes, image.pixels, side as u32);
        Ok::<(), ImageSourceError>(())
    })?;
    Ok((ImageSet::from_bytes(side, bytes), skipped))
}

/// A red, a green and a blue plane.
fn append(bytes: &mut Vec<u8>, image: RgbImage, side: u32) {
    let square = if image.dimensions() == (side, side) {
        image
    } else {
        center_crop_and_resize(&image, side, ResizeProtocol::PillowLanczos)
    };
    for channel in 0..RGB {
        bytes.extend(square.pixels().map(|pixel| pixel.0[channel]));
    }
}
