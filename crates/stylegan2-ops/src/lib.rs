//! Differentiable operations that StyleGAN2 needs, fast on every backend: upfirdn2d, bias_act, (modulated) convolution
//! and products of matrices.
//!
//! They follow the operations of stylegan2-ada-pytorch. On a CPU they run on `cpu-kernels`, with wgpu and CUDA on
//! `gpu-kernels`, in the full precision of f32.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use stylegan2_ops::{Filter, ModulatedConv2d, modulated_conv2d};
//!
//! let device = Device::flex();
//! let options = ModulatedConv2d { up: 1, padding: 0, demodulate: true, flip_weight: true };
//! let y = modulated_conv2d(
//!     Tensor::from_floats([[[[5.0]], [[10.0]]]], &device),
//!     Tensor::from_floats([[[[3.0]], [[4.0]]]], &device),
//!     Tensor::from_floats([[1.0, 1.0]], &device),
//!     &Filter::normalized_outer(&[1.0, 3.0, 3.0, 1.0]),
//!     options,
//! );
//! // The weight (3, 4) is scaled to unit length.
//! assert!((y.into_scalar::<f32>() - 11.0).abs() < 1e-5);
//! ```
//!
//! # Feature flags
//!
//! | feature | what it compiles in |
//! |---|---|
//! | `cpu` (default) | Burn's Flex backend, `Device::flex()`, and the kernels of `cpu-kernels` |
//! | `wgpu` | Burn's wgpu backend: Vulkan, Metal, DirectX 12, and the kernels of `gpu-kernels` |
//! | `cuda` | Burn's CUDA backend, for NVIDIA GPUs, and the kernels of `gpu-kernels` |

mod activation;
mod bias_act;
mod conv2d;
mod conv2d_resample;
mod dtype;
mod error;
mod filter;
mod inner_product;
mod matmul;
mod modulated_conv2d;
mod upfirdn2d;

pub use activation::Activation;
pub use bias_act::{BiasAct, bias_act};
pub use conv2d::{Conv2d, conv_transpose2d, conv2d};
pub use conv2d_resample::{Conv2dResample, conv2d_resample};
pub use error::FilterError;
pub use filter::{Filter, FilterOptions};
pub use inner_product::inner_products;
pub use matmul::matmul;
pub use modulated_conv2d::{ModulatedConv2d, modulated_conv2d};
pub use upfirdn2d::{UpFirDn2d, downsample2d, filter2d, upfirdn2d, upsample2d};
