//! Convolution on the CPU: register tiles over a once-padded input.
//!
//! Every case is brought to one form, a stride-1 correlation along a flat axis: the input is copied once into rows of
//! equal pitch (with its zeros, and split into the phases of the stride), after which a kernel tap is nothing but an
//! offset into that copy. A transposed convolution is one such correlation for each phase of its output. A register
//! tile then holds a few output channels times a few vectors of neighboring positions.
//!
//! In planes the positions of a tile lie a page apart from channel to channel, and weights of neighboring output
//! channels too. Where there are enough positions, the weights are moved once and each block of positions is copied
//! into a panel (`packed_weights`, `sweep`), so that tiles read both from front to back, a part of the panel at a time
//! that stays in the first-level cache. Elsewhere a tile reads operands where they lie.
//!
//! Most 3x3 correlations of stride 1 take half of the products, and those of wide layers a quarter: `winograd` has
//! them. Planes of a few positions, whose rows would fill vectors badly and whose taps
//! are zeros of the padding in large part, have the images of a batch in the vectors: `side_by_side`. Where outputs are
//! spread, as those of a transposed convolution, the channels of an image are in the vectors: `channels`. `correlate`
//! chooses among the forms.

mod channels;
mod column_product;
mod columns;
mod correlate;
#[cfg(all(test, not(miri)))]
mod fixture;
mod geometry;
mod interleaved;
mod kernels_beside;
mod microkernel;
mod operands;
mod pack;
mod packed_weights;
mod panels;
mod plan;
pub mod planes;
mod positions;
mod side_by_side;
mod sweep;
mod tasks;
mod transpose;
mod weight_gradient;
mod winograd;

pub use correlate::{correlate, correlate_adjoint};
pub use geometry::Geometry;
pub use operands::{Operands, WeightView};
pub use weight_gradient::{WeightGradient, weight_gradient};
