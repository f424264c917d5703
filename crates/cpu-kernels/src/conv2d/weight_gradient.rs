use std::ops::Range;

use super::column_product::{self, is_narrow};
use super::geometry::Geometry;
use super::interleaved::Interleaved;
use super::microkernel::{MAX_LANES, MAX_OC, MAX_VECTORS, Microkernels, OuterInput};
use super::operands::product;
use super::plan::{Packing, Plan};
use super::winograd::SquareSums;
use crate::scratch::Scratch;
use crate::threads::{self, Shared};

/// Positions that the tiles of a task sum before they move on: of a vector of input channels they fill an eighth of a 1
/// MiB second-level cache.
const RESIDENT_PIXELS: usize = 2048;

/// Tasks that a gradient is cut into, so that a few threads share them evenly.
const TASKS: usize = 24;

/// Sums put into the order of the weight in the time of a vector multiply-add, about.
const SCATTERED_PER_MULTIPLY_ADD: usize = 2;

/// What a weight gradient is computed from.
#[derive(Clone, Copy, Debug)]
pub struct WeightGradient<'a> {
    /// Input of the cross-correlation, `[N, G IC, IH, IW]`.
    pub x: &'a [f32],
    /// Gradient of its output, `[N, G OC, OH, OW]`.
    pub gradient: &'a [f32],
    /// Images.
    pub n: usize,
    /// Channel groups.
    pub groups: usize,
    /// Input channels of a group.
    pub ic: usize,
    /// Output channels of a group.
    pub oc: usize,
    /// Sizes of planes and kernel.
    pub geometry: Geometry,
}

/// Gradient of a cross-correlation in its weight, `[G OC, IC, KH, KW]`.
///
/// 3x3 kernels of stride 1 take a quarter of the products, where there are enough of them (`winograd`). Else a tile
/// holds a few output channels times a few vectors, each of one tap and neighboring input channels, and sums over
/// positions. To that end the padded input is laid out with the channels of a vector side by side, so that a tap
/// is an offset here too, and the gradient with the output channels of a tile side by side. The order of the sums
/// depends on the sizes and the instruction set, not on the threads.
///
/// # Panics
/// When an operand does not have the sizes that it says, or one of them is zero.
pub fn weight_gradient(input: &WeightGradient<'_>) -> Vec<f32> {
    input.check();
    if is_narrow(input) {
        return column_product::weight_gradient(input);
    }
    let kernels = Microkernels::detect();
    match SquareSums::worthwhile(kernels, input) {
        Some(squares) => squares.run(kernels),
        None => with_all_products(kernels, input),
    }
}

impl WeightGradient<'_> {
    /// The kernels read through pointers, so every size is compared with its storage here.
    fn check(&self) {
        self.geometry.check();
        let [ih, iw] = self.geometry.input;
        let [oh, ow] = self.geometry.output;
        let planes_in = product([self.n, self.groups, self.ic]);
        let planes_out = product([self.n, self.groups, self.oc]);
        assert_eq!(self.x.len(), product([planes_in, ih, iw]), "input");
        assert_eq!(
            self.gradient.len(),
            product([planes_out, oh, ow]),
            "gradient"
        );
        assert!(
            planes_in > 0 && planes_out > 0,
            "at least one image, group and channel"
        );
    }
}

pub(super) fn with_all_products(kernels: Microkernels, input: &WeightGradient<'_>) -> Vec<f32> {
    let WeightGradient {
        n,
        groups,
        ic,
        oc,
        geometry,
        ..
    } = *input;
    let plan = Plan::convolution(geometry);
    let packing = &plan.packing;
    let area_out = geometry.output[0] * geometry.output[1];

    let images = Interleaved {
        lanes: kernels.lanes,
        channels: ic,
        groups,
        n,
        plane: packing.plane(),
    };
    let mut x = Scratch::new(images.elements());
    let padding = (!packing.is_identity(geometry.input)).then_some((packing, geometry.input));
    images.fill(input.x, padding, &mut x);
    let gradients = Interleaved {
        lanes: kernels.oc,
        channels: oc,
        groups,
        n,
        plane: area_out,
    };
    let mut gradient = Scratch::new(gradients.elements());
    gradients.fill(input.gradient, None, &mut gradient);

    let taps: Vec<usize> = plan.passes[0].taps.iter().map(|tap| tap.offset).collect();
    Sums::new(kernels, input, packing, &taps).run(&x, &gradient)
}

