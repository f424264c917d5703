use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{RgbImage, imageops};

/// How pixels of one size become pixels of another.
///
/// All of these follow Pillow's `Image.resize` on 8-bit images: the filter is widened by the scale when shrinking (antialiasing),
/// the passes are horizontal then vertical with 8-bit values between, and edges use the pixels that exist with renormalised weights.
///
/// Differs from Pillow: filter weights are fixed-point numbers of 16 bits, not 32, so results may be 1 of 255 apart;
/// `tests/image_tensor/resize.rs` states how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResizeProtocol {
    /// Mean over the covered area (`Image.Resampling.BOX`).
    PillowBox,
    /// Triangle filter of support 1 (`Image.Resampling.BILINEAR`).
    PillowBilinear,
    /// Keys' cubic with a = -0.5 of support 2 (`Image.Resampling.BICUBIC`).
    PillowBicubic,
    /// Windowed sinc of support 3 (`Image.Resampling.LANCZOS`), which the official StyleGAN2 data preparation uses.
    PillowLanczos,
}

impl ResizeProtocol {
    fn filter(self) -> FilterType {
        match self {
            Self::PillowBox => FilterType::Box,
            Self::PillowBilinear => FilterType::Bilinear,
            // fast_image_resize names Keys' a = -0.5 Catmull-Rom.
            Self::PillowBicubic => FilterType::CatmullRom,
            Self::PillowLanczos => FilterType::Lanczos3,
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
    if image.dimensions() == (width, height) {
        return image.clone();
    }
    let source = ImageRef::new(
        image.width(),
        image.height(),
        image.as_raw(),
        PixelType::U8x3,
    )
    .expect("an RgbImage holds three bytes a pixel");
    let mut target = Image::new(width, height, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(protocol.filter()));
    Resizer::new()
        .resize(&source, &mut target, &options)
        .expect("both images are U8x3 and nothing is cropped");
    RgbImage::from_raw(width, height, target.into_vec()).expect("three bytes a pixel")
}

/// The largest centred square; an odd remainder leaves the extra row or column at the bottom or right.
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
