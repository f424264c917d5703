use std::mem::MaybeUninit;

use super::microkernel::{MAX_LANES, MAX_ROWS, Microkernels, TapOffset, TileInput};
use super::pack::{GATHER_COST, pack};
use super::plan::{Extent, Packing, Pass, Plan};
use super::positions::{MAX_POSITIONS, Positions, Segment};
use super::scratch::Scratch;
use super::side_by_side::SideBySide;
use super::tasks::Tasks;
use super::winograd::Bands;
use crate::simd::{self, Kernel, multiply_add};
use crate::threads::{self, Shared};

/// A column matrix must save at least one vector in so many: it is as many times larger than the input as there are taps.
const LEAST_SAVING: usize = 5;

/// Images for each thread from which on a task is an image: with fewer the threads would wait for each other.
const IMAGES_PER_THREAD: usize = 2;

/// A weight where it lies: any strides, also negative ones, and an element for offset zero.
#[derive(Clone, Copy, Debug)]
pub(in crate::conv2d) struct WeightView<'a> {
    /// Storage.
    pub values: &'a [f32],
    /// Element of group 0, row 0, channel 0, kernel position (0, 0).
    pub offset: usize,
    /// From one group to the next.
    pub group: isize,
    /// From one output channel to the next.
    pub row: isize,
    /// From one input channel to the next.
    pub channel: isize,
    /// From one kernel row and column to the next.
    pub kernel: [isize; 2],
}

/// What a correlation reads.
#[derive(Clone, Copy, Debug)]
pub(in crate::conv2d) struct Operands<'a> {
    /// Images, `[batch, groups channels, height, width]`, dense.
    pub x: &'a [f32],
    /// Weights of `groups` groups of `rows` output and `channels` input channels.
    pub weight: WeightView<'a>,
    /// Factor on each input plane, `[batch, groups channels]`.
    pub input_scale: Option<&'a [f32]>,
    /// Factor on each output plane, `[batch, groups rows]`.
    pub output_scale: Option<&'a [f32]>,
    /// Added to each output channel after the factor, `[groups rows]`.
    pub bias: Option<&'a [f32]>,
    /// Images.
    pub batch: usize,
    /// Channel groups.
    pub groups: usize,
    /// Input channels of a group.
    pub channels: usize,
    /// Output channels of a group.
    pub rows: usize,
    /// Sizes of planes and kernel.
    pub extent: Extent,
}

/// Carries out `plan` and writes all of `out`, `[batch, groups rows, height, width]`.
pub(in crate::conv2d) fn correlate(
    plan: &Plan,
    operands: &Operands<'_>,
    out: &mut [MaybeUninit<f32>],
) {
    correlate_with(Microkernels::detect(), plan, operands, out);
}

fn correlate_with(
    kernels: Microkernels,
    plan: &Plan,
    operands: &Operands<'_>,
    out: &mut [MaybeUninit<f32>],
) {
    operands.check(out.len());
    if let Some(bands) = Bands::worthwhile(kernels, plan, operands) {
        bands.correlate(kernels, operands, out);
        return;
    }
    if let Some(images) = SideBySide::worthwhile(kernels, plan, operands) {
        images.correlate(kernels, operands, out);
        return;
    }
    let batch = operands.batch;
    let work = plan.passes.iter().map(|pass| {
        let vectors = (pass.grid[0] * pass.grid[1]).div_ceil(kernels.lanes);
        pass.taps.len() * vectors
    });
    let work = work.sum::<usize>() * batch * operands.groups * operands.channels * operands.rows;
    let threads = threads::threads_for(work);
    let gathers = |pass| is_gathered(kernels, &plan.packing, pass, operands);
    if batch >= threads * IMAGES_PER_THREAD && batch > 1 && !plan.passes.iter().any(gathers) {
        // An image that has just been packed is still in the thread's second-level cache when its tiles are computed.
        let out_image = out.len() / batch;
        let shared = Shared::new(out);
        threads::run(threads, batch, |image| {
            // SAFETY: each image belongs to one task and lies inside the output.
            let out = unsafe { shared.slice(image * out_image, out_image) };
            correlate_packed(kernels, plan, &operands.image(image), out);
        });
    } else {
        correlate_packed(kernels, plan, operands, out);
    }
}

