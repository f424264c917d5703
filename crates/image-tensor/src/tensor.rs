use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use image::{Rgb, RgbImage, Rgba, RgbaImage};

use crate::{
    DecodeLimits, ImageTensorError, ResizeProtocol, center_crop_and_resize, decode_file, over_white,
};

/// Channels of an RGB tensor.
const RGB: usize = 3;
/// Channels of an RGB tensor with opacity.
const RGBA: usize = 4;
/// Half of the 8-bit range: the official StyleGAN2 maps bytes by `u8 / 127.5 - 1`.
const HALF_RANGE: f32 = 127.5;
/// The official StyleGAN2 maps back by `(x * 127.5 + 128)`, truncated: 127.5 + 0.5 for rounding.
const HALF_RANGE_ROUNDED: f32 = 128.0;
const FULL_RANGE: f32 = 255.0;

/// RGB images as `[batch, 3, height, width]` in [-1, 1]: `u8 / 127.5 - 1`, as StyleGAN2's training does.
///
/// # Panics
/// When there is no image, or the images differ in size.
pub fn to_signed_unit(images: &[RgbImage], device: &Device) -> Tensor<4> {
    to_planes(images, device, |value| f32::from(value) / HALF_RANGE - 1.0)
}

/// The image of a file as a target for a generator of RGB images: `[1, 3, side, side]` in [-1, 1].
///
/// The largest centered square is cut out and resized with Pillow's Lanczos filter, as the official projector does; an
/// image that has the size already is as it is in the file. What files are read is said at
/// [`decode_bytes`](crate::decode_bytes).
///
/// # Errors
/// As [`decode_file`].
///
/// # Panics
/// When `side` is 0.
///
/// ```
/// # #[cfg(feature = "cpu")] {
/// use burn::tensor::Device;
/// use image_tensor::{Rgb, RgbImage, read_target, write_png};
///
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("photo.png");
/// write_png(&file, &RgbImage::from_pixel(48, 40, Rgb([255, 0, 51])))?;
/// let target = read_target(&file, 32, &Device::flex())?;
/// assert_eq!(target.dims(), [1, 3, 32, 32]);
/// let red = target.slice([0..1, 0..1, 0..1, 0..1]).into_scalar::<f32>();
/// assert_eq!(red, 1.0);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_target(
    path: impl AsRef<Path>,
    side: u32,
    device: &Device,
) -> Result<Tensor<4>, ImageTensorError> {
    let decoded = decode_file(path, &DecodeLimits::default())?;
    let image = center_crop_and_resize(&decoded, side, ResizeProtocol::PillowLanczos);
    Ok(to_signed_unit(&[image], device))
}

/// RGB images as `[batch, 3, height, width]` in [0, 1]: `u8 / 255`.
///
/// # Panics
/// When there is no image, or the images differ in size.
pub fn to_unit(images: &[RgbImage], device: &Device) -> Tensor<4> {
    to_planes(images, device, |value| f32::from(value) / FULL_RANGE)
}

/// RGB images as luma `[batch, 1, height, width]` in [-1, 1], for generators of one channel.
///
/// Luma is ITU-R BT.601's `0.299 R + 0.587 G + 0.114 B`, rounded to 8 bits as Pillow's mode `L` does.
///
/// # Panics
/// When there is no image, or the images differ in size.
pub fn to_gray_signed_unit(images: &[RgbImage], device: &Device) -> Tensor<4> {
    let (width, height) = common_size(images);
    let values: Vec<f32> = images
        .iter()
        .flat_map(RgbImage::pixels)
        .map(|pixel| f32::from(luma(*pixel)) / HALF_RANGE - 1.0)
        .collect();
    Tensor::from_data(
        TensorData::new(values, [images.len(), 1, height, width]),
        device,
    )
}

/// Images of a tensor `[batch, 1, 3 or 4, height, width]` in [-1, 1]: `(x * 127.5 + 128)` clamped to 0..=255 and
/// truncated, as the official StyleGAN2 writes its samples. One channel becomes gray RGB, what has a fourth is shown
/// [over white](over_white); NaN becomes 0.
///
/// # Panics
/// When the tensor has another number of channels.
pub fn from_signed_unit(tensor: Tensor<4>) -> Vec<RgbImage> {
    if tensor.dims()[1] == RGBA {
        return from_signed_unit_rgba(tensor)
            .iter()
            .map(over_white)
            .collect();
    }
    from_planes(tensor, |value| value * HALF_RANGE + HALF_RANGE_ROUNDED)
}

