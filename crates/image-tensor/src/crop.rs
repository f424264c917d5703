use image::{RgbImage, imageops};

use crate::{ResizeProtocol, resize};

/// Resizes so that the shorter side has `side` pixels, keeping the aspect ratio: torchvision's `Resize(side)` on a
/// Pillow image. The longer side is rounded down.
///
/// # Panics
/// When `side` or the image is empty.
pub fn resize_shorter_side(image: &RgbImage, side: u32, protocol: ResizeProtocol) -> RgbImage {
    let [width, height] = shorter_side_size([image.width(), image.height()], side);
    resize(image, width, height, protocol)
}

/// Width and height of a `[width, height]` image after [`resize_shorter_side`].
///
/// # Panics
/// When the image is empty.
pub fn shorter_side_size(size: [u32; 2], side: u32) -> [u32; 2] {
    let shorter = size[0].min(size[1]);
    assert!(
        shorter > 0,
        "an image of {} x {} pixels has no shorter side",
        size[0],
        size[1]
    );
    size.map(|length| (u64::from(side) * u64::from(length) / u64::from(shorter)) as u32)
}

/// Where a crop of `inner` pixels starts in `outer`: torchvision's `CenterCrop`, half of the rest, and of two halves
/// the even number.
///
/// # Panics
/// When the crop is larger.
pub fn center_offset(outer: u32, inner: u32) -> u32 {
    assert!(
        inner <= outer,
        "a crop of {inner} pixels does not fit into {outer}"
    );
    let rest = outer - inner;
    // Python rounds halves to even.
    let half = rest / 2;
    if rest % 2 == 1 && half % 2 == 1 {
        half + 1
    } else {
        half
    }
}

/// The central `width` x `height` pixels, placed as by [`center_offset`].
///
/// Differs from [`center_crop_square`](crate::center_crop_square) in the place of an odd remainder, which follows
/// torchvision here.
///
/// # Panics
/// When the image is smaller.
pub fn center_crop(image: &RgbImage, width: u32, height: u32) -> RgbImage {
    let left = center_offset(image.width(), width);
    let top = center_offset(image.height(), height);
    imageops::crop_imm(image, left, top, width, height).to_image()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_to_even_offsets() {
        let offsets = [4, 5, 6, 7, 8, 9].map(|outer| center_offset(outer, 4));
        assert_eq!(offsets, [0, 0, 1, 2, 2, 2]);
    }

    #[test]
    fn the_longer_side_is_rounded_down() {
        assert_eq!(shorter_side_size([451, 300], 224), [336, 224]);
        assert_eq!(shorter_side_size([300, 451], 224), [224, 336]);
        assert_eq!(shorter_side_size([64, 64], 256), [256, 256]);
    }
}
