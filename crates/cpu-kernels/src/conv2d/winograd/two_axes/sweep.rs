use std::mem::MaybeUninit;
use std::ops::Range;

use super::super::lanes::LANES;
use super::super::transformed_images::Panels;
use super::POINTS;
use super::output::{Buffers, Store};
use super::part::Part;
use super::weights::Weights;
use crate::conv2d::microkernel::{Microkernels, PanelInput};
use crate::conv2d::operands::Operands;
use crate::conv2d::panels::{RESIDENT_PANEL, SHARED_BLOCKS, SHARED_OC};
use crate::conv2d::tasks::Tasks;
use crate::scratch::Scratch;
use crate::simd;
use crate::threads::Shared;

/// All groups of some images, the squares of some rows and some output channels.
pub(super) struct Sweep<'a> {
    pub kernels: Microkernels,
    pub operands: &'a Operands<'a>,
    pub part: &'a Part,
    pub panels: &'a Panels,
    pub weights: &'a Weights,
    pub out: Shared<MaybeUninit<f32>>,
}

impl Sweep<'_> {
    /// Writes the outputs.
    pub fn run(&self) {
        let first = self.weights.oc_blocks.start;
        Tasks {
            instances: self.operands.groups,
            oc: self.weights.oc_blocks.len() * self.kernels.oc,
            depth: self.operands.ic * POINTS,
            positions: self.part.positions(),
            shared: SHARED_OC / self.kernels.oc,
        }
        .run(self.kernels, |group, blocks, oc_blocks| {
            let oc_blocks = first + oc_blocks.start..first + oc_blocks.end;
            for first in blocks.clone().step_by(SHARED_BLOCKS) {
                let some = first..blocks.end.min(first + SHARED_BLOCKS);
                self.tiles(group, some, oc_blocks.clone());
            }
        });
    }

    /// The tiles of a few blocks of positions and a range of row blocks, of all points.
    fn tiles(&self, group: usize, blocks: Range<usize>, oc_blocks: Range<usize>) {
        let Operands { oc, ic, .. } = *self.operands;
        let Microkernels {
            oc: rows,
            lanes,
            vectors,
            ..
        } = self.kernels;
        let line = self.panels.layout.line;
        let taken = RESIDENT_PANEL / line;
        let of_tile = rows * vectors * lanes;
        let shared = SHARED_OC / rows;
        let mut tiles = Scratch::new(blocks.len() * shared * POINTS * of_tile + LANES);
        let mut buffers = Buffers::new();
        let at = |block: usize, oc_block: usize| (block * shared + oc_block) * POINTS * of_tile;
        for first in oc_blocks.clone().step_by(shared) {
            let together = first..oc_blocks.end.min(first + shared);
            for point in 0..POINTS {
                for channel in (0..ic).step_by(taken) {
                    for (index, block) in blocks.clone().enumerate() {
                        let panel = self.panels.lines(group, block, point);
                        let width = self.part.block(block).len();
                        assert!(width <= line, "positions of a panel");
                        let kernel = self.kernels.product(width / lanes);
                        for (oc_index, oc_block) in together.clone().enumerate() {
                            let weights = self.weights.of(group, oc_block, point);
                            let input = PanelInput {
                                x: panel[channel * line..].as_ptr(),
                                x_ic: line,
                                w: weights[channel * rows..].as_ptr(),
                                ic: taken.min(ic - channel),
                                adds: channel > 0,
                            };
                            let first = at(index, oc_index) + point * of_tile;
                            let sums = &mut tiles[first..][..of_tile];
                            // SAFETY: a panel has `line` elements for each channel, which are enough as was seen above,
                            // and there are `rows` weights for each; the tile has room for the largest, and the set was
                            // detected.
                            unsafe { kernel(&input, sums.as_mut_ptr()) };
                        }
                    }
                }
            }
            for (index, block) in blocks.clone().enumerate() {
                let positions = self.part.block(block);
                let width = positions.len();
                let runs = self.part.runs(positions);
                for (oc_index, oc_block) in together.clone().enumerate() {
                    let first = oc_block * rows;
                    simd::run(Store {
                        operands: self.operands,
                        out: self.out,
                        runs: &runs,
                        tiles: &tiles[at(index, oc_index)..],
                        tile: of_tile,
                        width,
                        first: group * oc + first,
                        oc: rows.min(oc - first),
                        buffers: &mut buffers,
                    });
                }
            }
        }
    }
}
