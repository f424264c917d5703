use std::mem::MaybeUninit;
use std::ops::Range;

use super::super::lanes::LANES;
use super::super::matrices::OUTPUTS;
use super::images::Part;
use super::outputs::Outputs;
use super::points::SquarePoints;
use super::weights::Weights;
use super::{FEW_SQUARES, GAP, POINTS};
use crate::conv2d::microkernel::{Microkernels, TapOffset, TileInput};
use crate::conv2d::operands::Operands;
use crate::conv2d::panels::OC_PANEL;
use crate::conv2d::transpose::{Lines, separate};
use crate::scratch::Scratch;
use crate::simd;
use crate::threads::{self, Shared};

/// Squares that are worked off together, whose sums stay in a second-level cache beside the weights of a point.
const SQUARES: usize = 48;

/// The outputs of a part, of one group and of the output channels that weights are there for.
pub(super) struct Products<'a> {
    pub kernels: Microkernels,
    pub operands: &'a Operands<'a>,
    pub group: usize,
    pub part: &'a Part,
    pub points: &'a SquarePoints,
    pub weights: &'a Weights,
    pub out: Shared<MaybeUninit<f32>>,
}

impl Products<'_> {
    pub fn run(&self) {
        let Operands {
            groups,
            ic,
            oc,
            geometry,
            ..
        } = *self.operands;
        let [oh, ow] = geometry.output;
        let squares = self.part.squares();
        let rows = self.part.rows.start * OUTPUTS..(self.part.rows.end * OUTPUTS).min(oh);
        let of_image = rows.len() * ow * LANES;
        let n = self.part.images.len();
        let panels = self.weights.panels();
        let first_oc = panels.start * OC_PANEL;
        let blocks = ((panels.end * OC_PANEL).min(oc) - first_oc).div_ceil(LANES);
        // `[block of OC, image, row, column, lane]`
        let mut beside = Scratch::new(blocks * n * of_image);
        let threads = threads::threads_for(POINTS * squares * ic * blocks);
        let least = (squares / FEW_SQUARES).clamp(1, threads);
        let splits = squares.div_ceil(SQUARES).next_multiple_of(least);
        let shared = Shared::new(&mut beside);
        threads::run(threads, panels.len() * splits, |task| {
            let (panel, split) = (panels.start + task / splits, task % splits);
            let squares = split * squares / splits..(split + 1) * squares / splits;
            self.panel(panel, squares, shared, of_image);
        });
        threads::run(threads, blocks * n, |index| {
            let (block, image) = (index / n, self.part.images.start + index % n);
            let first = first_oc + block * LANES;
            let plane = (image * groups + self.group) * oc + first;
            // SAFETY: the rows of the channels of a block belong to one task and lie inside the output.
            unsafe {
                let to = Lines {
                    first: self.out.offset((plane * oh + rows.start) * ow),
                    count: LANES.min(oc - first),
                    pitch: oh * ow,
                };
                let from = Lines {
                    first: &beside[index * of_image..],
                    count: of_image / LANES,
                    pitch: LANES,
                };
                separate(LANES, from, to);
            }
        });
    }

    /// The outputs of some squares and the channels of a panel.
    fn panel(&self, panel: usize, squares: Range<usize>, beside: Shared<f32>, of_image: usize) {
        let width = self.weights.width(panel);
        let of_point = squares.len() * width + GAP;
        let mut sums = Scratch::new(POINTS * of_point);
        for (point, sums) in sums.chunks_exact_mut(of_point).enumerate() {
            self.point(panel, point, squares.clone(), sums);
        }
        simd::run(Outputs {
            operands: self.operands,
            group: self.group,
            part: self.part,
            squares,
            sums: &sums,
            of_point,
            width,
            first: panel * OC_PANEL,
            first_beside: self.weights.panels().start * OC_PANEL,
            beside,
            of_image,
        });
    }

    /// The sums of some squares at one point, `[square, OC]`.
    fn point(&self, panel: usize, point: usize, squares: Range<usize>, sums: &mut [f32]) {
        let Microkernels {
            lanes,
            oc: rows,
            vectors,
            ..
        } = self.kernels;
        let weights = self.weights.of(self.group, panel, point);
        let width = self.weights.width(panel);
        let blocks = self.operands.ic.div_ceil(LANES);
        let taps: [TapOffset; LANES] = std::array::from_fn(|lane| TapOffset {
            x: lane * width,
            w: lane as isize,
        });
        let all = width / lanes;
        let calls = all.div_ceil(vectors);
        for first in (0..squares.len()).step_by(rows) {
            let count = rows.min(squares.len() - first);
            let points = self.points.first(0, point) + (squares.start + first) * LANES;
            let of_block = self.points.first(1, 0);
            assert!(
                points + (blocks - 1) * of_block + count * LANES <= self.points.values.len()
                    && weights.len() == blocks * LANES * width
                    && (first + count) * width <= sums.len(),
                "points, weights and sums of a panel"
            );
            for call in 0..calls {
                let some = call * all / calls..(call + 1) * all / calls;
                let input = TileInput {
                    x: weights[some.start * lanes..].as_ptr(),
                    x_ic: LANES * width,
                    w: self.points.values[points..].as_ptr(),
                    w_oc: LANES as isize,
                    w_ic: of_block as isize,
                    ic: blocks,
                    taps: &taps,
                    out_oc: width,
                };
                let sums = &mut sums[first * width + some.start * lanes..];
                // SAFETY: rows of the tile are squares, and its positions output channels. All were compared with their
                // storage above, and the set was detected.
                unsafe { self.kernels.tile(count, some.len())(&input, sums.as_mut_ptr()) };
            }
        }
    }
}
