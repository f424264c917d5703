//! Correlations of small planes with the images of a batch side by side: a vector holds one position of as many images
//! as it has lanes.
//!
//! Where planes have few positions, vectors along their rows are filled badly, and many taps read nothing but zeros of
//! the padding: two of five at 3x3 with a 3x3 kernel. Here every position has its own list of taps, without those. The
//! sums that are left are taken in the order of the other correlations, and adding zeros changes nothing (weights are
//! finite), so that an image's results do not depend on those beside it.

mod factors;
mod runs;
#[cfg(all(test, not(miri)))]
mod tests;

use std::mem::MaybeUninit;

use super::columns;
use super::microkernel::{MAX_LANES, MAX_OC, MAX_VECTORS, Microkernels, TileInput};
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
const LEAST_OC: usize = 4;

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
            n, groups, ic, oc, ..
        } = *operands;
        let [pixels_in, pixels_out] = positions(operands);
        let blocks = n.div_ceil(kernels.lanes);
        if pixels_in.max(pixels_out) > MOST_POSITIONS
            || oc < LEAST_OC
            || 2 * n < blocks * kernels.lanes
        {
            return None;
        }
        let own = ic * oc * runs::products(plan, operands);
        if tasks(kernels, operands) < threads::threads_for(blocks * groups * own) {
            return None;
        }
        let along_rows = plan
            .passes
            .iter()
            .map(|pass| columns::cost(kernels, &plan.packing, pass, operands))
            .sum::<usize>();
        let moved = ic * pixels_in + oc * pixels_out;
        (blocks * (own + TRANSPOSITION_COST * moved) < ic * along_rows)
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
            n, groups, ic, oc, ..
        } = *operands;
        let [pixels_in, pixels_out] = positions(operands);
        assert_eq!(out.len(), n * groups * oc * pixels_out, "output elements");
        let x = interleaved(kernels, operands);
        let sweep = Sweep {
            kernels,
            operands,
            runs: &self.runs,
            x: &x,
            x_ic: pixels_in * lanes,
            positions: pixels_out,
            out: Shared::new(out),
        };
        let oc_blocks = oc.div_ceil(kernels.oc);
        let of_channels = self.runs.iter().map(Run::products).sum::<usize>();
        let products = n.div_ceil(lanes) * groups * ic * oc * of_channels;
        let threads = threads::threads_for(products);
        threads::run(threads, tasks(kernels, operands), |task| {
            sweep.oc(task / oc_blocks, task % oc_blocks);
        });
    }
}

/// One for each block of images, group and block of output channels.
fn tasks(kernels: Microkernels, operands: &Operands<'_>) -> usize {
    let blocks = operands.n.div_ceil(kernels.lanes);
    blocks * operands.groups * operands.oc.div_ceil(kernels.oc)
}

/// Positions of an input and of an output plane.
fn positions(operands: &Operands<'_>) -> [usize; 2] {
    let geometry = &operands.geometry;
    [geometry.input, geometry.output].map(|[rows, columns]| rows * columns)
}

/// The input, `[block of images, plane, position, image]`, times its factors.
fn interleaved(kernels: Microkernels, operands: &Operands<'_>) -> Scratch {
    let lanes = kernels.lanes;
    let [positions, _] = positions(operands);
    let planes = operands.groups * operands.ic;
    let blocks = operands.n.div_ceil(lanes);
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
            count: lanes.min(operands.n - first_image),
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
    x_ic: usize,
    /// Positions of an output plane.
    positions: usize,
    out: Shared<MaybeUninit<f32>>,
}

impl Sweep<'_> {
    /// All positions of one block of output channels of a group in one block of images.
    fn oc(&self, instance: usize, oc_block: usize) {
        let Operands {
            n,
            groups,
            oc,
            ic,
            weight,
            output_scale,
            bias,
            ..
        } = *self.operands;
        let Microkernels { lanes, .. } = self.kernels;
        let (block, group) = (instance / groups, instance % groups);
        let first = oc_block * self.kernels.oc;
        let tile_oc = self.kernels.oc.min(oc - first);
        let x = &self.x[instance * ic * self.x_ic..][..ic * self.x_ic];
        let w = weight.offset as isize + group as isize * weight.group + first as isize * weight.oc;
        let line = self.positions * lanes;
        let mut tile = Scratch::new(tile_oc * line);
        let mut sums = [0.0_f32; MAX_OC * MAX_VECTORS * MAX_LANES];
        for run in self.runs {
            let reach = run.taps.iter().map(|tap| tap.x).max();
            let reach = reach.map_or(0, |tap| tap + run.positions * lanes);
            assert!(reach <= self.x_ic, "input of a run");
            for at in (0..run.positions).step_by(self.kernels.vectors) {
                let vectors = self.kernels.vectors.min(run.positions - at);
                let input = TileInput {
                    // Without taps nothing is read, and positions may be more than the input has.
                    x: x.as_ptr().wrapping_add(at * lanes),
                    x_ic: self.x_ic,
                    w: weight.values.as_ptr().wrapping_offset(w),
                    w_oc: weight.oc,
                    w_ic: weight.ic,
                    ic,
                    taps: &run.taps,
                    out_oc: vectors * lanes,
                };
                // SAFETY: the run's positions were compared with the input above, the weights in `Operands::check`; the
                // tile has room for the largest of any set, and the set was detected.
                unsafe { self.kernels.tile(tile_oc, vectors)(&input, sums.as_mut_ptr()) };
                for (o, sums) in sums.chunks_exact(vectors * lanes).take(tile_oc).enumerate() {
                    for (vector, sums) in sums.chunks_exact(lanes).enumerate() {
                        let position = run.first + (at + vector) * run.step;
                        tile[o * line + position * lanes..][..lanes].copy_from_slice(sums);
                    }
                }
            }
        }

        let first_image = block * lanes;
        let first_plane = group * oc + first;
        if output_scale.is_some() || bias.is_some() {
            for (o, line) in tile.chunks_exact_mut(line).enumerate() {
                let plane = first_plane + o;
                simd::run(Scale {
                    line,
                    factors: output_scale.map_or([1.0; MAX_LANES], |scale| {
                        factors::of_images(scale, groups * oc, plane, first_image, lanes)
                    }),
                    bias: bias.map_or(0.0, |bias| bias[plane]),
                });
            }
        }
        let pitch = groups * oc * self.positions;
        // SAFETY: each block of channels of a block of images belongs to one task and lies inside the output.
        unsafe {
            let to = Lines {
                first: self
                    .out
                    .offset(first_image * pitch + first_plane * self.positions),
                count: lanes.min(n - first_image),
                pitch,
            };
            let from = Lines {
                first: &*tile,
                count: tile.len() / lanes,
                pitch: lanes,
            };
            separate(lanes, from, to);
        }
    }
}
