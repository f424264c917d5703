use image::{ImageBuffer, Pixel, Rgb, RgbImage, imageops};

/// Images in rows of `columns`, row by row, `padding` pixels of `background` between them and around all.
///
/// A last row that is not full is filled with `background`.
///
/// # Panics
/// When there is no image, `columns` is 0, or the images differ in size.
pub fn grid<P: Pixel + 'static>(
    images: &[ImageBuffer<P, Vec<P::Subpixel>>],
    columns: usize,
    padding: u32,
    background: P,
) -> ImageBuffer<P, Vec<P::Subpixel>> {
    assert!(columns > 0, "a grid has at least one column, found 0");
    let (width, height) = images
        .first()
        .expect("a grid has at least one image, found none")
        .dimensions();
    let columns = columns.min(images.len());
    let rows = images.len().div_ceil(columns);
    let mut sheet = ImageBuffer::from_pixel(
        columns as u32 * (width + padding) + padding,
        rows as u32 * (height + padding) + padding,
        background,
    );
    for (index, image) in images.iter().enumerate() {
        assert_eq!(
            image.dimensions(),
            (width, height),
            "images of a grid have one size: image {index} differs from image 0"
        );
        let left = (index % columns) as u32 * (width + padding) + padding;
        let top = (index / columns) as u32 * (height + padding) + padding;
        imageops::replace(&mut sheet, image, i64::from(left), i64::from(top));
    }
    sheet
}

/// Images side by side: a [`grid`] of one row.
///
/// # Panics
/// As [`grid`].
pub fn strip(images: &[RgbImage], padding: u32, background: Rgb<u8>) -> RgbImage {
    grid(images, images.len().max(1), padding, background)
}

/// Every pixel as a square of `factor` x `factor` pixels, for looking at small images.
///
/// # Panics
/// When `factor` is 0.
pub fn magnify<P: Pixel + 'static>(
    image: &ImageBuffer<P, Vec<P::Subpixel>>,
    factor: u32,
) -> ImageBuffer<P, Vec<P::Subpixel>> {
    assert!(factor > 0, "an image is magnified at least once, found 0");
    ImageBuffer::from_fn(image.width() * factor, image.height() * factor, |x, y| {
        *image.get_pixel(x / factor, y / factor)
    })
}
