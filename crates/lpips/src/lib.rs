//! Learned perceptual image patch similarity (LPIPS) with reusable target features.
//!
//! For feature maps `f_l` of a classification network, normalized to unit length along the channels, LPIPS is
//!
//! ```text
//! d(x, y) = sum_l 1 / (H_l W_l) sum_{h,w} sum_c w_lc (f_l(x)_chw - f_l(y)_chw)^2
//! ```
//!
//! with learned weights `w` (Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
//! 2018). Values and conventions are those of the authors' Python package `lpips` 0.1.4, both versions (v0.0, v0.1) and
//! the un-linear baseline (`w = 1`).
//!
//! In an optimization the target stays the same: [`Lpips::prepare`] computes its features once, [`Lpips::distance_to`]
//! compares images with them.
//!
//! ```
//! # #[cfg(feature = "cpu")] {
//! use std::collections::BTreeMap;
//!
//! use backbones::AlexNet;
//! use burn::tensor::{Device, Tensor};
//! use checkpoint_file::Checkpoint;
//! use lpips::{Lpips, LpipsNetwork, Version};
//!
//! # fn main() -> Result<(), lpips::LpipsError> {
//! let device = Device::flex();
//! // `Lpips::load` takes a folder of weights; here they come from memory, and `None` heads make it the un-linear baseline.
//! let weights = Checkpoint::from_tensors("zeros", AlexNet::init(&device).tensors(), BTreeMap::new());
//! let lpips = Lpips::from_checkpoints(LpipsNetwork::AlexNet, Version::V0_1, &weights, None, &device)?;
//!
//! let target = lpips.prepare(Tensor::ones([2, 3, 64, 64], &device))?;
//! let image = Tensor::<4>::zeros([2, 3, 64, 64], &device.autodiff()).require_grad();
//! let distances = lpips.distance_to(&target, image.clone());
//! assert_eq!(distances.dims(), [2]);
//! let gradients = distances.sum().backward();
//! assert_eq!(image.grad(&gradients).map(|g| g.dims()), Some([2, 3, 64, 64]));
//! # Ok(()) }
//! # }
//! ```
//!
//! A program that compares two image files: `examples/crates/lpips_distance.rs` in the repository.
//!
//! # Feature flags
//!
//! | feature | what it compiles in |
//! |---|---|
//! | `cpu` (default) | Burn's Flex backend, `Device::flex()`, and the kernels of `cpu-kernels` |
//! | `wgpu` | Burn's wgpu backend: Vulkan, Metal, DirectX 12, and the kernels of `gpu-kernels` |
//! | `cuda` | Burn's CUDA backend, for NVIDIA GPUs, and the kernels of `gpu-kernels` |

mod error;
mod feature_distance;
mod heads;
mod input_scaling;
mod lpips;
mod network;

pub use error::LpipsError;
pub use lpips::{InputRange, Lpips, TargetFeatures, Version};
pub use network::LpipsNetwork;