/// Packs all images that `operands` has and runs the passes over them.
pub(super) fn correlate_packed(
    kernels: Microkernels,
    plan: &Plan,
    operands: &Operands<'_>,
    out: &mut [MaybeUninit<f32>],
) {
    let [height, width] = operands.extent.input;
    // Without packing there is no room behind the last position, so that a tile must fit before it.
    let in_place = operands.input_scale.is_none()
        && plan.packing.is_identity([height, width])
        && plan
            .passes
            .iter()
            .all(|pass| flat_positions(&plan.packing, pass) >= MAX_POSITIONS);
    if in_place {
        for pass in &plan.passes {
            run_pass(kernels, &plan.packing, pass, operands, operands.x, out);
        }
    } else {
        let planes = operands.batch * operands.groups * operands.channels;
        let mut packed = Scratch::new(planes * plan.packing.plane() + MAX_POSITIONS);
        pack(
            operands.x,
            [height, width],
            &plan.packing,
            operands.input_scale,
            &mut packed,
        );
        for pass in &plan.passes {
            run_pass(kernels, &plan.packing, pass, operands, &packed, out);
        }
    }
}

impl Operands<'_> {
    /// What the correlation of one image reads.
    pub(super) fn image(&self, image: usize) -> Self {
        fn part(values: &[f32], image: usize, batch: usize) -> &[f32] {
            let each = values.len() / batch;
            &values[image * each..][..each]
        }
        let part = |values| part(values, image, self.batch);
        Self {
            x: part(self.x),
            input_scale: self.input_scale.map(part),
            output_scale: self.output_scale.map(part),
            batch: 1,
            ..*self
        }
    }

    /// The kernels read and write through pointers, so every extent is compared with its storage here.
    fn check(&self, out: usize) {
        let planes_in = self.batch * self.groups * self.channels;
        let planes_out = self.batch * self.groups * self.rows;
        let area = |[height, width]: [usize; 2]| height * width;
        assert_eq!(
            self.x.len(),
            planes_in * area(self.extent.input),
            "input elements"
        );
        assert_eq!(
            out,
            planes_out * area(self.extent.output),
            "output elements"
        );
        assert!(
            self.input_scale.is_none_or(|s| s.len() == planes_in),
            "input factors"
        );
        assert!(
            self.output_scale.is_none_or(|s| s.len() == planes_out),
            "output factors"
        );
        assert!(
            self.bias.is_none_or(|b| b.len() == self.groups * self.rows),
            "biases"
        );
        let weight = &self.weight;
        let (mut least, mut most) = (weight.offset as isize, weight.offset as isize);
        for (stride, count) in [
            (weight.group, self.groups),
            (weight.row, self.rows),
            (weight.channel, self.channels),
            (weight.kernel[0], self.extent.kernel[0]),
            (weight.kernel[1], self.extent.kernel[1]),
        ] {
            let reach = stride * (count as isize - 1);
            least += reach.min(0);
            most += reach.max(0);
        }
        assert!(
            least >= 0 && (most as usize) < weight.values.len(),
            "weights at {least}..={most} of {}",
            weight.values.len()
        );
    }
}

/// Positions from the first to the last of a pass, gaps between rows included.
fn flat_positions(packing: &Packing, pass: &Pass) -> usize {
    (pass.grid[0] - 1) * packing.pitch + pass.grid[1]
}

/// Vectors of positions of all images that a pass has, gaps between rows included where it does not read a column matrix.
pub(super) fn vectors(
    kernels: Microkernels,
    packing: &Packing,
    pass: &Pass,
    operands: &Operands<'_>,
) -> usize {
    if is_gathered(kernels, packing, pass, operands) {
        (operands.batch * pass.grid[0] * pass.grid[1]).div_ceil(kernels.lanes)
    } else {
        operands.batch * flat_positions(packing, pass).div_ceil(kernels.lanes)
    }
}

/// Whether a pass reads a column matrix rather than the packed planes.
pub(super) fn is_gathered(
    kernels: Microkernels,
    packing: &Packing,
    pass: &Pass,
    operands: &Operands<'_>,
) -> bool {
    let flat_vectors = operands.batch * flat_positions(packing, pass).div_ceil(kernels.lanes);
    let dense = pass.grid[0] * pass.grid[1];
    let dense_vectors = (operands.batch * dense).div_ceil(kernels.lanes);
    let saved = flat_vectors - dense_vectors;
    !pass.taps.is_empty()
        && operands.rows * saved > GATHER_COST * dense_vectors
        && saved * LEAST_SAVING >= dense_vectors
}

