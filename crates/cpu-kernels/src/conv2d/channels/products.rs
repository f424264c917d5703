use std::mem::MaybeUninit;
use std::ops::Range;

use super::weights::Weights;
use crate::conv2d::microkernel::{Microkernels, TapOffset, TileInput};
use crate::conv2d::operands::Operands;
use crate::conv2d::panels::OC_PANEL;
use crate::conv2d::plan::{Pass, Plan};
use crate::conv2d::transpose::{Lines, separate};
use crate::conv2d::winograd::LANES;
use crate::scratch::Scratch;
use crate::simd::{self, Kernel, multiply_add};
use crate::threads::{self, Shared, TASKS_PER_THREAD};

/// The outputs of one image and group.
pub(super) struct Products<'a> {
    pub kernels: Microkernels,
    pub plan: &'a Plan,
    pub operands: &'a Operands<'a>,
    pub group: usize,
    /// `[block of IC, position, lane]`
    pub x: &'a [f32],
    pub weights: &'a Weights,
    pub out: Shared<MaybeUninit<f32>>,
}

impl Products<'_> {
    pub fn run(&self) {
        let Operands {
            ic, oc, geometry, ..
        } = *self.operands;
        let area = geometry.output[0] * geometry.output[1];
        let panels = self.weights.panels();
        // `[panel, position, OC]`
        let mut beside = Scratch::new(area * oc.next_multiple_of(LANES));
        let passes = self.plan.passes.iter();
        let work = passes.map(|pass| pass.taps.len() * pass.grid[0] * pass.grid[1]);
        let threads = threads::threads_for(work.sum::<usize>() * ic * oc / LANES);
        let splits = if threads == 1 {
            1
        } else {
            (threads * TASKS_PER_THREAD).div_ceil(panels * self.plan.passes.len())
        };
        let shared = Shared::new(&mut beside);
        threads::run(threads, panels * self.plan.passes.len() * splits, |task| {
            let (task, split) = (task / splits, task % splits);
            let (panel, pass) = (task / self.plan.passes.len(), task % self.plan.passes.len());
            let rows = self.plan.passes[pass].grid[0];
            let rows = split * rows / splits..(split + 1) * rows / splits;
            // SAFETY: the panel lies inside the buffer.
            let to = unsafe { shared.offset(panel * OC_PANEL * area) };
            self.rows(panel, pass, rows, to);
        });
        let blocks = oc.div_ceil(LANES);
        // The first channel of a block in its group, and its element of the first position.
        let place = |block: usize| {
            let first = block * LANES;
            (first, first / OC_PANEL * OC_PANEL * area + first % OC_PANEL)
        };
        if self.operands.output_scale.is_some() || self.operands.bias.is_some() {
            threads::run(threads, blocks, |block| {
                let (first, from) = place(block);
                let plane = self.group * oc + first;
                let count = LANES.min(oc - first);
                let factors = |values: Option<&[f32]>, without| {
                    let mut factors = [without; LANES];
                    if let Some(values) = values {
                        factors[..count].copy_from_slice(&values[plane..][..count]);
                    }
                    factors
                };
                simd::run(Scaled {
                    // SAFETY: a task touches its own channels only.
                    values: unsafe { shared.offset(from) },
                    positions: area,
                    pitch: self.weights.width(first / OC_PANEL),
                    scale: factors(self.operands.output_scale, 1.0),
                    bias: factors(self.operands.bias, 0.0),
                });
            });
        }
        let beside = &*beside;
        threads::run(threads, blocks, |block| {
            let (first, from) = place(block);
            let plane = self.group * oc + first;
            // SAFETY: the planes of the channels of a block belong to one task and lie inside the output.
            unsafe {
                let to = Lines {
                    first: self.out.offset(plane * area),
                    count: LANES.min(oc - first),
                    pitch: area,
                };
                let from = Lines {
                    first: &beside[from..],
                    count: area,
                    pitch: self.weights.width(first / OC_PANEL),
                };
                separate(LANES, from, to);
            }
        });
    }

    /// The outputs of some rows of a pass, for the channels of a panel.
    fn rows(&self, panel: usize, pass_index: usize, rows: Range<usize>, to: Shared<f32>) {
        let Microkernels {
            lanes,
            oc: most,
            vectors,
            ..
        } = self.kernels;
        let packing = &self.plan.packing;
        let pass: &Pass = &self.plan.passes[pass_index];
        let ow = self.operands.geometry.output[1];
        let weights = self.weights.of(self.group, panel, pass_index);
        let width = self.weights.width(panel);
        let blocks = self.operands.ic.div_ceil(LANES);
        let taps: Vec<TapOffset> = (0..LANES)
            .flat_map(|lane| pass.taps.iter().map(move |tap| (lane, tap)))
            .enumerate()
            .map(|(index, (lane, tap))| TapOffset {
                x: index * width,
                w: (tap.offset * LANES + lane) as isize,
            })
            .collect();
        let reach = pass.taps.iter().map(|tap| tap.offset).max().unwrap_or(0);
        let [all, columns] = pass.grid;
        assert!(
            rows.end <= all
                && reach + (all - 1) * packing.pitch + columns <= packing.plane()
                && self.x.len() == blocks * packing.plane() * LANES
                && weights.len() == blocks * taps.len() * width,
            "packed input and weights of a panel"
        );
        let row_tiles = columns.div_ceil(most);
        let calls = (width / lanes).div_ceil(vectors);
        for row in rows {
            for tile in 0..row_tiles {
                // Of equal size, as those of few positions wait for their own sums.
                let some = tile * columns / row_tiles..(tile + 1) * columns / row_tiles;
                let position = row * packing.pitch + some.start;
                let y = pass.first[0] + row * pass.step[0];
                let x = pass.first[1] + some.start * pass.step[1];
                for call in 0..calls {
                    let part = call * width / lanes / calls..(call + 1) * width / lanes / calls;
                    let input = TileInput {
                        x: weights.as_ptr().wrapping_add(part.start * lanes),
                        x_ic: taps.len() * width,
                        w: self.x[position * LANES..].as_ptr(),
                        w_oc: LANES as isize,
                        w_ic: (packing.plane() * LANES) as isize,
                        ic: blocks,
                        taps: &taps,
                        out_oc: pass.step[1] * width,
                    };
                    // SAFETY: rows of the tile are positions, and its positions output channels. Operands were compared
                    // with their storage above; the outputs of a pass lie in the plane and belong to one task, and the
                    // set was detected.
                    unsafe {
                        let to = to.offset((y * ow + x) * width + part.start * lanes);
                        let tile = self.kernels.tile(some.len(), part.len());
                        tile(&input, to.as_mut_ptr());
                    }
                }
            }
        }
    }
}

/// Multiplies the outputs of a vector of channels by a factor each and adds a bias.
struct Scaled {
    values: Shared<f32>,
    positions: usize,
    /// Elements from one position to the next.
    pitch: usize,
    scale: [f32; LANES],
    bias: [f32; LANES],
}

impl Kernel for Scaled {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        for position in 0..self.positions {
            // SAFETY: the channels of a block belong to one task.
            let values = unsafe { self.values.slice(position * self.pitch, LANES) };
            for (lane, value) in values.iter_mut().enumerate() {
                *value = multiply_add::<FUSED>(*value, self.scale[lane], self.bias[lane]);
            }
        }
    }
}
