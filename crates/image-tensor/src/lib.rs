//! Decode, encode, crop and resize images to NCHW tensors under named protocols, and arrange them in grids.
//!
//! Everything between a file and a tensor works on 8-bit RGB ([`RgbImage`]), so that every step has one exact meaning:
//! [`decode_file`] turns any supported file into it (transparency over white, orientation applied), [`resize`] follows
//! a named [`ResizeProtocol`], and the tensor converters carry the value range in their names.
//!
//! ```
//! use burn::tensor::Device;
//! use image_tensor::{DecodeLimits, ResizeProtocol, center_crop_and_resize, decode_bytes, encode_png};
//! use image_tensor::{from_signed_unit, to_signed_unit};
//!
//! let picture = image_tensor::RgbImage::from_pixel(40, 30, image::Rgb([255, 0, 51]));
//! let png = encode_png(&picture)?;
//! let decoded = decode_bytes("picture.png", &png, &DecodeLimits::default())?;
//! let square = center_crop_and_resize(&decoded, 16, ResizeProtocol::PillowBicubic);
//!
//! let tensor = to_signed_unit(std::slice::from_ref(&square), &Device::flex());
//! assert_eq!(tensor.dims(), [1, 3, 16, 16]);
//! assert_eq!(from_signed_unit(tensor)[0], square);
//! # Ok::<(), image_tensor::ImageTensorError>(())
//! ```
//!
//! # Feature flags
//!
//! | feature | what it compiles in |
//! |---|---|
//! | `cpu` (default) | Burn's Flex backend, `Device::flex()` |
//! | `wgpu` | Burn's wgpu backend: Vulkan, Metal, DirectX 12 |
//! | `cuda` | Burn's CUDA backend, for NVIDIA GPUs |

mod animation;
mod colors;
mod compare;
mod crop;
mod decode;
mod encode;
mod error;
mod grid;
mod indexed_png;
mod jpeg_end;
mod pillow_filter;
mod resize;
mod tensor;

pub use animation::{FrameTiming, encode_gif};
pub use colors::{can_be_shown, rgb_over_white};
pub use compare::absolute_difference;
pub use crop::{center_crop, center_offset, resize_shorter_side, shorter_side_size};
pub use decode::{DecodeLimits, decode_bytes, decode_file, over_white};
pub use encode::{encode_png, write_png};
pub use error::ImageTensorError;
pub use grid::{grid, magnify, strip};
pub use image::{Rgb, RgbImage, Rgba, RgbaImage};
pub use indexed_png::{encode_indexed_png, encode_indexed_png_within};
pub use resize::{
    ResizeProtocol, center_crop_and_resize, center_crop_square, resampling_matrix, resize,
};
pub use tensor::{
    from_signed_unit, from_signed_unit_rgba, from_unit, luma, read_target, to_gray_signed_unit,
    to_signed_unit, to_unit,
};
