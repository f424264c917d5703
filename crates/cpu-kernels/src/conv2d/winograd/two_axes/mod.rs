//! F(4x4, 3x3): a quarter of the products.
//!
//! A square of 4x4 outputs reads 6x6 inputs. The matrices are applied along both axes, and what is left for each of the
//! 36 points is a product of matrices, `[square, IC] x [IC, OC]`:
//!
//! ```text
//! y = A^T [(G w G^T) * (B^T x B)] A
//! ```
//!
//! Channels lie side by side in vectors (`images`), so that squares need not be taken apart: `points` are those of the
//! inputs, `weights` those of the filters, `products` multiplies them and `outputs` goes back from 36 sums to 16
//! outputs. Squares are worked off in parts whose points and sums stay in a second-level cache. Weights are four times
//! as large as the filters: where they do not fit into a third-level cache, they are made for some output channels at a
//! time, for larger parts.
//!
//! `weight_gradient` is the derivative in the weights.

mod images;
mod outputs;
mod points;
mod products;
mod weight_gradient;
mod weights;

use std::mem::MaybeUninit;

use super::lanes::LANES;
use super::matrices::{self, OUTPUTS, POINTS as SIDE, TAPS};
use super::one_axis::Bands;
use super::{costs, three_by_three};
use crate::conv2d::microkernel::Microkernels;
use crate::conv2d::operands::Operands;
use crate::conv2d::panels::OC_PANEL;
use crate::conv2d::plan::Plan;
use crate::threads::{self, Shared};
use images::{Part, Planes};
use points::SquarePoints;
use products::Products;
pub(in crate::conv2d) use weight_gradient::SquareSums;
use weights::Weights;

/// Products for a square.
const POINTS: usize = matrices::POINTS * matrices::POINTS;

/// Elements between what one point has and the next: at distances of whole pages the 36 lines that are written at a
/// time would share a few places of the first-level cache.
const GAP: usize = LANES;

/// Elements of a part's points and sums: most of a 1 MiB second-level cache.
const PART: usize = 3 << 16;

/// Elements of a part's points where weights are made for some output channels at a time: 10 MiB, which stay in a
/// third-level cache.
const LARGE_PART: usize = 5 << 19;

/// Elements of weights up to which all are made at once. They stay there beside the images.
const WEIGHTS: usize = 5 << 17;

/// Least squares of a part, where there are as many: every part reads all weights.
const LEAST_SQUARES: usize = 32;

/// Least squares of a part, or of a task, where threads would have none otherwise.
const FEW_SQUARES: usize = 16;

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
    /// For a correlation of this form that is faster so than along one axis, and than with all products. The number of
    /// images has no part in it, so that an image's results do not depend on those beside it.
    pub fn worthwhile(kernels: Microkernels, plan: &Plan, operands: &Operands<'_>) -> Option<Self> {
        // In a browser what it adds to the program is fetched before the first picture, and it was not measured there.
        if cfg!(target_family = "wasm") {
            return None;
        }
        let squares = Self::of(plan, operands)?;
        let [rows, columns] = squares.grid;
        let along_two = costs::along_two_axes(kernels, rows * columns, operands);
        let other = match Bands::worthwhile(kernels, plan, operands) {
            Some(bands) => {
                costs::along_one_axis(kernels, bands.vectors(kernels, operands), operands)
            }
            None => costs::with_all_products(kernels, plan, operands),
        };
        // What is not counted, above all that threads wait for each other more often, takes up to an eighth.
        (8 * along_two <= 7 * other).then_some(squares)
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
        let planes = Planes {
            values: operands.x,
            groups,
            channels: ic,
            size: operands.geometry.input,
            before: self.before,
            scale: operands.input_scale,
            side: SIDE,
        };
        let [ic, oc] = [ic, oc].map(|channels| channels.next_multiple_of(LANES));
        let squares = n * self.grid[0] * self.grid[1];
        let panels = oc.div_ceil(OC_PANEL);
        let out = Shared::new(out);
        let products = |weights: &Weights, points: &SquarePoints, group: usize, part: &Part| {
            Products {
                kernels,
                operands,
                group,
                part,
                points,
                weights,
                out,
            }
            .run();
        };
        if groups * POINTS * ic * oc <= WEIGHTS {
            let weights = Weights::new(&self.kernel, operands, 0..groups, 0..panels);
            let of_part = (PART / (POINTS * (ic + oc.min(OC_PANEL)))).max(LEAST_SQUARES);
            let threads = rayon::current_num_threads();
            let parts = squares.div_ceil(of_part);
            let parts = if squares / FEW_SQUARES >= threads {
                parts.next_multiple_of(threads)
            } else {
                parts
            };
            let parts = Part::all(n, self.grid, parts);
            let tasks = groups * parts.len();
            threads::run(threads::threads_of_whole_tasks(tasks), tasks, |task| {
                let (group, part) = (task / parts.len(), &parts[task % parts.len()]);
                products(
                    &weights,
                    &SquarePoints::new(&planes, group, part),
                    group,
                    part,
                );
            });
            return;
        }
        let squares_of_part = (LARGE_PART / (POINTS * ic)).max(1);
        let parts = Part::all(n, self.grid, squares.div_ceil(squares_of_part));
        for (group, part) in (0..groups).flat_map(|group| parts.iter().map(move |p| (group, p))) {
            let points = SquarePoints::new(&planes, group, part);
            // Each thread makes weights for itself, where there are enough panels for all.
            threads::run(threads::threads_of_whole_tasks(panels), panels, |panel| {
                let one = panel..panel + 1;
                let weights = Weights::new(&self.kernel, operands, group..group + 1, one);
                products(&weights, &points, group, part);
            });
        }
    }
}
