use std::mem::MaybeUninit;
use std::ops::Range;

use super::super::lanes::LANES;
use super::super::matrices::{OUTPUTS, POINTS};
use super::Squares;
use super::part::Part;
use crate::conv2d::transpose::{Lines, separate};
use crate::scratch::Scratch;
use crate::simd::{self, Kernel};
use crate::threads::Shared;

/// A plane taken apart, so that what squares have at one place of their 6x6 inputs lies side by side, square after
/// square.
///
/// Rows 4 and 5 of a square are rows 0 and 1 of the square below, which lies a row of squares further on.
pub(super) struct Phases {
    /// `[row in a square modulo 4, column in a square, square]`, with one row of squares more than there are.
    values: Scratch,
    /// Elements from one column to the next.
    line: usize,
    /// Squares of a row.
    columns: usize,
    /// Rows of the plane between zeros, as wide as the outputs of their squares: `[row in a square modulo 4, row of
    /// squares, column]`.
    padded: Vec<f32>,
    /// The columns behind those, which the last square of a row reads, in the same order.
    last: Vec<f32>,
}

/// Rows and columns of a square's inputs behind its outputs.
const BEHIND: usize = POINTS - OUTPUTS;

impl Phases {
    pub fn new(part: &Part) -> Self {
        let rows = part.rows.len() + 1;
        // The last vector reads behind the last square.
        let line = rows * part.columns + 2 * LANES;
        let mut values = Scratch::new(OUTPUTS * POINTS * line);
        // Vectors read places that no plane fills. What was there might be no numbers, with which some processors are
        // slow.
        values.fill(0.0);
        Self {
            values,
            line,
            columns: part.columns,
            padded: vec![0.0; OUTPUTS * OUTPUTS * rows * part.columns],
            last: vec![0.0; OUTPUTS * rows * BEHIND],
        }
    }

    /// What squares have at a row and column of their inputs, from a square on.
    #[inline(always)]
    pub fn of(&self, row: usize, column: usize, square: usize) -> &[f32] {
        let first = (row % OUTPUTS * POINTS + column) * self.line;
        &self.values[first + row / OUTPUTS * self.columns + square..]
    }

    /// Takes apart the rows of a plane that the squares of `part` read, times a factor.
    pub fn fill(
        &mut self,
        squares: &Squares,
        part: &Part,
        plane: &[f32],
        width: usize,
        scale: f32,
    ) {
        simd::run(Fill {
            rows: part.rows.clone(),
            before: squares.before,
            plane,
            width,
            scale,
            to: self,
        });
    }
}

/// Takes a plane apart.
struct Fill<'a> {
    rows: Range<usize>,
    before: [usize; 2],
    plane: &'a [f32],
    /// Columns of the plane.
    width: usize,
    scale: f32,
    to: &'a mut Phases,
}

impl Kernel for Fill<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(mut self) {
        self.pad();
        let Phases {
            values,
            line,
            columns,
            padded,
            last,
        } = self.to;
        let (line, columns) = (*line, *columns);
        let rows = self.rows.len() + 1;
        let padded = padded.chunks_exact(OUTPUTS * rows * columns);
        let last = last.chunks_exact(BEHIND * rows);
        let phases = values.chunks_exact_mut(POINTS * line);
        for ((phase, padded), last) in phases.zip(padded).zip(last) {
            let (first, behind) = phase.split_at_mut(OUTPUTS * line);
            // SAFETY: each column has room for the squares of all rows, this is the only task that has them, and
            // `separate` writes numbers alone.
            unsafe {
                separate(
                    OUTPUTS,
                    padded,
                    Lines {
                        first: Shared::new(uninitialized(first)),
                        count: OUTPUTS,
                        pitch: line,
                    },
                );
            }
            // Column 4 of a square is column 0 of the next one in its row.
            for (column, to) in behind.chunks_exact_mut(line).enumerate() {
                let from = &first[column * line + 1..];
                for (to, from) in to.iter_mut().zip(from).take(rows * columns) {
                    *to = *from;
                }
                let ends = to[columns - 1..].iter_mut().step_by(columns);
                for (end, last) in ends.zip(last[column..].iter().step_by(BEHIND)) {
                    *end = *last;
                }
            }
        }
    }
}

impl Fill<'_> {
    /// Copies the rows of the plane, times their factor, between their zeros.
    #[inline(always)]
    fn pad(&mut self) {
        let [above, left] = self.before;
        let height = self.plane.len() / self.width;
        let columns = self.to.columns * OUTPUTS;
        let rows = self.rows.len() + 1;
        let inside = self.width.min(columns - left);
        let behind = (self.width - inside).min(BEHIND);
        for row in 0..self.rows.len() * OUTPUTS + BEHIND {
            let (phase, index) = (row % OUTPUTS, row / OUTPUTS);
            let first = (phase * rows + index) * columns;
            let to = &mut self.to.padded[first..][..columns];
            let last = (phase * rows + index) * BEHIND;
            let last = &mut self.to.last[last..][..BEHIND];
            let of_plane = (self.rows.start * OUTPUTS + row).checked_sub(above);
            if let Some(row) = of_plane.filter(|row| *row < height) {
                let from = &self.plane[row * self.width..][..self.width];
                for (to, from) in to[left..][..inside].iter_mut().zip(from) {
                    *to = from * self.scale;
                }
                for (to, from) in last.iter_mut().zip(&from[inside..][..behind]) {
                    *to = from * self.scale;
                }
            } else {
                to.fill(0.0);
                last.fill(0.0);
            }
        }
    }
}

/// # Safety
/// Nothing but numbers is written.
unsafe fn uninitialized(values: &mut [f32]) -> &mut [MaybeUninit<f32>] {
    // SAFETY: the layout is the same, and the caller promises the rest.
    unsafe { &mut *(std::ptr::from_mut(values) as *mut [MaybeUninit<f32>]) }
}
