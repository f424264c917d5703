//! F(4x4, 3x3): a quarter of the products.
//!
//! A square of 4x4 outputs reads 6x6 inputs. The matrices are applied along both axes, and what is left for each of the
//! 36 points is a product of matrices, `[OC, IC] x [IC, square]`:
//!
//! ```text
//! y = A^T [(G w G^T) * (B^T x B)] A
//! ```
//!
//! Rows are taken apart, so that vectors hold what neighboring squares have at one place of their inputs (`phases`).
//! Squares of all rows lie on one axis (`part`), and images too, as all of them read the same 36 matrices of weights.
//! These are four times as large as the weights: they are made for some output channels at a time, which are worked off
//! while they are in the third-level cache.

mod input;
mod output;
mod part;
mod phases;
mod sweep;
mod weights;

use std::mem::MaybeUninit;
use std::ops::Range;

use super::matrices::{self, OUTPUTS, TAPS};
use super::one_axis::Bands;
use super::{costs, three_by_three};
use crate::conv2d::microkernel::Microkernels;
use crate::conv2d::operands::Operands;
use crate::conv2d::panels::SHARED_OC;
use crate::conv2d::plan::Plan;
use crate::threads::Shared;
use part::Part;
use sweep::Sweep;
use weights::Weights;

/// Products for a square.
const POINTS: usize = matrices::POINTS * matrices::POINTS;

/// Elements between what one point has and the next: at distances of whole pages the 36 lines that are written at a
/// time would share a few places of the first-level cache.
const GAP: usize = 16;

/// Elements of transformed images that are made at a time: 5 MiB, which stay in a third-level cache.
const IMAGES_TOGETHER: usize = 5 << 18;

/// Elements of transformed weights that are made at a time, which stay there beside them.
const WEIGHTS_TOGETHER: usize = 5 << 17;

/// A correlation in squares of 4x4 outputs.
#[derive(Clone, Debug)]
pub(in crate::conv2d) struct Squares {
    /// Which weight the tap at a row and column has.
    kernel: [[[usize; 2]; TAPS]; TAPS],
    /// Rows and columns of squares in a plane.
    grid: [usize; 2],
    /// Zeros above and left of the image.
    before: [usize; 2],
}

impl Squares {
    /// For a correlation of this form that is faster so than along one axis. The number of images has no part in it, so
    /// that an image's results do not depend on those beside it.
    pub fn worthwhile(kernels: Microkernels, plan: &Plan, operands: &Operands<'_>) -> Option<Self> {
        // In a browser what it adds to the program is fetched before the first picture, and it was not measured there.
        if cfg!(target_family = "wasm") {
            return None;
        }
        let bands = Bands::worthwhile(kernels, plan, operands)?;
        let squares = Self::of(plan, operands)?;
        let [rows, columns] = squares.grid;
        let vectors = (rows * columns).div_ceil(kernels.lanes);
        let along_one = costs::along_one_axis(kernels, bands.vectors(kernels, operands), operands);
        let along_two = costs::along_two_axes(kernels, vectors, operands);
        // What is not counted, above all that threads wait for each other more often, takes up to an eighth.
        (8 * along_two <= 7 * along_one).then_some(squares)
    }

    /// For a correlation of this form.
    pub fn of(plan: &Plan, operands: &Operands<'_>) -> Option<Self> {
        Some(Self {
            kernel: three_by_three(plan)?,
            grid: operands.geometry.output.map(|size| size.div_ceil(OUTPUTS)),
            before: plan.packing.before,
        })
    }

    /// Writes all of `out`.
    pub fn correlate(
        &self,
        kernels: Microkernels,
        operands: &Operands<'_>,
        out: &mut [MaybeUninit<f32>],
    ) {
        let Operands {
            n, groups, ic, oc, ..
        } = *operands;
        let of_oc_block = POINTS * groups * ic * kernels.oc;
        let oc_blocks = oc.div_ceil(kernels.oc);
        let some = (WEIGHTS_TOGETHER / of_oc_block).max(SHARED_OC / kernels.oc);
        let weights = |blocks| Weights::new(kernels, &self.kernel, operands, blocks);
        // All of them at once are made once for all parts of the images.
        let all = (oc_blocks <= some).then(|| weights(0..oc_blocks));

        let out_image = out.len() / n;
        let out = Shared::new(out);
        let sweep = |images: Range<usize>, rows: Range<usize>| {
            // SAFETY: the images lie inside the output.
            let out = unsafe { out.offset(images.start * out_image) };
            let operands = operands.images(images);
            let part = Part::new(kernels, self, rows, operands.n);
            let panels = input::transformed(self, &part, &operands);
            let sweep = |weights: &Weights| {
                Sweep {
                    kernels,
                    operands: &operands,
                    part: &part,
                    panels: &panels,
                    weights,
                    out,
                }
                .run();
            };
            if let Some(all) = &all {
                sweep(all);
            } else {
                for first in (0..oc_blocks).step_by(some) {
                    sweep(&weights(first..oc_blocks.min(first + some)));
                }
            }
        };

        let [rows, columns] = self.grid;
        let of_row = POINTS * columns * groups * ic;
        let images = IMAGES_TOGETHER / (rows * of_row);
        if images > 0 {
            for first in (0..n).step_by(images) {
                sweep(first..n.min(first + images), 0..rows);
            }
        } else {
            let parts = rows.div_ceil((IMAGES_TOGETHER / of_row).max(1));
            for image in 0..n {
                for part in 0..parts {
                    let (first, end) = (part * rows / parts, (part + 1) * rows / parts);
                    sweep(image..image + 1, first..end);
                }
            }
        }
    }
}
