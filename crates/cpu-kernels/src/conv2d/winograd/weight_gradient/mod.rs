//! Gradients in the weights of F(4x4, 3x3): a quarter of the products, too.
//!
//! The sum of all outputs times their gradients is linear in gradients, inputs and weights. Its derivative in the
//! weights has the matrices of the correlation, those of outputs and weights transposed:
//!
//! ```text
//! dw = G^T [sum over squares of (A g A^T) * (B^T x B)] G
//! ```
//!
//! `A` makes 6x6 points of the gradients of 4x4 outputs, `B^T` as many of the 6x6 inputs that these read (`points`). For
//! each point the sum over squares is a product of matrices, `[OC, square] x [square, IC]`; `G^T` makes 3x3 taps of the
//! sums (`tiles`). Channels lie side by side in vectors, so that no square is taken apart.
//!
//! Squares are worked off in chunks whose points stay in a cache. Chunks of few channels are shared out among threads;
//! of many channels a chunk has enough tiles for all.

mod points;
mod tiles;

use std::ops::Range;

use super::costs;
use super::lanes::LANES;
use super::matrices::{self, OUTPUTS, TAPS};
use crate::conv2d::microkernel::Microkernels;
use crate::conv2d::weight_gradient::WeightGradient;
use crate::threads::{self, Shared};
use points::Images;
use tiles::Tiles;

/// Products for a square.
const POINTS: usize = matrices::POINTS * matrices::POINTS;

/// Taps of a filter.
const FILTER: usize = TAPS * TAPS;

/// Elements of a chunk's points: half of a 1 MiB second-level cache.
const POINTS_TOGETHER: usize = 1 << 17;

/// Least squares of a chunk, where there are as many: fewer would not pay for the way from points to taps.
const LEAST_SQUARES: usize = 64;

/// Chunks from which on they are shared out, and most shares. Each share has sums of its own, added up at the end.
const SHARES: Range<usize> = 4..24;

/// A weight gradient in squares of 4x4 outputs.
#[derive(Clone, Copy, Debug)]
pub(in crate::conv2d) struct SquareSums<'a> {
    input: &'a WeightGradient<'a>,
    /// Rows and columns of squares in a plane.
    grid: [usize; 2],
}

impl<'a> SquareSums<'a> {
    /// For a gradient of this form that is faster so than with all products.
    pub fn worthwhile(kernels: Microkernels, input: &'a WeightGradient<'a>) -> Option<Self> {
        // In a browser nothing is trained.
        if cfg!(target_family = "wasm") {
            return None;
        }
        let sums = Self::of(input)?;
        let all = costs::weight_gradient(kernels, input);
        let squares = costs::weight_gradient_in_squares(kernels, input, sums.squares());
        (squares < all).then_some(sums)
    }

    /// For a gradient of this form.
    pub fn of(input: &'a WeightGradient<'a>) -> Option<Self> {
        let geometry = input.geometry;
        (geometry.kernel == [TAPS; 2] && geometry.stride == [1, 1]).then(|| Self {
            input,
            grid: geometry.output.map(|size| size.div_ceil(OUTPUTS)),
        })
    }

    /// Squares of all images.
    fn squares(&self) -> usize {
        self.input.n * self.grid[0] * self.grid[1]
    }

    /// The gradient, `[G OC, IC, KH, KW]`. The order of the sums depends on the sizes alone, not on the threads.
    pub fn run(&self, kernels: Microkernels) -> Vec<f32> {
        let WeightGradient { groups, ic, oc, .. } = *self.input;
        let x = Images::of_inputs(self.input, self.grid);
        let gradient = Images::of_gradients(self.input, self.grid);
        let squares = self.squares();
        let of_square = POINTS * LANES * (x.blocks() + gradient.blocks());
        let of_chunk = (POINTS_TOGETHER / of_square)
            .max(LEAST_SQUARES)
            .min(squares);
        let chunks = squares.div_ceil(of_chunk);
        let shares = if chunks < SHARES.start {
            1
        } else {
            chunks.min(SHARES.end)
        };

        let len = groups * oc * ic * FILTER;
        let mut sums = vec![0.0; shares * len];
        let threads = threads::threads_for(costs::weight_gradient_in_squares(
            kernels, self.input, squares,
        ));
        let shared = Shared::new(&mut sums);
        threads::run(threads, groups * shares, |task| {
            let (group, share) = (task % groups, task / groups);
            let of_group = len / groups;
            // SAFETY: what a share has of a group belongs to one task.
            let to = unsafe { shared.offset(share * len + group * of_group) };
            for chunk in share * chunks / shares..(share + 1) * chunks / shares {
                let chunk = chunk * of_chunk..((chunk + 1) * of_chunk).min(squares);
                Tiles {
                    kernels,
                    ic,
                    oc,
                    squares: chunk.len(),
                    x: &x.points(group, chunk.clone()),
                    gradient: &gradient.points(group, chunk),
                    to,
                    to_len: of_group,
                }
                .run();
            }
        });
        let (result, others) = sums.split_at_mut(len);
        for share in others.chunks_exact(len) {
            for (sum, more) in result.iter_mut().zip(share) {
                *sum += more;
            }
        }
        sums.truncate(len);
        sums
    }
}
