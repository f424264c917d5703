use image::{Rgb, RgbImage};

/// `|a - b|` per pixel and channel: black where the images agree.
///
/// # Panics
/// When the sizes differ.
pub fn absolute_difference(a: &RgbImage, b: &RgbImage) -> RgbImage {
    assert_eq!(
        a.dimensions(),
        b.dimensions(),
        "a difference needs two images of one size"
    );
    RgbImage::from_fn(a.width(), a.height(), |x, y| {
        let (a, b) = (a.get_pixel(x, y).0, b.get_pixel(x, y).0);
        Rgb([0, 1, 2].map(|channel| a[channel].abs_diff(b[channel])))
    })
}
