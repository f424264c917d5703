//! Loops for processors: convolutions, resampling filters and products, with the vector instructions and threads that the machine has.
//!
//! Operands are slices of dense `f32`; what they mean for a network, and their derivatives, is the business of the crates above. Every function chooses
//! among AVX-512, AVX2 and portable code at run time. The environment variable `KERNELS_SIMD` (`avx512`, `avx2`, `portable`) names the widest set that
//! may be chosen, so that one machine can test all of them.

pub mod conv2d;
pub mod depthwise;
pub mod feature_distance;
mod freed_memory;
mod initialised;
pub mod pointwise;
mod scratch;
mod simd;
mod threads;
pub mod triangle;
pub mod upfirdn2d;

pub use freed_memory::keep_freed_memory;
