//! F(4, 3) along the vertical axis: half of the products.
//!
//! A band of four output rows reads six input rows. The horizontal axis stays a direct correlation with three taps:
//! rows stay rows, and the register tiles are those of every other correlation.

mod input;
mod output;
mod transformed_images;
mod weights;

use std::mem::MaybeUninit;
use std::ops::Range;

use super::lanes::LANES;
use super::matrices::{OUTPUTS, POINTS, TAPS};
use super::three_by_three;
use crate::conv2d::microkernel::{Microkernels, PanelInput, ROW_TAPS};
use crate::conv2d::operands::Operands;
use crate::conv2d::panels::{RESIDENT_PANEL, SHARED_BLOCKS, SHARED_OC};
use crate::conv2d::plan::{Packing, Plan};
use crate::conv2d::positions::{MAX_POSITIONS, Positions, Segment};
use crate::conv2d::tasks::Tasks;
use crate::scratch::Scratch;
use crate::simd;
use crate::threads::{self, Shared, TASKS_PER_THREAD};
use output::Store;
use transformed_images::Panels;

const _: () = assert!(TAPS == ROW_TAPS, "tiles of rows have the kernel's columns");

/// Cost of transforming one filter, in vector multiply-adds.
const FILTER_COST: usize = 24;

/// Elements of transformed input that a task works off: three quarters of a 1 MiB second-level cache.
const RESIDENT: usize = 192 * 1024;

/// Elements of transformed images that share the weights where these are more than the images.
const TOGETHER: usize = 1 << 20;

/// Least positions of a task, which reads all weights for them: two of the largest tiles.
const LEAST_POSITIONS: usize = 2 * MAX_POSITIONS;

/// Fewer input or output channels do not pay for the transforms of their planes.
const LEAST_CHANNELS: usize = 3;

/// A correlation in bands of four output rows.
#[derive(Clone, Debug)]
pub(in crate::conv2d) struct Bands {
    /// Which weight the tap at a row and column has.
    kernel: [[[usize; 2]; TAPS]; TAPS],
    /// Bands of a plane.
    count: usize,
    /// Layout of the rows of a plane; bands take the place of its rows.
    packing: Packing,
}

impl Bands {
    /// For a correlation of this form that is faster so. The number of images has no part in it, so that an image's
    /// results do not depend on those beside it.
    pub fn worthwhile(kernels: Microkernels, plan: &Plan, operands: &Operands<'_>) -> Option<Self> {
        if operands.ic.min(operands.oc) < LEAST_CHANNELS {
            return None;
        }
        let bands = Self::of(plan, operands)?;
        let [oh, ow] = operands.geometry.output;
        let flat = ((oh - 1) * bands.packing.pitch + ow).div_ceil(kernels.lanes);
        let dense = (oh * ow).div_ceil(kernels.lanes);
        let direct = flat.min(dense) * TAPS * TAPS;
        let banded = bands.vectors(kernels, operands) * POINTS * TAPS + FILTER_COST;
        (5 * banded <= 4 * direct).then_some(bands)
    }

    /// Vectors of an image's positions.
    pub fn vectors(&self, kernels: Microkernels, operands: &Operands<'_>) -> usize {
        let [_, ow] = operands.geometry.output;
        ((self.count - 1) * self.packing.pitch + ow).div_ceil(kernels.lanes)
    }

    /// For a correlation of this form.
    pub fn of(plan: &Plan, operands: &Operands<'_>) -> Option<Self> {
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
        let sweep = |images: Range<usize>, bands: Range<usize>| {
            // SAFETY: the images lie inside the output.
            let out = unsafe { out.offset(images.start * out_image) };
            self.sweep(kernels, &operands.images(images), bands, &weights, out);
        };
        let vectors = (self.count * self.packing.pitch).div_ceil(kernels.lanes);
        let depth = operands.ic * TAPS * POINTS;
        let work = operands.n * operands.groups * operands.oc * depth * vectors;
        let threads = threads::threads_for(work);
        let parts = self.parts(threads, operands, weights.len());
        if operands.n * parts < threads {
            let of_image = POINTS * self.count * self.packing.pitch * operands.groups * operands.ic;
            let together = (TOGETHER / of_image).max(1);
            for first in (0..operands.n).step_by(together) {
                sweep(first..operands.n.min(first + together), 0..self.count);
            }
        } else {
            // What a task has transformed is still in the thread's second-level cache when its tiles are computed.
            threads::run(threads, operands.n * parts, |task| {
                let (image, part) = (task / parts, task % parts);
                let first = part * self.count / parts;
                let end = (part + 1) * self.count / parts;
                sweep(image..image + 1, first..end);
            });
        }
    }