/// The sums of a weight gradient, tile by tile.
struct Sums<'a> {
    kernels: Microkernels,
    input: &'a WeightGradient<'a>,
    packing: &'a Packing,
    taps: &'a [usize],
    oc_blocks: usize,
    /// Tiles of a row block: vectors in order of channel block and tap, a few at a time.
    column_tiles: usize,
    /// Rows of positions of all images.
    rows: usize,
    /// Rows of positions that the tiles of a task sum before they move on.
    resident_rows: usize,
    /// Rows of positions of one task; each share has sums of its own, added up at the end.
    rows_of_share: usize,
    tiles_of_task: usize,
}

impl<'a> Sums<'a> {
    fn new(
        kernels: Microkernels,
        input: &'a WeightGradient<'a>,
        packing: &'a Packing,
        taps: &'a [usize],
    ) -> Self {
        let oc_blocks = input.oc.div_ceil(kernels.oc);
        let vectors = input.ic.div_ceil(kernels.lanes) * taps.len();
        let column_tiles = vectors.div_ceil(kernels.vectors);
        let tiles = input.groups * oc_blocks * column_tiles;
        let [oh, ow] = input.geometry.output;
        let rows = input.n * oh;
        let resident_rows = RESIDENT_PIXELS.div_ceil(ow).min(rows);
        // Few tiles are summed by many tasks in shares of the positions, many tiles by a task each few.
        let shares = TASKS.div_ceil(tiles).min(rows.div_ceil(resident_rows));
        let tiles_of_task = (tiles * shares / TASKS).clamp(1, tiles);
        Self {
            kernels,
            input,
            packing,
            taps,
            oc_blocks,
            column_tiles,
            rows,
            resident_rows,
            rows_of_share: rows.div_ceil(shares),
            tiles_of_task,
        }
    }

    fn tiles(&self) -> usize {
        self.input.groups * self.oc_blocks * self.column_tiles
    }

    /// Elements of the largest tile.
    fn tile_elements(&self) -> usize {
        self.kernels.oc * self.kernels.vectors * self.kernels.lanes
    }

    fn run(&self, x: &[f32], gradient: &[f32]) -> Vec<f32> {
        let WeightGradient {
            groups,
            ic,
            oc,
            geometry,
            ..
        } = *self.input;
        let (tiles, tile_elements) = (self.tiles(), self.tile_elements());
        let shares = self.rows.div_ceil(self.rows_of_share);
        let tile_tasks = tiles.div_ceil(self.tiles_of_task);
        let mut sums = Scratch::new(shares * tiles * tile_elements);
        let pixels = self.rows * geometry.output[1];
        let threads = threads::threads_for(tiles * pixels * self.kernels.oc * self.kernels.vectors);
        let shared = Shared::new(&mut sums);
        threads::run(threads, shares * tile_tasks, |task| {
            let (share, task) = (task / tile_tasks, task % tile_tasks);
            let first = task * self.tiles_of_task;
            let tiles_of_task = first..(first + self.tiles_of_task).min(tiles);
            // SAFETY: each tile of a share belongs to one task and lies inside the buffer.
            let sums = unsafe {
                shared.slice(
                    (share * tiles + first) * tile_elements,
                    tiles_of_task.len() * tile_elements,
                )
            };
            sums.fill(0.0);
            let end = ((share + 1) * self.rows_of_share).min(self.rows);
            let mut row = share * self.rows_of_share;
            while row < end {
                let rows = row..(row + self.resident_rows).min(end);
                for (tile, sums) in tiles_of_task
                    .clone()
                    .zip(sums.chunks_exact_mut(tile_elements))
                {
                    self.add(tile, rows.clone(), x, gradient, sums);
                }
                row = rows.end;
            }
        });

        let depth = ic * self.taps.len();
        let mut result = vec![0.0; groups * oc * depth];
        let threads = threads::threads_for(result.len() * shares / SCATTERED_PER_MULTIPLY_ADD);
        let shared = Shared::new(&mut result);
        threads::run(threads, groups * self.oc_blocks, |block| {
            let (group, oc_block) = (block / self.oc_blocks, block % self.oc_blocks);
            let first_oc = oc_block * self.kernels.oc;
            let block_oc = self.kernels.oc.min(oc - first_oc);
            // SAFETY: each block of rows belongs to one task and lies inside the result.
            let result = unsafe { shared.slice((group * oc + first_oc) * depth, block_oc * depth) };
            for (o, row) in result.chunks_exact_mut(depth).enumerate() {
                self.collect(&sums, block, o, row);
            }
        });
        result
    }

