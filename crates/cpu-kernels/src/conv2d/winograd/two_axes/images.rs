use std::ops::Range;

use super::super::lanes::LANES;
use super::super::matrices::OUTPUTS;
use crate::conv2d::interleaved::scale_lanes;
use crate::conv2d::transpose::{Lines, interleave};
use crate::scratch::Scratch;
use crate::threads::{self, Shared};

/// Elements laid out in the time of a vector multiply-add, about.
const ELEMENTS_PER_MULTIPLY_ADD: usize = 2;

/// Planes from which squares are cut, `[N, G C, H, W]`.
#[derive(Clone, Copy)]
pub(super) struct Planes<'a> {
    pub values: &'a [f32],
    pub groups: usize,
    /// Channels of a group.
    pub channels: usize,
    pub size: [usize; 2],
    /// Zeros above and left of the image.
    pub before: [usize; 2],
    /// Factor on each plane, `[N, G C]`.
    pub scale: Option<&'a [f32]>,
    /// Positions of a side of a square: 6 inputs, which overlap those of the next square, or 4 outputs.
    pub side: usize,
}

/// The squares of some rows of some images: all rows where there is more than one image.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub images: Range<usize>,
    /// Rows of squares.
    pub rows: Range<usize>,
    /// Squares of a row.
    pub columns: usize,
}

impl Part {
    /// All squares of `n` images in about so many parts of about equal size: whole images, or rows of squares of one.
    pub fn all(n: usize, [rows, columns]: [usize; 2], parts: usize) -> Vec<Self> {
        let even = |count: usize, parts: usize, part: usize| {
            part * count / parts..(part + 1) * count / parts
        };
        if parts <= n {
            let part = |part| Self {
                images: even(n, parts, part),
                rows: 0..rows,
                columns,
            };
            return (0..parts).map(part).collect();
        }
        let parts = parts.div_ceil(n).min(rows);
        let part = |index: usize| Self {
            images: index / parts..index / parts + 1,
            rows: even(rows, parts, index % parts),
            columns,
        };
        (0..n * parts).map(part).collect()
    }

    /// Squares of all images.
    pub fn squares(&self) -> usize {
        self.images.len() * self.squares_of_image()
    }

    pub fn squares_of_image(&self) -> usize {
        self.rows.len() * self.columns
    }
}

/// What a part has of a group, channels side by side: `[block of channels, image, row, column, lane]`, with zeros for
/// padding and for the channels that fill the last block.
pub(super) struct SquareImages {
    pub values: Scratch,
    /// Rows of an image.
    pub rows: usize,
    /// Positions from one row to the next.
    pub pitch: usize,
    /// Images.
    pub n: usize,
}

impl SquareImages {
    pub fn new(planes: &Planes<'_>, group: usize, part: &Part) -> Self {
        let beyond = planes.side - OUTPUTS;
        let rows = part.rows.len() * OUTPUTS + beyond;
        let pitch = part.columns * OUTPUTS + beyond;
        let blocks = planes.channels.div_ceil(LANES);
        let n = part.images.len();
        let of_image = rows * pitch * LANES;
        let mut values = Scratch::new(blocks * n * of_image);
        let threads = threads::threads_for(values.len() / ELEMENTS_PER_MULTIPLY_ADD);
        let shared = Shared::new(&mut values);
        threads::run(threads, blocks * n, |index| {
            let (block, image) = (index / n, part.images.start + index % n);
            let first = block * LANES;
            Block {
                planes,
                first: (image * planes.groups + group) * planes.channels + first,
                count: LANES.min(planes.channels - first),
                // The first row, counted from the top of the padding.
                above: part.rows.start * OUTPUTS,
                pitch,
                // SAFETY: each block of an image belongs to one task and lies inside the buffer.
                to: unsafe { shared.slice(index * of_image, of_image) },
            }
            .fill();
        });
        Self {
            values,
            rows,
            pitch,
            n,
        }
    }

    /// The images of a block.
    pub fn block(&self, block: usize) -> &[f32] {
        let len = self.n * self.of_image();
        &self.values[block * len..][..len]
    }

    /// Elements of an image of a block.
    pub fn of_image(&self) -> usize {
        self.rows * self.pitch * LANES
    }
}

/// A block of channels of one image.
struct Block<'a> {
    planes: &'a Planes<'a>,
    /// The first channel's plane, counted through all images.
    first: usize,
    /// Channels.
    count: usize,
    above: usize,
    pitch: usize,
    to: &'a mut [f32],
}

impl Block<'_> {
    fn fill(self) {
        let Planes {
            values,
            size: [height, width],
            before: [top, left],
            ..
        } = *self.planes;
        let area = height * width;
        let lines = |first: usize| Lines {
            first: &values[self.first * area + first..],
            count: self.count,
            pitch: area,
        };
        let rows = self.to.len() / (self.pitch * LANES);
        // Which rows, and columns, are of the image.
        let inside = |row: usize| (row + self.above).checked_sub(top).filter(|y| *y < height);
        let columns = left.min(self.pitch)..(left + width).min(self.pitch);
        let kept = columns.len() * LANES;
        // Rows that fill no squares of vectors are laid out together, and copied.
        let together = (width < LANES).then(|| {
            let first = self.above.saturating_sub(top).min(height);
            let end = (self.above + rows).saturating_sub(top).clamp(first, height);
            let mut values = Scratch::new((end - first) * width * LANES);
            interleave(LANES, lines(first * width), &mut values);
            (first, values)
        });
        for (row, to) in self.to.chunks_exact_mut(self.pitch * LANES).enumerate() {
            let Some(y) = inside(row) else {
                to.fill(0.0);
                continue;
            };
            let (before, to) = to.split_at_mut(columns.start * LANES);
            let (to, behind) = to.split_at_mut(kept);
            before.fill(0.0);
            behind.fill(0.0);
            match &together {
                Some((first, values)) => {
                    to.copy_from_slice(&values[(y - first) * width * LANES..][..kept]);
                }
                None => interleave(LANES, lines(y * width), to),
            }
        }
        if let Some(scale) = self.planes.scale {
            scale_lanes(self.to, &scale[self.first..][..self.count]);
        }
    }
}