fn run_pass(
    kernels: Microkernels,
    packing: &Packing,
    pass: &Pass,
    operands: &Operands<'_>,
    packed: &[f32],
    out: &mut [MaybeUninit<f32>],
) {
    let [grid_rows, grid_columns] = pass.grid;
    let [out_height, out_width] = operands.extent.output;
    let plane_out = out_height * out_width;
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
        out_image: operands.groups * operands.rows * plane_out,
        out_row: pass.step[0] * out_width,
        out_column: pass.step[1],
        out_first: pass.first[0] * out_width + pass.first[1],
    };
    if gathered {
        positions.count = operands.batch * dense;
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
    let planes = operands.groups * operands.channels;
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
        let x_channel = taps.len() * panel;
        Sweep {
            kernels,
            operands,
            x: &columns,
            x_instance: operands.channels * x_channel,
            x_channel,
            x_block: Some(planes * x_channel),
            positions,
            images: 1,
            taps: &dense_taps,
            out,
        }
        .run();
    } else {
        debug_assert!(packed.len() >= operands.batch * planes * packing.plane());
        Sweep {
            kernels,
            operands,
            positions,
            x: packed,
            x_instance: operands.channels * packing.plane(),
            x_channel: packing.plane(),
            x_block: None,
            images: operands.batch,
            taps: &taps,
            out,
        }
        .run();
    }
}

/// The column matrix of a pass in panels of one tile's positions, `[panel, channel, tap, position]`.
///
/// Worth its cost where images are so small that the gaps between their rows would fill most of a vector. In panels a tile reads
/// one piece of memory from front to back; rows of all positions would lie a page apart.
fn gather(
    source: &Positions,
    panel: usize,
    packed: &[f32],
    plane: usize,
    planes: usize,
    taps: &[TapOffset],
) -> Scratch {
    let panels = source.count.div_ceil(panel);
    let panel_elements = planes * taps.len() * panel;
    let mut columns = Scratch::new(panels * panel_elements);
    let threads = threads::threads_for(columns.len() / MAX_LANES * GATHER_COST);
    let shared = Shared::new(&mut columns);
    threads::run(threads, panels, |index| {
        // SAFETY: each panel belongs to one task and lies inside the matrix.
        let lines = unsafe { shared.slice(index * panel_elements, panel_elements) };
        let begin = index * panel;
        let end = (begin + panel).min(source.count);
        let mut buffer = [Segment::default(); MAX_POSITIONS];
        let segments = source.segments(begin..end, &mut buffer);
        for (line_index, line) in lines.chunks_exact_mut(panel).enumerate() {
            let (channel, tap) = (line_index / taps.len(), line_index % taps.len());
            let from = &packed[channel * plane + taps[tap].x..];
            for segment in segments {
                let to = &mut line[segment.position..][..segment.length];
                // A loop, because a call to copy a few elements costs more than they do.
                for (to, from) in to.iter_mut().zip(&from[segment.out..][..segment.length]) {
                    *to = *from;
                }
            }
            line[end - begin..].fill(0.0);
        }
    });
    columns
}

/// One pass over all images, groups, output channels and positions.
struct Sweep<'a> {
    kernels: Microkernels,
    operands: &'a Operands<'a>,
    positions: Positions,
    x: &'a [f32],
    /// Elements from one group of one image to the next.
    x_instance: usize,
    x_channel: usize,
    /// Elements from one block of positions to the next where each has its own panel; else positions follow each other.
    x_block: Option<usize>,
    /// Images swept one by one; 1 where all of them lie on one axis.
    images: usize,
    taps: &'a [TapOffset],
    out: Shared<MaybeUninit<f32>>,
}

