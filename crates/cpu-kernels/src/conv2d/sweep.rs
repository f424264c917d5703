use std::mem::MaybeUninit;
use std::ops::Range;

use super::columns::{flat_positions, gather, is_gathered};
use super::microkernel::{MAX_OC, Microkernels, PanelInput, TapOffset, TileInput};
use super::operands::Operands;
use super::panels::{RESIDENT_PANEL, RESIDENT_PANELS, SHARED_BLOCKS, SHARED_OC};
use super::plan::{Packing, Pass};
use super::positions::{MAX_POSITIONS, Positions, Segment};
use super::tasks::Tasks;
use crate::scratch::Scratch;
use crate::simd::{self, Kernel, multiply_add};
use crate::threads::Shared;

/// Computes the positions of one pass in all images from packed planes.
pub(super) fn run_pass(
    kernels: Microkernels,
    packing: &Packing,
    pass: &Pass,
    operands: &Operands<'_>,
    packed: &[f32],
    weights: Option<&[f32]>,
    out: &mut [MaybeUninit<f32>],
) {
    let [grid_rows, grid_columns] = pass.grid;
    let [oh, ow] = operands.geometry.output;
    let plane_out = oh * ow;
    let taps: Vec<TapOffset> = pass
        .taps
        .iter()
        .map(|tap| TapOffset {
            x: tap.offset,
            w: tap.kernel[0] as isize * operands.weight.kernel[0]
                + tap.kernel[1] as isize * operands.weight.kernel[1],
        })
        .collect();

    let flat = flat_positions(packing, pass);
    let dense = grid_rows * grid_columns;
    let gathered = is_gathered(kernels, packing, pass, operands);

    let mut positions = Positions {
        count: flat,
        image: flat,
        pitch: packing.pitch,
        columns: grid_columns,
        out_image: operands.groups * operands.oc * plane_out,
        out_row: pass.step[0] * ow,
        out_column: pass.step[1],
        out_first: pass.first[0] * ow + pass.first[1],
    };
    if gathered {
        positions.count = operands.n * dense;
        positions.image = dense;
        positions.pitch = grid_columns;
    }
    if positions.pitch == grid_columns
        && positions.out_column == 1
        && positions.out_row == grid_columns
    {
        // Rows follow each other without a gap on both sides.
        positions.pitch = dense;
        positions.columns = dense;
    }
    let out = Shared::new(out);
    let planes = operands.groups * operands.ic;
    if gathered {
        let panel = kernels.vectors * kernels.lanes;
        let dense_taps: Vec<TapOffset> = taps
            .iter()
            .enumerate()
            .map(|(index, tap)| TapOffset {
                x: index * panel,
                w: tap.w,
            })
            .collect();
        let source = Positions {
            count: positions.count,
            image: dense,
            pitch: grid_columns,
            columns: grid_columns,
            out_image: planes * packing.plane(),
            out_row: packing.pitch,
            out_column: 1,
            out_first: 0,
        };
        let columns = gather(&source, panel, packed, packing.plane(), planes, &taps);
        let x_ic = taps.len() * panel;
        Sweep {
            kernels,
            operands,
            x: &columns,
            x_instance: operands.ic * x_ic,
            x_ic,
            x_block: Some(planes * x_ic),
            positions,
            images: 1,
            taps: &dense_taps,
            weights,
            out,
        }
        .run();
    } else {
        debug_assert!(packed.len() >= operands.n * planes * packing.plane());
        Sweep {
            kernels,
            operands,
            positions,
            x: packed,
            x_instance: operands.ic * packing.plane(),
            x_ic: packing.plane(),
            x_block: None,
            images: operands.n,
            taps: &taps,
            weights,
            out,
        }
        .run();
    }
}

/// One pass over all images, groups, output channels and positions.
struct Sweep<'a> {
    kernels: Microkernels,
    operands: &'a Operands<'a>,
    positions: Positions,
    x: &'a [f32],
    /// Elements from one group of one image to the next.
    x_instance: usize,
    x_ic: usize,
    /// Elements from one block of positions to the next where each has its own panel; else positions follow each other.
    x_block: Option<usize>,
    /// Images swept one by one; 1 where all of them lie on one axis.
    images: usize,
    taps: &'a [TapOffset],
    /// Weights for tiles of panels, `[group, block of OC, IC, tap, OC]`; none for tiles that read operands where they
    /// lie.
    weights: Option<&'a [f32]>,
    out: Shared<MaybeUninit<f32>>,
}

