//! A quarter of the products for the gradient in the weights, too.
//!
//! The sum of all outputs times their gradients is linear in gradients, inputs and weights. Its derivative in the
//! weights has the matrices of the correlation, those of outputs and weights transposed:
//!
//! ```text
//! dw = G^T [sum over squares of (A g A^T) * (B^T x B)] G
//! ```
//!
//! For each point the sum over squares is a product of matrices, `[OC, square] x [square, IC]`, and `G^T` makes 3x3 taps
//! of the sums (`tiles`). Where there are few tiles, parts are shared out among threads; else threads share the tiles of
//! each part.

mod tiles;

use super::super::costs;
use super::images::{Part, Planes};
use super::points::SquarePoints;
use super::{LANES, OUTPUTS, POINTS, SIDE, TAPS};
use crate::conv2d::microkernel::Microkernels;
use crate::conv2d::weight_gradient::WeightGradient;
use crate::threads::{self, Shared};
use tiles::Tiles;

/// Taps of a filter.
const FILTER: usize = TAPS * TAPS;

/// Elements of a part's points: half of a 1 MiB second-level cache.
const PART: usize = 1 << 17;

/// Least squares of a part, where there are as many: fewer would not pay for the way from points to taps.
const LEAST_SQUARES: usize = 64;

/// Parts from which on they are shared out.
const LEAST_PARTS: usize = 4;

/// Tiles of all shares, about. Each share has sums of its own, added up at the end, so that many tiles are not shared.
const TILES: usize = 48;

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

    /// The gradient, `[G OC, IC, KH, KW]`. The order of the sums depends on the sizes and the instruction set, not on
    /// the threads.
    pub fn run(&self, kernels: Microkernels) -> Vec<f32> {
        let WeightGradient {
            n,
            groups,
            ic,
            oc,
            geometry,
            ..
        } = *self.input;
        let x = Planes {
            values: self.input.x,
            groups,
            channels: ic,
            size: geometry.input,
            before: geometry.padding,
            scale: None,
            side: SIDE,
        };
        let gradient = Planes {
            values: self.input.gradient,
            channels: oc,
            size: geometry.output,
            before: [0, 0],
            side: OUTPUTS,
            ..x
        };
        let of_square = POINTS * (ic.next_multiple_of(LANES) + oc.next_multiple_of(LANES));
        let of_part = (PART / of_square).max(LEAST_SQUARES);
        let parts = Part::all(n, self.grid, self.squares().div_ceil(of_part));
        let tiles = groups * oc.div_ceil(kernels.oc) * ic.div_ceil(kernels.lanes * kernels.vectors);
        let shares = if parts.len() < LEAST_PARTS {
            1
        } else {
            parts.len().min(TILES / tiles).max(1)
        };

        let len = groups * oc * ic * FILTER;
        let of_group = len / groups;
        let mut sums = vec![0.0; shares * len];
        let work = costs::weight_gradient_in_squares(kernels, self.input, self.squares());
        let threads =
            threads::threads_of_whole_tasks(groups * shares).min(threads::threads_for(work));
        let shared = Shared::new(&mut sums);
        threads::run(threads, groups * shares, |task| {
            let (group, share) = (task % groups, task / groups);
            for part in &parts[share * parts.len() / shares..(share + 1) * parts.len() / shares] {
                Tiles {
                    kernels,
                    ic,
                    oc,
                    squares: part.squares(),
                    x: &SquarePoints::new(&x, group, part),
                    gradient: &SquarePoints::new(&gradient, group, part),
                    // SAFETY: what a share has of a group belongs to one task.
                    to: unsafe { shared.offset(share * len + group * of_group) },
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
