//! Correlations of small planes with the images of a batch side by side: a vector holds one position of as many images as it has lanes.
//!
//! Where planes have few positions, vectors along their rows are filled badly, and many taps read nothing but zeros of the padding: two of
//! five at 3x3 with a 3x3 kernel. Here every position has its own list of taps, without those. The sums that are left are taken in the order
//! of the other correlations, and adding zeros changes nothing (weights are finite), so that an image's results do not depend on those beside
//! it.

mod factors;
mod runs;
#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;

use super::columns;
use super::microkernel::{MAX_LANES, MAX_ROWS, MAX_VECTORS, Microkernels, TileInput};
use super::operands::Operands;
use super::plan::Plan;
use super::transpose::{Lines, interleave, separate};
use crate::scratch::Scratch;
use crate::simd;
use crate::threads::{self, Shared, TASKS_PER_THREAD};
use factors::Scale;
use runs::Run;

/// Planes of more positions have vectors that are filled well enough.
const MOST_POSITIONS: usize = 320;

/// Fewer output channels leave a tile of one vector waiting for its own sums.
const LEAST_ROWS: usize = 4;

/// Cost of putting a vector of positions beside those of other images, or of taking it apart, in vector multiply-adds.
const TRANSPOSITION_COST: usize = 4;

/// A correlation with images side by side.
pub(super) struct SideBySide {
    runs: Vec<Run>,
}

impl SideBySide {
    /// For a correlation that is faster so.
    pub fn worthwhile(kernels: Microkernels, plan: &Plan, operands: &Operands<'_>) -> Option<Self> {
        let Operands {
            batch,
            groups,
            channels,
            rows,
            ..
        } = *operands;
        let [positions_in, positions_out] = positions(operands);
        let blocks = batch.div_ceil(kernels.lanes);
        if positions_in.max(positions_out) > MOST_POSITIONS
            || rows < LEAST_ROWS
            || 2 * batch < blocks * kernels.lanes
        {
            return None;
        }
        let own = channels * rows * runs::products(plan, operands);
        if tasks(kernels, operands) < threads::threads_for(blocks * groups * own) {
            return None;
        }
        let along_rows = plan
            .passes
            .iter()
            .map(|pass| columns::cost(kernels, &plan.packing, pass, operands))
            .sum::<usize>();
        let moved = channels * positions_in + rows * positions_out;
        (blocks * (own + TRANSPOSITION_COST * moved) < channels * along_rows)
            .then(|| Self::of(kernels, plan, operands))
    }

    /// For any correlation.
    fn of(kernels: Microkernels, plan: &Plan, operands: &Operands<'_>) -> Self {
        Self {
            runs: runs::of(kernels.lanes, plan, operands),
        }
    }

    /// Writes all of `out`.
    pub fn correlate(
        &self,
        kernels: Microkernels,
        operands: &Operands<'_>,
        out: &mut [MaybeUninit<f32>],
    ) {
        let lanes = kernels.lanes;
        let Operands {
            batch,
            groups,
            channels,
            rows,
            ..
        } = *operands;
        let [positions_in, positions_out] = positions(operands);
        assert_eq!(
            out.len(),
            batch * groups * rows * positions_out,
            "output elements"
        );
        let x = interleaved(kernels, operands);
        let sweep = Sweep {
            kernels,
            operands,
            runs: &self.runs,
            x: &x,
            x_channel: positions_in * lanes,
            positions: positions_out,
            out: Shared::new(out),
        };
        let row_blocks = rows.div_ceil(kernels.rows);
        let of_channels = self.runs.iter().map(Run::products).sum::<usize>();
        let products = batch.div_ceil(lanes) * groups * channels * rows * of_channels;
        let threads = threads::threads_for(products);
        threads::run(threads, tasks(kernels, operands), |task| {
            sweep.rows(task / row_blocks, task % row_blocks);
        });
    }
}

/// One for each block of images, group and block of output channels.
fn tasks(kernels: Microkernels, operands: &Operands<'_>) -> usize {
    let blocks = operands.batch.div_ceil(kernels.lanes);
    blocks * operands.groups * operands.rows.div_ceil(kernels.rows)
}

/// Positions of an input and of an output plane.
fn positions(operands: &Operands<'_>) -> [usize; 2] {
    let geometry = &operands.geometry;
    [geometry.input, geometry.output].map(|[height, width]| height * width)
}