/// Images with opacity of a tensor `[batch, 4, height, width]` in [-1, 1], all four channels as [`from_signed_unit`]
/// takes three; the fourth is the opacity.
///
/// # Panics
/// When the tensor has another number of channels.
pub fn from_signed_unit_rgba(tensor: Tensor<4>) -> Vec<RgbaImage> {
    let [batch, channels, height, width] = tensor.dims();
    assert_eq!(
        channels, RGBA,
        "an image tensor with opacity has 4 channels, found {channels} in [{batch}, {channels}, {height}, {width}]"
    );
    let area = height * width;
    values_of(tensor)
        .chunks_exact(RGBA * area)
        .map(|planes| {
            RgbaImage::from_fn(width as u32, height as u32, |x, y| {
                let position = y as usize * width + x as usize;
                let byte = |channel: usize| {
                    (planes[channel * area + position] * HALF_RANGE + HALF_RANGE_ROUNDED) as u8
                };
                Rgba([0, 1, 2, 3].map(byte))
            })
        })
        .collect()
}

/// Images of a tensor `[batch, 1 or 3, height, width]` in [0, 1]: `(x * 255 + 0.5)` clamped to 0..=255 and truncated,
/// as torchvision's `save_image` does. One channel becomes gray RGB; NaN becomes 0.
///
/// # Panics
/// When the tensor has another number of channels.
pub fn from_unit(tensor: Tensor<4>) -> Vec<RgbImage> {
    from_planes(tensor, |value| value * FULL_RANGE + 0.5)
}

/// Luma of a pixel, ITU-R BT.601's `0.299 R + 0.587 G + 0.114 B`, rounded as Pillow's mode `L` does; that of a gray
/// pixel is its value.
///
/// ```
/// assert_eq!(image_tensor::luma(image_tensor::Rgb([77, 77, 77])), 77);
/// assert_eq!(image_tensor::luma(image_tensor::Rgb([255, 0, 0])), 76);
/// ```
pub fn luma(pixel: Rgb<u8>) -> u8 {
    // BT.601 weights times 2^16, and half a step for rounding.
    const WEIGHTS: [u32; RGB] = [19_595, 38_470, 7_471];
    const HALF: u32 = 1 << 15;
    let sum: u32 = pixel
        .0
        .iter()
        .zip(WEIGHTS)
        .map(|(value, weight)| u32::from(*value) * weight)
        .sum();
    ((sum + HALF) >> 16) as u8
}

fn common_size(images: &[RgbImage]) -> (usize, usize) {
    let size = images
        .first()
        .expect("a tensor needs at least one image, found none")
        .dimensions();
    for (index, image) in images.iter().enumerate() {
        assert_eq!(
            image.dimensions(),
            size,
            "images of a tensor have one size: image {index} differs from image 0"
        );
    }
    (size.0 as usize, size.1 as usize)
}

fn to_planes(images: &[RgbImage], device: &Device, convert: impl Fn(u8) -> f32) -> Tensor<4> {
    let (width, height) = common_size(images);
    let mut values = Vec::with_capacity(images.len() * RGB * height * width);
    for image in images {
        for channel in 0..RGB {
            values.extend(image.pixels().map(|pixel| convert(pixel.0[channel])));
        }
    }
    Tensor::from_data(
        TensorData::new(values, [images.len(), RGB, height, width]),
        device,
    )
}

fn from_planes(tensor: Tensor<4>, scale: impl Fn(f32) -> f32) -> Vec<RgbImage> {
    let [batch, channels, height, width] = tensor.dims();
    assert!(
        channels == 1 || channels == RGB,
        "an image tensor has 1 or 3 channels, found {channels} in [{batch}, {channels}, {height}, {width}]"
    );
    let area = height * width;
    values_of(tensor)
        .chunks_exact(channels * area)
        .map(|planes| {
            RgbImage::from_fn(width as u32, height as u32, |x, y| {
                let position = y as usize * width + x as usize;
                // `as u8` truncates, saturates and takes NaN to 0.
                Rgb([0, 1, 2]
                    .map(|channel| scale(planes[(channel % channels) * area + position]) as u8))
            })
        })
        .collect()
}

fn values_of(tensor: Tensor<4>) -> Vec<f32> {
    tensor
        .into_data()
        .convert::<f32>()
        .try_to_vec()
        .expect("converted to f32 above")
}
