//! The images of a folder, a `.zip`, a `.tar`, a packed file or single files, one after the other.
//!
//! [`ImageSource`] has one rule for what counts as an image and for what is left out, so that every program takes the
//! same sets. Nothing is decoded before it is asked for, and no more than one image at a time is held.
//!
//! ```
//! use image_source::{BadImages, ImageSource, ImageSourceError};
//! use image_tensor::{DecodeLimits, Rgb, RgbImage, write_png};
//!
//! # let folder = tempfile::tempdir().expect("a temporary folder");
//! let picture = RgbImage::from_pixel(4, 4, Rgb([9, 8, 7]));
//! write_png(folder.path().join("a.png"), &picture)?;
//! std::fs::write(folder.path().join("._a.png"), "what a Mac keeps beside it").expect("written");
//!
//! let source = ImageSource::open(folder.path())?;
//! assert_eq!((source.len(), source.left_out().hidden), (1, 1));
//! let skipped = source.for_each(&DecodeLimits::default(), BadImages::Refuse, |image| {
//!     assert_eq!((image.stem.as_str(), image.pixels), ("a", picture.clone()));
//!     Ok::<(), ImageSourceError>(())
//! })?;
//! assert!(skipped.is_empty());
//! # Ok::<(), ImageSourceError>(())
//! ```
//!
//! # Feature flags
//!
//! | feature | what it compiles in |
//! |---|---|
//! | `cpu` (default) | Burn's Flex backend, `Device::flex()` |
//! | `wgpu` | Burn's wgpu backend: Vulkan, Metal, DirectX 12 |
//! | `cuda` | Burn's CUDA backend, for NVIDIA GPUs |

mod error;
mod folder;
mod left_out;
mod names;
mod packed;
mod source;
mod tar_archive;
mod zip_archive;

pub use error::ImageSourceError;
pub use left_out::LeftOut;
pub use source::{BadImages, ImageSource, Images, SourceImage};