impl Sweep<'_> {
    fn run(&self) {
        let Operands { groups, oc, ic, .. } = *self.operands;
        Tasks {
            instances: self.images * groups,
            oc,
            depth: ic * self.taps.len().max(1),
            positions: self.positions.count,
            // A panel is made for all of its tiles.
            shared: self.weights.map_or(1, |_| oc.div_ceil(self.kernels.oc)),
        }
        .run(self.kernels, |instance, blocks, oc_blocks| {
            if let Some(weights) = self.weights {
                let panel = ic * self.taps.len() * self.line();
                let shared = (RESIDENT_PANELS / panel).clamp(1, SHARED_BLOCKS);
                for first in blocks.clone().step_by(shared) {
                    let some = first..blocks.end.min(first + shared);
                    self.panel_tiles(weights, instance, some, oc_blocks.clone());
                }
            } else {
                for block in blocks {
                    self.tiles(instance, block, oc_blocks.clone());
                }
            }
        });
    }

    /// Positions of the largest tile.
    fn line(&self) -> usize {
        self.kernels.vectors * self.kernels.lanes
    }

    /// The tiles of a few blocks of positions and a range of row blocks, from panels.
    fn panel_tiles(
        &self,
        weights: &[f32],
        instance: usize,
        blocks: Range<usize>,
        oc_blocks: Range<usize>,
    ) {
        let Operands { groups, oc, ic, .. } = *self.operands;
        let rows = self.kernels.oc;
        let (image, group) = (instance / groups, instance % groups);
        let line = self.line();
        assert_eq!(line % LINE, 0, "a line is copied in whole pieces");
        let depth = ic * self.taps.len();
        let panel = depth * line;
        let x = &self.x[instance * self.x_instance..];
        let mut copied = Scratch::new(match self.x_block {
            Some(_) => 0,
            None => blocks.len() * panel,
        });
        for (block, to) in blocks.clone().zip(copied.chunks_exact_mut(panel)) {
            let positions = self.positions.block(self.kernels, block).positions;
            simd::run(Panel {
                x: &x[positions.start..],
                x_ic: self.x_ic,
                taps: self.taps,
                count: positions.len(),
                line,
                to,
            });
        }
        let panels = match self.x_block {
            Some(planes) => PanelsAt {
                values: x,
                first: blocks.start * planes,
                step: planes,
            },
            None => PanelsAt {
                values: &copied,
                first: 0,
                step: panel,
            },
        };

        let oc_total = oc.div_ceil(rows);
        assert_eq!(
            weights.len(),
            groups * oc_total * depth * rows,
            "packed weights"
        );
        let of_tile = rows * line;
        let taken = RESIDENT_PANEL / line;
        let shared = SHARED_OC / rows;
        let mut tiles = [0.0_f32; SHARED_BLOCKS * SHARED_OC * MAX_POSITIONS];
        for first in oc_blocks.clone().step_by(shared) {
            let together = first..oc_blocks.end.min(first + shared);
            for at in (0..depth).step_by(taken) {
                for (index, block) in blocks.clone().enumerate() {
                    let first = panels.first + index * panels.step;
                    let panel = &panels.values[first..][..panel];
                    let tile = self.positions.block(self.kernels, block);
                    let kernel = self.kernels.product(tile.vectors);
                    for (oc_index, oc_block) in together.clone().enumerate() {
                        let first_weight = ((group * oc_total + oc_block) * depth + at) * rows;
                        let input = PanelInput {
                            x: panel[at * line..].as_ptr(),
                            x_ic: line,
                            w: weights[first_weight..].as_ptr(),
                            ic: taken.min(depth - at),
                            adds: at > 0,
                        };
                        let sums = &mut tiles[(index * shared + oc_index) * of_tile..][..of_tile];
                        // SAFETY: the panel has `line` elements for each of `depth` products, and there are so many
                        // weights for each block of channels; the tile has room for the largest, and the set was
                        // detected.
                        unsafe { kernel(&input, sums.as_mut_ptr()) };
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
                        sweep: self,
                        segments,
                        tile: &tiles[(index * shared + oc_index) * of_tile..][..of_tile],
                        width: tile.width,
                        image,
                        first: group * oc + first,
                        oc: rows.min(oc - first),
                    });
                }
            }
        }
    }

    /// The tiles of one block of positions and a range of row blocks, of operands where they lie.
    fn tiles(&self, instance: usize, block: usize, oc_blocks: Range<usize>) {
        let Operands {
            groups,
            oc,
            ic,
            weight,
            ..
        } = *self.operands;
        let (image, group) = (instance / groups, instance % groups);
        let tile = self.positions.block(self.kernels, block);
        let (begin, vectors, width) = (tile.positions.start, tile.vectors, tile.width);
        let mut buffer = [Segment::default(); MAX_POSITIONS];
        let segments = self.positions.segments(tile.positions.clone(), &mut buffer);

        let (start, x_start) = match self.x_block {
            None => {
                let start = tile.moved_back(self.positions.count);
                (start, start)
            }
            Some(panel) => (begin, block * panel),
        };
        let x = &self.x[instance * self.x_instance..];
        let reach = (ic - 1) * self.x_ic
            + self.taps.iter().map(|tap| tap.x).max().unwrap_or(0)
            + x_start
            + width;
        assert!(self.taps.is_empty() || reach <= x.len(), "packed input");

        let mut sums = [0.0_f32; MAX_OC * MAX_POSITIONS];
        for oc_block in oc_blocks {
            let first = oc_block * self.kernels.oc;
            let tile_oc = self.kernels.oc.min(oc - first);
            let input = TileInput {
                x: x[x_start..].as_ptr(),
                x_ic: self.x_ic,
                w: weight.values.as_ptr().wrapping_offset(
                    weight.offset as isize
                        + group as isize * weight.group
                        + first as isize * weight.oc,
                ),
                w_oc: weight.oc,
                w_ic: weight.ic,
                ic,
                taps: self.taps,
                out_oc: width,
            };
            // SAFETY: the positions were compared with their storage above, the weights in `Operands::check`; the tile
            // has room for the largest of any set, and the set was detected.
            unsafe { self.kernels.tile(tile_oc, vectors)(&input, sums.as_mut_ptr()) };
            simd::run(Store {
                sweep: self,
                segments,
                tile: &sums[begin - start..],
                width,
                image,
                first: group * oc + first,
                oc: tile_oc,
            });
        }
    }
}