    /// Puts the sums of one output channel into the order of the weight, `[channel, tap]`.
    fn collect(&self, sums: &[f32], block: usize, o: usize, row: &mut [f32]) {
        let (taps, lanes) = (self.taps.len(), self.kernels.lanes);
        for column_tile in 0..self.column_tiles {
            let vectors = self.vectors(column_tile);
            let tile = (block * self.column_tiles + column_tile) * self.tile_elements();
            for (index, vector) in vectors.clone().enumerate() {
                let from = tile + (o * vectors.len() + index) * lanes;
                let slots = &mut row[vector / taps * lanes * taps + vector % taps..];
                for share in sums.chunks_exact(self.tiles() * self.tile_elements()) {
                    let slots = slots.iter_mut().step_by(taps).take(lanes);
                    for (slot, sum) in slots.zip(&share[from..]) {
                        *slot += sum;
                    }
                }
            }
        }
    }

    /// Vectors of a tile, counted through channel blocks and taps.
    fn vectors(&self, column_tile: usize) -> Range<usize> {
        let all = self.input.ic.div_ceil(self.kernels.lanes) * self.taps.len();
        let first = column_tile * self.kernels.vectors;
        first..(first + self.kernels.vectors).min(all)
    }

    /// Adds the products of some rows of positions to the sums of a tile.
    fn add(&self, tile: usize, rows: Range<usize>, x: &[f32], gradient: &[f32], sums: &mut [f32]) {
        let WeightGradient {
            n,
            ic,
            oc,
            geometry,
            ..
        } = *self.input;
        let [oh, ow] = geometry.output;
        let lanes = self.kernels.lanes;
        let (oc_block, column_tile) = (tile / self.column_tiles, tile % self.column_tiles);
        let (group, oc_block) = (oc_block / self.oc_blocks, oc_block % self.oc_blocks);
        let vectors = self.vectors(column_tile);
        let tile_oc = self.kernels.oc.min(oc - oc_block * self.kernels.oc);

        let plane = self.packing.plane() * lanes;
        let pitch = self.packing.pitch * lanes;
        let blocks = ic.div_ceil(lanes);
        let (image, row) = (rows.start / oh, rows.start % oh);
        let mut offsets = [0; MAX_VECTORS];
        for (offset, vector) in offsets.iter_mut().zip(vectors.clone()) {
            let (block, tap) = (vector / self.taps.len(), vector % self.taps.len());
            *offset = ((group * blocks + block) * n + image) * plane
                + row * pitch
                + self.taps[tap] * lanes;
        }
        // The last element that the tile reads: rows of the last image, or up to the end of the first one.
        let (last_image, last_row) = ((rows.end - 1) / oh, (rows.end - 1) % oh);
        let last = (last_image - image) * plane + last_row * pitch + ow * lanes;
        let reach = offsets[..vectors.len()].iter().max().unwrap_or(&0) + last - row * pitch;
        let block = (group * self.oc_blocks + oc_block) * n * oh * ow;
        let first = (block + rows.start * ow) * self.kernels.oc;
        let count = rows.len() * ow * self.kernels.oc;
        assert!(
            reach <= x.len() && first + count <= gradient.len(),
            "interleaved operands"
        );
        debug_assert!(sums.len() <= MAX_OC * MAX_VECTORS * MAX_LANES);
        let input = OuterInput {
            x: x.as_ptr(),
            offsets,
            x_position: lanes,
            pitch,
            // From behind the last row of an image to the first row of the next.
            image_skip: plane as isize - (oh * pitch) as isize,
            gradient: gradient[first..].as_ptr(),
            gradient_position: self.kernels.oc,
            ow,
            rows: rows.len(),
            first_row: row,
            oh,
            adds: true,
        };
        // SAFETY: both operands were compared with their storage above, the sums have room for the largest tile of the
        // set, and the set was detected.
        unsafe { self.kernels.outer(tile_oc, vectors.len())(&input, sums.as_mut_ptr()) };
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use testkit::{assert_close, seeded};

    use super::{Geometry, Microkernels, SquareSums, WeightGradient, with_all_products};
    use crate::conv2d::column_product;

    /// Rounding of sums of up to a few thousand products of order 1, in any order.
    const ROUNDING: f64 = 1e-5;

    /// The definition, in f64: the sum over images and positions of output gradient times shifted input.
    fn defined(input: &WeightGradient<'_>) -> Vec<f32> {
        let WeightGradient {
            n,
            groups,
            ic,
            oc,
            geometry,
            ..
        } = *input;
        let ([ih, iw], [oh, ow]) = (geometry.input, geometry.output);
        let mut result = Vec::new();
        for o in 0..groups * oc {
            for channel in 0..ic {
                for ky in 0..geometry.kernel[0] {
                    for kx in 0..geometry.kernel[1] {
                        let mut sum = 0.0;
                        for image in 0..n {
                            let from = (image * groups + o / oc) * ic + channel;
                            for y in 0..oh {
                                for x in 0..ow {
                                    let [Some(iy), Some(ix)] = [
                                        (y * geometry.stride[0] + ky)
                                            .checked_sub(geometry.padding[0]),
                                        (x * geometry.stride[1] + kx)
                                            .checked_sub(geometry.padding[1]),
                                    ] else {
                                        continue;
                                    };
                                    if iy < ih && ix < iw {
                                        let to = image * groups * oc + o;
                                        let gradient = input.gradient[(to * oh + y) * ow + x];
                                        let value = input.x[(from * ih + iy) * iw + ix];
                                        sum += f64::from(gradient) * f64::from(value);
                                    }
                                }
                            }
                        }
                        result.push(sum as f32);
                    }
                }
            }
        }
        result
    }

    /// Batch, groups, channels and rows of a group, height, width, kernel, stride, padding.
    const SHAPES: [[usize; 9]; 12] = [
        [1, 1, 1, 1, 1, 1, 1, 1, 0],
        [3, 1, 5, 9, 4, 4, 3, 1, 1],
        [2, 1, 17, 8, 5, 9, 3, 1, 1],
        [2, 1, 33, 11, 9, 9, 3, 2, 0],
        [2, 1, 6, 7, 8, 6, 1, 1, 0],
        // More positions than are summed in one go, within an image and across images.
        [1, 1, 3, 2, 70, 67, 3, 1, 1],
        [5, 1, 3, 2, 31, 29, 5, 2, 2],
        [2, 3, 5, 4, 6, 7, 3, 1, 1],
        [2, 4, 1, 2, 6, 7, 3, 2, 1],
        // Rows of at least the longest vector, and channels that fill one: laid out row by row.
        [2, 1, 18, 9, 6, 21, 3, 1, 1],
        [3, 1, 16, 4, 7, 16, 3, 1, 2],
        [1, 2, 32, 5, 3, 33, 5, 1, 1],
    ];

    #[test]
    fn every_path_computes_the_definition() {
        for shape in SHAPES {
            let [n, groups, ic, oc, ih, iw, kernel, stride, padding] = shape;
            let output = [ih, iw].map(|size| (size + 2 * padding - kernel) / stride + 1);
            let x = seeded("x", n * groups * ic * ih * iw, 1.0);
            let count = n * groups * oc * output[0] * output[1];
            let gradient = seeded("gradient", count, 1.0);
            let input = WeightGradient {
                x: &x,
                gradient: &gradient,
                n,
                groups,
                ic,
                oc,
                geometry: Geometry {
                    input: [ih, iw],
                    kernel: [kernel; 2],
                    output,
                    stride: [stride; 2],
                    padding: [padding; 2],
                },
            };
            let expected = defined(&input);
            for (name, set) in Microkernels::available() {
                let result = with_all_products(set, &input);
                assert_close(&format!("{name}: {shape:?}"), &result, &expected, ROUNDING);
            }
            if let Some(squares) = SquareSums::of(&input) {
                for (name, set) in Microkernels::available() {
                    let result = squares.run(set);
                    let what = format!("{name}, squares: {shape:?}");
                    assert_close(&what, &result, &expected, ROUNDING);
                }
            }
            let result = column_product::weight_gradient(&input);
            assert_close(&format!("columns: {shape:?}"), &result, &expected, ROUNDING);
        }
    }
}