/// The input, `[block of images, plane, position, image]`, times its factors.
fn interleaved(kernels: Microkernels, operands: &Operands<'_>) -> Scratch {
    let lanes = kernels.lanes;
    let [positions, _] = positions(operands);
    let planes = operands.groups * operands.channels;
    let blocks = operands.batch.div_ceil(lanes);
    let mut x = Scratch::new(blocks * planes * positions * lanes);
    let threads = threads::threads_for(blocks * planes * positions * TRANSPOSITION_COST);
    let parts = if threads == 1 {
        1
    } else {
        planes.min(threads * TASKS_PER_THREAD)
    };
    let shared = Shared::new(&mut x);
    threads::run(threads, blocks * parts, |task| {
        let (block, part) = (task / parts, task % parts);
        let first = part * planes / parts;
        let count = (part + 1) * planes / parts - first;
        let first_image = block * lanes;
        let start = (block * planes + first) * positions * lanes;
        // SAFETY: each part of a block belongs to one task and lies inside the buffer.
        let to = unsafe { shared.slice(start, count * positions * lanes) };
        let from = Lines {
            first: &operands.x[(first_image * planes + first) * positions..],
            count: lanes.min(operands.batch - first_image),
            pitch: planes * positions,
        };
        interleave(lanes, from, to);
        if let Some(scale) = operands.input_scale {
            for (plane, line) in to.chunks_exact_mut(positions * lanes).enumerate() {
                simd::run(Scale {
                    line,
                    factors: factors::of_images(scale, planes, first + plane, first_image, lanes),
                    bias: 0.0,
                });
            }
        }
    });
    x
}

/// All blocks of images, groups, output channels and positions.
struct Sweep<'a> {
    kernels: Microkernels,
    operands: &'a Operands<'a>,
    runs: &'a [Run],
    x: &'a [f32],
    x_channel: usize,
    /// Positions of an output plane.
    positions: usize,
    out: Shared<MaybeUninit<f32>>,
}

impl Sweep<'_> {
    /// All positions of one block of output channels of a group in one block of images.
    fn rows(&self, instance: usize, row_block: usize) {
        let Operands {
            batch,
            groups,
            rows,
            channels,
            weight,
            output_scale,
            bias,
            ..
        } = *self.operands;
        let Microkernels { lanes, .. } = self.kernels;
        let (block, group) = (instance / groups, instance % groups);
        let first = row_block * self.kernels.rows;
        let tile_rows = self.kernels.rows.min(rows - first);
        let x = &self.x[instance * channels * self.x_channel..][..channels * self.x_channel];
        let w =
            weight.offset as isize + group as isize * weight.group + first as isize * weight.row;
        let line = self.positions * lanes;
        let mut tile = Scratch::new(tile_rows * line);
        let mut sums = [0.0_f32; MAX_ROWS * MAX_VECTORS * MAX_LANES];
        for run in self.runs {
            let reach = run.taps.iter().map(|tap| tap.x).max();
            let reach = reach.map_or(0, |tap| tap + run.positions * lanes);
            assert!(reach <= self.x_channel, "input of a run");
            for at in (0..run.positions).step_by(self.kernels.vectors) {
                let vectors = self.kernels.vectors.min(run.positions - at);
                let input = TileInput {
                    // Without taps nothing is read, and positions may be more than the input has.
                    x: x.as_ptr().wrapping_add(at * lanes),
                    x_channel: self.x_channel,
                    w: weight.values.as_ptr().wrapping_offset(w),
                    w_row: weight.row,
                    w_channel: weight.channel,
                    channels,
                    taps: &run.taps,
                };
                // SAFETY: the run's positions were compared with the input above, the weights in `Operands::check`; the tile has room for
                // the largest of any set, and the set was detected.
                unsafe { self.kernels.tile(tile_rows, vectors)(&input, sums.as_mut_ptr()) };
                for (row, sums) in sums
                    .chunks_exact(vectors * lanes)
                    .take(tile_rows)
                    .enumerate()
                {
                    for (vector, sums) in sums.chunks_exact(lanes).enumerate() {
                        let position = run.first + (at + vector) * run.step;
                        tile[row * line + position * lanes..][..lanes].copy_from_slice(sums);
                    }
                }
            }
        }

        let first_image = block * lanes;
        let first_plane = group * rows + first;
        if output_scale.is_some() || bias.is_some() {
            for (row, line) in tile.chunks_exact_mut(line).enumerate() {
                let plane = first_plane + row;
                simd::run(Scale {
                    line,
                    factors: output_scale.map_or([1.0; MAX_LANES], |scale| {
                        factors::of_images(scale, groups * rows, plane, first_image, lanes)
                    }),
                    bias: bias.map_or(0.0, |bias| bias[plane]),
                });
            }
        }
        let pitch = groups * rows * self.positions;
        // SAFETY: each block of channels of a block of images belongs to one task and lies inside the output.
        unsafe {
            let to = Lines {
                first: self
                    .out
                    .offset(first_image * pitch + first_plane * self.positions),
                count: lanes.min(batch - first_image),
                pitch,
            };
            separate(lanes, &tile, to);
        }
    }
}
