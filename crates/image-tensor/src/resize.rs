use image::{RgbImage, imageops};

use crate::pillow_filter::{FilterWeights, PillowFilter};

/// Channels of an RGB pixel.
const RGB: usize = 3;

/// How pixels of one size become pixels of another.
///
/// All of these equal Pillow's `Image.resize` on 8-bit images, byte for byte. The filter is widened by the scale when
/// shrinking (antialiasing). The horizontal pass comes first and leaves 8-bit values for the vertical one. At the edges
/// the weights of the pixels that exist are scaled to a sum of 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResizeProtocol {
    /// Mean over the covered area (`Image.Resampling.BOX`).
    PillowBox,
    /// Triangle filter of support 1 (`Image.Resampling.BILINEAR`).
    PillowBilinear,
    /// Keys' cubic with a = -0.5, of support 2 (`Image.Resampling.BICUBIC`).
    PillowBicubic,
    /// Windowed sinc of support 3 (`Image.Resampling.LANCZOS`), which the official StyleGAN2 data preparation uses.
    PillowLanczos,
}

impl ResizeProtocol {
    fn filter(self) -> PillowFilter {
        match self {
            Self::PillowBox => PillowFilter::Box,
            Self::PillowBilinear => PillowFilter::Bilinear,
            Self::PillowBicubic => PillowFilter::Bicubic,
            Self::PillowLanczos => PillowFilter::Lanczos,
        }
    }
}

/// Resizes to `width` x `height` without keeping the aspect ratio.
///
/// # Panics
/// When a side of the image or of the target is 0.
pub fn resize(image: &RgbImage, width: u32, height: u32, protocol: ResizeProtocol) -> RgbImage {
    assert!(
        width > 0 && height > 0 && image.width() > 0 && image.height() > 0,
        "resize needs at least one pixel a side: {} x {} to {width} x {height}",
        image.width(),
        image.height()
    );
    let filter = protocol.filter();
    // A side that stays is not filtered, as in Pillow; with these filters that would change nothing.
    let wide = if image.width() == width {
        image.clone()
    } else {
        resize_rows(image, &FilterWeights::new(filter, image.width(), width))
    };
    if image.height() == height {
        wide
    } else {
        resize_columns(&wide, &FilterWeights::new(filter, image.height(), height))
    }
}

fn resize_rows(image: &RgbImage, weights: &FilterWeights) -> RgbImage {
    let width = weights.len();
    let mut bytes = Vec::with_capacity(width * image.height() as usize * RGB);
    for row in image.as_raw().chunks_exact(image.width() as usize * RGB) {
        for (first, taps) in weights.iter() {
            let covered = &row[first * RGB..(first + taps.len()) * RGB];
            let mut sums = [FilterWeights::HALF; RGB];
            for (pixel, tap) in covered.as_chunks::<RGB>().0.iter().zip(taps) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += i64::from(*value) * i64::from(*tap);
                }
            }
            bytes.extend(sums.map(FilterWeights::to_byte));
        }
    }
    RgbImage::from_raw(width as u32, image.height(), bytes).expect("three bytes a pixel")
}

fn resize_columns(image: &RgbImage, weights: &FilterWeights) -> RgbImage {
    let height = weights.len();
    let stride = image.width() as usize * RGB;
    let mut bytes = Vec::with_capacity(stride * height);
    let mut sums = vec![0; stride];
    for (first, taps) in weights.iter() {
        sums.fill(FilterWeights::HALF);
        // Row by row, so that memory is read in order.
        let rows = image.as_raw()[first * stride..].chunks_exact(stride);
        for (row, tap) in rows.zip(taps) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += i64::from(*value) * i64::from(*tap);
            }
        }
        bytes.extend(sums.iter().copied().map(FilterWeights::to_byte));
    }
    RgbImage::from_raw(image.width(), height as u32, bytes).expect("three bytes a pixel")
}

/// The weights with which `output` pixels of one axis are made from `input` pixels, `[output, input]` row-major, each
/// row's sum 1.
///
/// With it a resize is a linear map of tensors of any range, which has a gradient. It equals Pillow's on floating-point
/// images (mode `F`) up to rounding; [`resize`] rounds to 8 bits after each direction and so differs by up to a level
/// or two.
///
/// # Panics
/// When `input` or `output` is 0.
pub fn resampling_matrix(protocol: ResizeProtocol, input: u32, output: u32) -> Vec<f32> {
    assert!(
        input > 0 && output > 0,
        "resampling needs at least one pixel a side: {input} to {output}"
    );
    let mut matrix = vec![0.0; input as usize * output as usize];
    let rows = matrix.chunks_exact_mut(input as usize);
    for (position, row) in (0..output).zip(rows) {
        let (first, weights) = protocol.filter().weights(input, output, position);
        for (value, weight) in row[first..].iter_mut().zip(weights) {
            *value = weight as f32;
        }
    }
    matrix
}

/// The largest centered square; an odd remainder leaves the extra row or column at the bottom or right.
pub fn center_crop_square(image: &RgbImage) -> RgbImage {
    let side = image.width().min(image.height());
    let left = (image.width() - side) / 2;
    let top = (image.height() - side) / 2;
    imageops::crop_imm(image, left, top, side, side).to_image()
}

/// [`center_crop_square`], then [`resize`] to `side` x `side`; an image of that size is returned as it is.
///
/// # Panics
/// When `side` or the image is empty.
pub fn center_crop_and_resize(image: &RgbImage, side: u32, protocol: ResizeProtocol) -> RgbImage {
    resize(&center_crop_square(image), side, side, protocol)
}