impl Sweep<'_> {
    fn run(&self) {
        let Operands {
            groups,
            rows,
            channels,
            ..
        } = *self.operands;
        Tasks {
            instances: self.images * groups,
            rows,
            depth: channels * self.taps.len().max(1),
            positions: self.positions.count,
        }
        .run(self.kernels, |instance, block, row_blocks| {
            self.tiles(instance, block, row_blocks);
        });
    }

    /// The tiles of one block of positions and a range of row blocks.
    fn tiles(&self, instance: usize, block: usize, row_blocks: std::ops::Range<usize>) {
        let Operands {
            groups,
            rows,
            channels,
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
        let reach = (channels - 1) * self.x_channel
            + self.taps.iter().map(|tap| tap.x).max().unwrap_or(0)
            + x_start
            + width;
        assert!(self.taps.is_empty() || reach <= x.len(), "packed input");

        let mut sums = [0.0_f32; MAX_ROWS * MAX_POSITIONS];
        for row_block in row_blocks {
            let first = row_block * self.kernels.rows;
            let tile_rows = self.kernels.rows.min(rows - first);
            let input = TileInput {
                x: x[x_start..].as_ptr(),
                x_channel: self.x_channel,
                w: weight.values.as_ptr().wrapping_offset(
                    weight.offset as isize
                        + group as isize * weight.group
                        + first as isize * weight.row,
                ),
                w_row: weight.row,
                w_channel: weight.channel,
                channels,
                taps: self.taps,
            };
            // SAFETY: the positions were compared with their storage above, the weights in `Operands::check`; the tile has room for
            // the largest of any set, and the set was detected.
            unsafe { self.kernels.tile(tile_rows, vectors)(&input, sums.as_mut_ptr()) };
            simd::run(Store {
                sweep: self,
                segments,
                tile: &sums[begin - start..],
                width,
                image,
                first: group * rows + first,
                rows: tile_rows,
            });
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
    rows: usize,
}

impl Kernel for Store<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Operands {
            groups,
            rows,
            output_scale,
            bias,
            extent,
            ..
        } = *self.sweep.operands;
        let plane = extent.output[0] * extent.output[1];
        let step = self.sweep.positions.out_column;
        for row in 0..self.rows {
            let channel = self.first + row;
            let bias = bias.map_or(0.0, |bias| bias[channel]);
            let first_plane = self.image * groups * rows + channel;
            let sums = &self.tile[row * self.width..];
            for segment in self.segments {
                let scale = output_scale.map_or(1.0, |scale| {
                    scale[first_plane + segment.image * groups * rows]
                });
                let sums = &sums[segment.position..][..segment.length];
                // SAFETY: a task writes the outputs of its own positions and rows only; `segments` keeps to the output planes.
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

#[cfg(test)]
mod tests {
    use testkit::assert_close;

    use super::super::fixture::Case;
    use super::{Microkernels, correlate_with};
    use crate::Conv2d;

    /// One rounding more or less for each of a few hundred sums: fused and separate multiply-adds differ.
    const ROUNDING: f64 = 2e-6;

    fn case([batch, channels, rows, height, width]: [usize; 5], kernel: usize) -> Case {
        Case::convolution(
            [batch, 1, channels, rows, height, width],
            [kernel; 2],
            Conv2d {
                padding: [kernel / 2; 2],
                ..Conv2d::default()
            },
        )
    }

    fn assert_each_image_is_as_if_alone(batch: usize, sizes: &[(usize, usize, usize)]) {
        for (name, set) in Microkernels::available() {
            for &(channels, size, kernel) in sizes {
                let case = case([batch, channels, 9, size, size], kernel);
                let together = case.run(|plan, operands, out| {
                    correlate_with(set, plan, operands, out);
                });
                let alone: Vec<f32> = (0..batch)
                    .flat_map(|image| {
                        case.image(image).run(|plan, operands, out| {
                            correlate_with(set, plan, operands, out);
                        })
                    })
                    .collect();
                assert!(
                    together == alone,
                    "{name}: {channels} channels of {size}x{size}, kernel {kernel}"
                );
            }
        }
    }

    #[test]
    fn each_image_is_as_if_alone() {
        // None is worth a column matrix, in which images share tiles; the larger ones are worth several threads, and the largest is cut
        // into parts of an image.
        let sizes = [(3, 23, 5), (3, 23, 3), (24, 64, 5), (64, 64, 3)];
        assert_each_image_is_as_if_alone(4, &sizes);
    }

    #[test]
    fn each_small_image_is_as_if_alone() {
        // Alone a column matrix and rows; together the images share vectors, with every set.
        assert_each_image_is_as_if_alone(16, &[(40, 3, 3), (24, 7, 5), (24, 8, 3), (64, 4, 3)]);
    }

    #[test]
    fn every_instruction_set_computes_the_same() {
        let mut sets = Microkernels::available().into_iter();
        let (_, portable) = sets.next().expect("the portable set is always there");
        for (name, set) in sets {
            for rows in 1..=9 {
                for (height, width) in [(1, 1), (4, 4), (5, 9), (8, 8), (23, 17)] {
                    for kernel in [1, 3] {
                        let case = case([3, 5, rows, height, width], kernel);
                        let results = [set, portable].map(|set| {
                            case.run(|plan, operands, out| {
                                correlate_with(set, plan, operands, out);
                            })
                        });
                        let what =
                            format!("{name}: {rows} rows of {height}x{width}, kernel {kernel}");
                        assert_close(&what, &results[0], &results[1], ROUNDING);
                    }
                }
            }
        }
    }
}
