//! Square images below each other in one file.

use std::path::Path;

use image_tensor::{DecodeLimits, RgbImage, decode_file};

use crate::Error;

/// The images of a file, from above.
///
/// # Errors
///
/// The file cannot be read, or its height is not a multiple of its width.
pub fn read(path: &Path, limits: &DecodeLimits) -> Result<Vec<RgbImage>, Error> {
    let strip = decode_file(path, limits)?;
    cut(&strip).map_err(|problem| Error::File {
        path: path.to_owned(),
        problem,
    })
}

fn cut(strip: &RgbImage) -> Result<Vec<RgbImage>, String> {
    let (width, height) = strip.dimensions();
    if !height.is_multiple_of(width) {
        return Err(format!(
            "{width} x {height} pixels, expected square images below each other, so a height that is a multiple of the width"
        ));
    }
    let bytes = strip.as_raw().len() / (height / width) as usize;
    Ok(strip
        .as_raw()
        .chunks_exact(bytes)
        .filter_map(|rows| RgbImage::from_raw(width, width, rows.to_vec()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image_tensor::Rgb;

    #[test]
    fn a_strip_is_cut_into_its_squares() {
        let strip = RgbImage::from_fn(3, 12, |x, y| Rgb([x as u8, (y % 3) as u8, (y / 3) as u8]));
        let images = cut(&strip).expect("four squares");
        assert_eq!(images.len(), 4);
        for (number, image) in images.iter().enumerate() {
            let expected = RgbImage::from_fn(3, 3, |x, y| Rgb([x as u8, y as u8, number as u8]));
            assert_eq!(*image, expected);
        }
        let error = cut(&RgbImage::new(3, 11)).expect_err("no whole number of squares");
        assert!(error.contains("3 x 11"), "{error}");
    }
}
