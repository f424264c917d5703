//! 3x3 correlations of stride 1 with half of the products: Winograd's F(4, 3) along the vertical axis.
//!
//! A band of four output rows reads six input rows. Six sums of those, times six sums of the weights of a kernel column, hold all that the
//! four rows need, where the definition takes twelve products (Winograd 1980; Lavin and Gray, "Fast Algorithms for Convolutional Neural
//! Networks", CVPR 2016, section 4.3, whose matrices these are):
//!
//! ```text
//! y = A^T [(G w) * (B^T x)]
//! ```
//!
//! The horizontal axis stays a direct correlation with three taps. In two dimensions a quarter of the products would be left, but
//! positions would have to be taken apart by fours and put together again, tensors would grow by 9/4 and weights by 4 rather than by 3/2
//! and 2, and rounding errors would be squared. Here rows stay rows: the register tiles are those of every other correlation.

mod input;
mod lanes;
mod output;
#[cfg(all(test, not(miri)))]
mod tests;
mod weights;

use std::mem::MaybeUninit;
use std::ops::Range;

use super::microkernel::{MAX_OC, Microkernels, TapOffset, TileInput};
use super::operands::Operands;
use super::plan::{Packing, Plan};
use super::positions::{MAX_POSITIONS, Positions, Segment};
use super::tasks::Tasks;
use crate::simd;
use crate::threads::{self, Shared, TASKS_PER_THREAD};
use lanes::LANES;
use output::Store;

/// Output rows of a band.
const OUTPUTS: usize = 4;
/// Products along the vertical axis, and input rows of a band.
const POINTS: usize = 6;
/// Rows and columns of the kernel.
const TAPS: usize = 3;

/// Elements of the tiles of one point.
const TILE: usize = MAX_OC * MAX_POSITIONS;

/// Cost of transforming one filter, in vector multiply-adds.
const FILTER_COST: usize = 24;

/// Elements of transformed input that a task works off: three quarters of a 1 MiB second-level cache.
const RESIDENT: usize = 192 * 1024;

/// Least positions of a task, which reads all weights for them: two of the largest tiles.
const LEAST_POSITIONS: usize = 2 * MAX_POSITIONS;

/// Fewer input or output channels do not pay for the transforms of their planes.
const LEAST_CHANNELS: usize = 3;

/// A correlation in bands of four output rows.
#[derive(Clone, Debug)]
pub(super) struct Bands {
    /// Which weight the tap at a row and column has.
    kernel: [[[usize; 2]; TAPS]; TAPS],
    /// Bands of a plane.
    count: usize,
    /// Layout of the rows of a plane; bands take the place of its rows.
    packing: Packing,
}

impl Bands {
    /// For a correlation of this form that is faster so. The number of images has no part in it, so that an image's results do not
    /// depend on those beside it.
    pub fn worthwhile(kernels: Microkernels, plan: &Plan, operands: &Operands<'_>) -> Option<Self> {
        if operands.ic.min(operands.oc) < LEAST_CHANNELS {
            return None;
        }
        let bands = Self::of(plan, operands)?;
        let [oh, ow] = operands.geometry.output;
        let vectors = |rows: usize| ((rows - 1) * bands.packing.pitch + ow).div_ceil(kernels.lanes);
        let dense = (oh * ow).div_ceil(kernels.lanes);
        let direct = vectors(oh).min(dense) * TAPS * TAPS;
        let banded = vectors(bands.count) * POINTS * TAPS + FILTER_COST;
        (5 * banded <= 4 * direct).then_some(bands)
    }

    /// For a correlation of this form.
    fn of(plan: &Plan, operands: &Operands<'_>) -> Option<Self> {
        Some(Self {
            kernel: three_by_three(plan)?,
            count: operands.geometry.output[0].div_ceil(OUTPUTS),
            packing: plan.packing.clone(),
        })
    }

    /// Writes all of `out`.
    pub fn correlate(
        &self,
        kernels: Microkernels,
        operands: &Operands<'_>,
        out: &mut [MaybeUninit<f32>],
    ) {
        let weights = weights::transformed(kernels.oc, &self.kernel, operands);
        let out_image = out.len() / operands.n;
        let out = Shared::new(out);
        let sweep = |image: usize, bands: Range<usize>| {
            // SAFETY: an image lies inside the output.
            let out = unsafe { out.offset(image * out_image) };
            self.sweep(kernels, &operands.image(image), bands, &weights, out);
        };
        let vectors = (self.count * self.packing.pitch).div_ceil(kernels.lanes);
        let depth = operands.ic * TAPS * POINTS;
        let work = operands.n * operands.groups * operands.oc * depth * vectors;
        let threads = threads::threads_for(work);
        let parts = self.parts(threads, operands, weights.len());
        if operands.n * parts < threads {
            (0..operands.n).for_each(|image| sweep(image, 0..self.count));
        } else {
            // What a task has transformed is still in the thread's second-level cache when its tiles are computed.
            threads::run(threads, operands.n * parts, |task| {
                let (image, part) = (task / parts, task % parts);
                let first = part * self.count / parts;
                sweep(image, first..(part + 1) * self.count / parts);
            });
        }
    }

