//! Loops for graphics processors, in CubeCL: convolutions, resampling filters and products in the full precision of f32.
//!
//! One source serves CUDA, wgpu and Metal. Operands are tensors of Burn's backend for them, of any layout; derivatives and the choice among backends are the
//! business of the crates above. Without one of the features `wgpu` and `cuda` there is nothing here.
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
pub use upfirdn2d::{Resampling, upfirdn2d};