/// Where panels lie.
struct PanelsAt<'a> {
    values: &'a [f32],
    /// Element of the first.
    first: usize,
    /// Elements from one to the next.
    step: usize,
}

/// Lines of panels are whole numbers of so many elements: those of the largest NEON tile have 12.
const LINE: usize = if cfg!(target_arch = "aarch64") { 4 } else { 8 };

/// Copies a panel from packed planes, `[channel, tap, position]`.
struct Panel<'a> {
    /// Planes, from the first position on.
    x: &'a [f32],
    x_ic: usize,
    taps: &'a [TapOffset],
    /// Positions of the block.
    count: usize,
    line: usize,
    to: &'a mut [f32],
}

impl Kernel for Panel<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let channels = self.to.chunks_exact_mut(self.line * self.taps.len());
        for (channel, lines) in channels.enumerate() {
            for (tap, to) in self.taps.iter().zip(lines.chunks_exact_mut(self.line)) {
                let from = &self.x[channel * self.x_ic + tap.x..][..self.count];
                if self.count == self.line {
                    let (to, _) = to.as_chunks_mut::<LINE>();
                    let (from, _) = from.as_chunks::<LINE>();
                    for (to, from) in to.iter_mut().zip(from) {
                        *to = *from;
                    }
                } else {
                    let (filled, rest) = to.split_at_mut(self.count);
                    filled.copy_from_slice(from);
                    rest.fill(0.0);
                }
            }
        }
    }
}

/// Stores a tile's sums, times their factor and with their bias.
struct Store<'a> {
    sweep: &'a Sweep<'a>,
    segments: &'a [Segment],
    tile: &'a [f32],
    /// Elements of a row of the tile.
    width: usize,
    /// Image of the tile's first position.
    image: usize,
    /// Output channel of the first row, counted through all groups.
    first: usize,
    oc: usize,
}

impl Kernel for Store<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Operands {
            groups,
            oc,
            output_scale,
            bias,
            geometry,
            ..
        } = *self.sweep.operands;
        let plane = geometry.output[0] * geometry.output[1];
        let step = self.sweep.positions.out_column;
        for o in 0..self.oc {
            let channel = self.first + o;
            let bias = bias.map_or(0.0, |bias| bias[channel]);
            let first_plane = self.image * groups * oc + channel;
            let sums = &self.tile[o * self.width..];
            for segment in self.segments {
                let scale = output_scale.map_or(1.0, |scale| {
                    scale[first_plane + segment.image * groups * oc]
                });
                let sums = &sums[segment.position..][..segment.length];
                // SAFETY: a task writes the outputs of its own positions and rows only; `segments` keeps to the output
                // planes.
                let to = unsafe {
                    self.sweep.out.slice(
                        first_plane * plane + segment.out,
                        (segment.length - 1) * step + 1,
                    )
                };
                if step == 1 {
                    for (to, sum) in to.iter_mut().zip(sums) {
                        to.write(multiply_add::<FUSED>(*sum, scale, bias));
                    }
                } else {
                    for (to, sum) in to.iter_mut().step_by(step).zip(sums) {
                        to.write(multiply_add::<FUSED>(*sum, scale, bias));
                    }
                }
            }
        }
    }
}