    /// Tasks that the bands of an image are cut into, each of which reads all weights; 0 where threads had better share
    /// the weights.
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
        let pitch = self.packing.pitch;
        let [oh, ow] = operands.geometry.output;
        let image = bands.len() * pitch;
        let count = (operands.n - 1) * image + (bands.len() - 1) * pitch + ow;
        let sweep = Sweep {
            kernels,
            operands,
            panels: input::transformed(kernels, &self.packing, bands.clone(), count, operands),
            weights,
            oc_blocks: operands.oc.div_ceil(kernels.oc),
            positions: Positions {
                count,
                image,
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
            instances: operands.groups,
            oc: operands.oc,
            depth: operands.ic * TAPS * POINTS,
            positions: count,
            shared: SHARED_OC / kernels.oc,
        }
        .run(kernels, |group, blocks, oc_blocks| {
            for first in blocks.clone().step_by(SHARED_BLOCKS) {
                let some = first..blocks.end.min(first + SHARED_BLOCKS);
                sweep.tiles(group, some, oc_blocks.clone());
            }
        });
    }
}

/// All images, groups and output channels, and the positions of some bands.
struct Sweep<'a> {
    kernels: Microkernels,
    operands: &'a Operands<'a>,
    panels: Panels,
    /// Transformed weights, `[point, group, block of OC, IC, column, OC]`.
    weights: &'a [f32],
    oc_blocks: usize,
    positions: Positions,
    out: Shared<MaybeUninit<f32>>,
}

impl Sweep<'_> {
    /// The tiles of a few blocks of positions and a range of row blocks, of all points.
    fn tiles(&self, group: usize, blocks: Range<usize>, oc_blocks: Range<usize>) {
        let Operands { groups, oc, ic, .. } = *self.operands;
        let Microkernels {
            oc: rows, lanes, ..
        } = self.kernels;
        let line = self.panels.layout.line;
        let taken = RESIDENT_PANEL / line;
        let of_channel = TAPS * rows;
        let of_block = ic * of_channel;
        let of_point = groups * self.oc_blocks * of_block;
        assert_eq!(self.weights.len(), POINTS * of_point, "transformed weights");

        let of_tile = rows * self.kernels.vectors * lanes;
        let shared = SHARED_OC / rows;
        let mut tiles = Scratch::new(blocks.len() * shared * POINTS * of_tile + LANES);
        let at = |block: usize, oc_block: usize| (block * shared + oc_block) * POINTS * of_tile;
        for first in oc_blocks.clone().step_by(shared) {
            let together = first..oc_blocks.end.min(first + shared);
            for point in 0..POINTS {
                for channel in (0..ic).step_by(taken) {
                    for (index, block) in blocks.clone().enumerate() {
                        let panel = self.panels.lines(group, block, point);
                        let tile = self.positions.block(self.kernels, block);
                        assert!(tile.width + ROW_TAPS - 1 <= line, "positions of a panel");
                        let kernel = self.kernels.rows(tile.vectors);
                        for (oc_index, oc_block) in together.clone().enumerate() {
                            let weights = point * of_point
                                + (group * self.oc_blocks + oc_block) * of_block
                                + channel * of_channel;
                            let input = PanelInput {
                                x: panel[channel * line..].as_ptr(),
                                x_ic: line,
                                w: self.weights[weights..].as_ptr(),
                                ic: taken.min(ic - channel),
                                adds: channel > 0,
                            };
                            let first = at(index, oc_index) + point * of_tile;
                            let sums = &mut tiles[first..][..of_tile];
                            // SAFETY: a panel has `line` elements for each channel, which are enough as was seen above,
                            // weights were compared with their storage, the tile has room for the largest, and the set
                            // was detected.
                            unsafe { kernel(&input, sums.as_mut_ptr()) };
                        }
                    }
                }
            }
            for (index, block) in blocks.clone().enumerate() {
                let tile = self.positions.block(self.kernels, block);
                let mut buffer = [Segment::default(); MAX_POSITIONS];
                let segments = self.positions.segments(tile.positions, &mut buffer);
                for (oc_index, oc_block) in together.clone().enumerate() {
                    let first = oc_block * rows;
                    simd::run(Store {
                        operands: self.operands,
                        out: self.out,
                        segments,
                        tiles: &tiles[at(index, oc_index)..],
                        tile: of_tile,
                        width: tile.width,
                        first: group * oc + first,
                        oc: rows.min(oc - first),
                    });
                }
            }
        }
    }
}
