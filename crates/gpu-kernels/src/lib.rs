//! Loops for graphics processors, in CubeCL: convolutions, resampling filters and products in the full precision of
//! f32.
//!
//! One source serves CUDA, wgpu and Metal. Operands are tensors of Burn's backend for them, of any layout; derivatives
//! and the choice among backends are the business of the crates above. Without one of the features `wgpu` and `cuda`
//! there is nothing here.
//!
#![cfg_attr(not(any(feature = "wgpu", feature = "cuda")), doc = "```ignore")]
#![cfg_attr(any(feature = "wgpu", feature = "cuda"), doc = "```")]
//! use burn_cubecl::tensor::CubeTensor;
//!
//! /// The product of two batches of matrices, `[batch, M, K]` and `[batch, K, N]`, without TensorFloat-32.
//! pub fn product(a: CubeTensor, b: CubeTensor) -> CubeTensor {
//!     let (rows, columns) = (a.meta.shape()[1], b.meta.shape()[2]);
//!     let product = gpu_kernels::matrix_product(a, b);
//!     assert_eq!(product.meta.shape()[1..], [rows, columns]);
//!     product
//! }
//! ```
//!
//! # Feature flags
//!
//! | feature | what it compiles in |
//! |---|---|
//! | `wgpu` | the kernels for Burn's wgpu backend: Vulkan, Metal, DirectX 12 |
//! | `cuda` | the kernels for Burn's CUDA backend |
#![cfg(any(feature = "wgpu", feature = "cuda"))]

pub mod conv2d;
pub mod feature_distance;
mod inner_product;
mod join;
mod limits;
mod matmul;
mod multiplication;
mod tile;
mod upfirdn2d;

pub use inner_product::rows_dot;
pub use limits::addressable;
pub use matmul::matrix_product;
pub use upfirdn2d::{CubeResampling, upfirdn2d};
