//! Loops for processors: convolutions, resampling filters and products, with the vector instructions and threads that
//! the machine has.
//!
//! Operands are slices of dense `f32`; what they mean for a network, and their derivatives, is the business of the
//! crates above. Every function chooses at run time among AVX-512, AVX2 and portable code on x86-64, and between NEON
//! and portable code on 64-bit Arm. The environment variable `KERNELS_SIMD` (`avx512`, `avx2`, `portable`; `neon`,
//! `portable`) names the widest set that may be chosen, so that one machine can test all of them.
//!
//! ```
//! use cpu_kernels::triangle::{Triangle, pack};
//!
//! // The lower triangle of W = [[3, 0], [4, 2]], packed; |W x|^2 of x = (1, 0) is 3^2 + 4^2.
//! let rows = [[3.0, 0.0], [4.0, 2.0]];
//! let packed = pack(2, |row, column| rows[row][column]);
//! let mut lengths = [0.0];
//! Triangle::F32(&packed).squared_lengths(2, &[1.0, 0.0], &mut Vec::new(), &mut lengths);
//! assert_eq!(lengths, [25.0]);
//! ```
//!
//! # Feature flags
//!
//! This crate has none.

pub mod conv2d;
pub mod depthwise;
pub mod feature_distance;
mod initialized;
pub mod pointwise;
mod scratch;
mod simd;
mod threads;
pub mod triangle;
pub mod upfirdn2d;

pub use simd::{UnknownInstructionSet, check_environment};