    /// Tasks that the bands of an image are cut into, each of which reads all weights; 0 where threads had better share the weights.
    fn parts(&self, threads: usize, operands: &Operands<'_>, weights: usize) -> usize {
        let of_band = POINTS * self.packing.pitch * operands.groups * operands.ic;
        if weights > RESIDENT && weights > self.count * of_band {
            return 0;
        }
        let resident = (self.count * of_band).div_ceil(RESIDENT);
        let many = (threads * TASKS_PER_THREAD).div_ceil(operands.n);
        let most = (self.count * self.packing.pitch / LEAST_POSITIONS).clamp(1, self.count);
        let parts = resident.max(many).min(most);
        // A few tasks are shared out evenly.
        if parts < many && parts > threads {
            parts - parts % threads
        } else {
            parts
        }
    }

    /// Writes the rows of `bands` of all images.
    fn sweep(
        &self,
        kernels: Microkernels,
        operands: &Operands<'_>,
        bands: Range<usize>,
        weights: &[f32],
        out: Shared<MaybeUninit<f32>>,
    ) {
        let Packing { pitch, tail, .. } = self.packing;
        let [oh, ow] = operands.geometry.output;
        let count = (bands.len() - 1) * pitch + ow;
        let sweep = Sweep {
            kernels,
            operands,
            x: &input::transformed(&self.packing, bands.clone(), operands),
            point: bands.len() * pitch + tail,
            weights,
            oc_blocks: operands.oc.div_ceil(kernels.oc),
            taps: std::array::from_fn(|tap| TapOffset {
                x: tap,
                w: (tap * kernels.oc) as isize,
            }),
            positions: Positions {
                count,
                image: count,
                pitch,
                columns: ow,
                out_image: operands.groups * operands.oc * oh * ow,
                out_row: OUTPUTS * ow,
                out_column: 1,
                out_first: bands.start * OUTPUTS * ow,
            },
            out,
        };
        Tasks {
            instances: operands.n * operands.groups,
            oc: operands.oc,
            depth: operands.ic * TAPS * POINTS,
            positions: count,
        }
        .run(kernels, |instance, block, oc_blocks| {
            sweep.tiles(instance, block, oc_blocks);
        });
    }
}

/// The kernel positions of a plan that is one 3x3 correlation of stride 1.
fn three_by_three(plan: &Plan) -> Option<[[[usize; 2]; TAPS]; TAPS]> {
    let [pass] = plan.passes.as_slice() else {
        return None;
    };
    let packing = &plan.packing;
    if packing.stride != [1, 1]
        || pass.step != [1, 1]
        || pass.first != [0, 0]
        || pass.taps.len() != TAPS * TAPS
    {
        return None;
    }
    let mut kernel = [[[0; 2]; TAPS]; TAPS];
    for tap in &pass.taps {
        // Nine different places in a square of nine fill it.
        *kernel.get_mut(tap.at[0])?.get_mut(tap.at[1])? = tap.kernel;
    }
    Some(kernel)
}

/// All images, groups and output channels, and the positions of some bands.
struct Sweep<'a> {
    kernels: Microkernels,
    operands: &'a Operands<'a>,
    /// Transformed images, `[image, channel, point, band, column]`.
    x: &'a [f32],
    /// Elements of one plane for one point.
    point: usize,
    /// Transformed weights, `[point, group, block of OC, IC, column, OC]`.
    weights: &'a [f32],
    oc_blocks: usize,
    taps: [TapOffset; TAPS],
    positions: Positions,
    out: Shared<MaybeUninit<f32>>,
}

impl Sweep<'_> {
    /// The tiles of one block of positions and a range of row blocks, of all points.
    fn tiles(&self, instance: usize, block: usize, oc_blocks: Range<usize>) {
        let Operands { groups, oc, ic, .. } = *self.operands;
        let (image, group) = (instance / groups, instance % groups);
        let block = self.positions.block(self.kernels, block);
        let (begin, vectors, width) = (block.positions.start, block.vectors, block.width);
        let start = block.moved_back(self.positions.count);
        let mut buffer = [Segment::default(); MAX_POSITIONS];
        let segments = self
            .positions
            .segments(block.positions.clone(), &mut buffer);

        let point = self.point;
        let plane = POINTS * point;
        let x = &self.x[instance * ic * plane + start..];
        let reach = ic * plane - point + TAPS - 1 + width;
        assert!(reach <= x.len(), "transformed input");
        let of_block = ic * TAPS * self.kernels.oc;
        let of_point = groups * self.oc_blocks * of_block;
        assert_eq!(self.weights.len(), POINTS * of_point, "transformed weights");

        let mut tiles = [0.0_f32; POINTS * TILE + LANES];
        for oc_block in oc_blocks {
            let first = oc_block * self.kernels.oc;
            let tile_oc = self.kernels.oc.min(oc - first);
            let tile = self.kernels.tile(tile_oc, vectors);
            let weights = &self.weights[(group * self.oc_blocks + oc_block) * of_block..];
            for index in 0..POINTS {
                let input = TileInput {
                    x: x[index * point..].as_ptr(),
                    x_ic: plane,
                    w: weights[index * of_point..].as_ptr(),
                    w_oc: 1,
                    w_ic: (TAPS * self.kernels.oc) as isize,
                    ic,
                    taps: &self.taps,
                };
                // SAFETY: positions and weights were compared with their storage above; each tile has room for the largest of any set,
                // and the set was detected.
                unsafe { tile(&input, tiles[index * TILE..].as_mut_ptr()) };
            }
            simd::run(Store {
                operands: self.operands,
                out: self.out,
                segments,
                tiles: &tiles[begin - start..],
                width,
                image,
                first: group * oc + first,
                oc: tile_oc,
            });
        }
    }
}
