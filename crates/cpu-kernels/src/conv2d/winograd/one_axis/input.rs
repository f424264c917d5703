use std::borrow::Borrow;
use std::ops::Range;

use super::super::lanes::{LANES, Lanes};
use super::super::matrices::{OUTPUTS, POINTS, of_inputs};
use super::transformed_images::{Layout, Panels};
use crate::conv2d::microkernel::{Microkernels, ROW_TAPS};
use crate::conv2d::operands::Operands;
use crate::conv2d::plan::Packing;
use crate::scratch::Scratch;
use crate::simd::{self, Kernel};
use crate::threads::{self, Shared, TASKS_PER_THREAD};

/// Cost of a vector of one point, in vector multiply-adds.
const POINT_COST: usize = 4;

/// Lines of panels are whole numbers of so many elements.
const LINE: usize = 8;

/// `B^T x` of `bands` of every plane, each plane times its factor. Rows follow each other as `packing` has them, and
/// images too; `count` of their positions are cut into blocks for the tiles of `kernels`.
pub(super) fn transformed(
    kernels: Microkernels,
    packing: &Packing,
    bands: Range<usize>,
    count: usize,
    operands: &Operands<'_>,
) -> Panels {
    let [ih, iw] = operands.geometry.input;
    let Operands { n, groups, ic, .. } = *operands;
    let area = ih * iw;
    let planes = n * groups * ic;
    let width = kernels.vectors * kernels.lanes;
    let line =
        (width.min(count.next_multiple_of(kernels.lanes)) + ROW_TAPS - 1).next_multiple_of(LINE);
    let layout = Layout {
        blocks: count.div_ceil(width),
        points: POINTS,
        ic,
        // Behind the positions lie those that the later taps read.
        line,
    };
    let point = bands.len() * packing.pitch + packing.tail;
    let image_positions = bands.len() * packing.pitch;
    let mut values = Scratch::new(groups * layout.of_group());
    let zeros = vec![0.0; iw];
    let shared = Shared::new(&mut values);
    let threads = threads::threads_for(planes * POINTS * point / LANES * POINT_COST);
    let tasks = planes.min(threads * TASKS_PER_THREAD);
    threads::run(threads, tasks, |task| {
        let mut rows = Scratch::new(POINTS * point);
        for index in task * planes / tasks..(task + 1) * planes / tasks {
            simd::run(Plane {
                packing,
                bands: bands.clone(),
                image: &operands.x[index * area..][..area],
                iw,
                zeros: &zeros,
                scale: operands.input_scale.map_or(1.0, |scales| scales[index]),
                to: &mut rows,
            });
            let (image, plane) = (index / (groups * ic), index % (groups * ic));
            let (group, channel) = (plane / ic, plane % ic);
            // The zeros behind an image are those before the next.
            let end = if image + 1 == n {
                point
            } else {
                image_positions
            };
            for (number, row) in rows.chunks_exact(point).enumerate() {
                simd::run(Lines {
                    row: &row[..end],
                    position: image * image_positions,
                    last: image + 1 == n,
                    width,
                    line,
                    blocks: layout.blocks,
                    block: layout.of_block(),
                    to: shared,
                    first: group * layout.of_group() + number * layout.of_point() + channel * line,
                });
            }
        }
    });
    Panels { values, layout }
}

/// Copies one point of a plane into the panels.
struct Lines<'a> {
    row: &'a [f32],
    /// Where the row belongs on the axis of all images.
    position: usize,
    /// Whether zeros follow in the last lines.
    last: bool,
    /// Positions of a block.
    width: usize,
    line: usize,
    blocks: usize,
    /// Elements from one block's line to the next.
    block: usize,
    to: Shared<f32>,
    /// Element of the first block's line.
    first: usize,
}

impl Kernel for Lines<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let end = self.position + self.row.len();
        let first = (self.position + 1)
            .saturating_sub(self.line)
            .div_ceil(self.width);
        for block in first..self.blocks.min(end.div_ceil(self.width)) {
            let start = block * self.width;
            // What the row has of the line.
            let before = self.position.saturating_sub(start);
            let filled = end.min(start + self.line) - (start + before);
            let from = &self.row[start + before - self.position..][..filled];
            let to = self.first + block * self.block + before;
            let count = if self.last {
                self.line - before
            } else {
                filled
            };
            // SAFETY: each element belongs to one plane, and each plane to one task; all of them lie inside the panels.
            let to = unsafe { self.to.slice(to, count) };
            if filled == self.line {
                let (to, _) = to.as_chunks_mut::<LINE>();
                let (from, _) = from.as_chunks::<LINE>();
                for (to, from) in to.iter_mut().zip(from) {
                    *to = *from;
                }
            } else {
                let (filled, rest) = to.split_at_mut(filled);
                filled.copy_from_slice(from);
                rest.fill(0.0);
            }
        }
    }
}

/// Transforms bands of one plane. Every element of `to` is written.
struct Plane<'a> {
    packing: &'a Packing,
    bands: Range<usize>,
    image: &'a [f32],
    iw: usize,
    /// A row outside the image.
    zeros: &'a [f32],
    scale: f32,
    to: &'a mut [f32],
}

impl Kernel for Plane<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Self {
            packing,
            image,
            iw,
            zeros,
            scale,
            to,
            ..
        } = self;
        let pitch = packing.pitch;
        let [above, left] = packing.before;
        // Behind its image a row ends where the next begins.
        let inside = iw.min(pitch - left);
        let ih = image.len() / iw;
        let point = to.len() / POINTS;
        // At once, because a call for the few elements at each edge costs more than they do.
        to.fill(0.0);
        for (index, band) in self.bands.enumerate() {
            let mut rows = [zeros; POINTS];
            for (row, line) in rows.iter_mut().enumerate() {
                let row_of_image = (band * OUTPUTS + row).checked_sub(above);
                if let Some(row) = row_of_image.filter(|row| *row < ih) {
                    *line = &image[row * iw..][..iw];
                }
            }
            let at = index * pitch + left;
            if inside < LANES {
                // Rows shorter than a vector go through copies with room behind them.
                let mut copies = [[0.0_f32; LANES]; POINTS];
                for (copy, row) in copies.iter_mut().zip(rows) {
                    copy[..inside].copy_from_slice(&row[..inside]);
                }
                let [a, b, c, d, e, f] = &copies;
                let sums = combined::<FUSED>([a, b, c, d, e, f], 0, scale);
                for (index, sums) in sums.iter().enumerate() {
                    let values = sums.values();
                    let values: &[f32; LANES] = values.borrow();
                    to[index * point + at..][..inside].copy_from_slice(&values[..inside]);
                }
                continue;
            }
            let mut done = 0;
            while done < inside {
                // The last vector moves back and computes some columns twice.
                let column = done.min(inside - LANES);
                let sums = combined::<FUSED>(rows, column, scale);
                for (index, sums) in sums.iter().enumerate() {
                    to[index * point + at + column..][..LANES]
                        .copy_from_slice(sums.values().borrow());
                }
                done = column + LANES;
            }
        }
    }
}

/// `B^T x` of a vector of each row, times a factor.
#[inline(always)]
fn combined<const FUSED: bool>(
    rows: [&[f32]; POINTS],
    column: usize,
    scale: f32,
) -> [Lanes; POINTS] {
    let [a, b, c, d, e, f] = rows;
    of_inputs::<FUSED>([
        Lanes::of(&a[column..]) * scale,
        Lanes::of(&b[column..]) * scale,
        Lanes::of(&c[column..]) * scale,
        Lanes::of(&d[column..]) * scale,
        Lanes::of(&e[column..]) * scale,
        Lanes::of(&f[column..]) * scale,
    ])
}
