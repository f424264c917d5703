//! Filters of rank one with four taps each way, the networks' own: at the rate of their pixels, as around a strided
//! convolution, at half of it, and at the double rate.
//!
//! Vectors of columns go down the rows. A row is filtered along itself in registers, and enters the sums of the output
//! rows that it is part of, so that a pixel is read four times at most and an output written once. What lies beside an
//! image is masked out and not read: neighbors in memory are pixels of other rows.

mod band;
mod columns;
mod double_rate;
mod half_rate;
mod same_rate;
#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;
use std::ops::Range;

use super::{Resampling, Taps};
use crate::simd::{InstructionSet, Width};
use band::Band;

/// Taps each way.
const TAPS: usize = 4;

/// Pixels that a vector of columns goes down at a time: the nearest cache keeps them for the vectors beside it.
const BAND: usize = 8 << 10;

/// Fewer rows would be filtered along themselves again too often: three before each band.
const LEAST_ROWS: usize = 16;

/// Outputs for each pixel in either direction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rate {
    Same,
    Half,
    Double,
}

impl Rate {
    fn of(up: [usize; 2], down: [usize; 2]) -> Option<Self> {
        match (up, down) {
            ([1, 1], [1, 1]) => Some(Self::Same),
            ([1, 1], [2, 2]) => Some(Self::Half),
            ([2, 2], [1, 1]) => Some(Self::Double),
            _ => None,
        }
    }

    /// Whether rows of outputs fill vectors of AVX2: one, or a pair of outputs for each of its lanes.
    fn fits(self, width: usize) -> bool {
        match self {
            Self::Same | Self::Half => width >= 8,
            Self::Double => width >= 16 && width.is_multiple_of(2),
        }
    }
}

/// What is done with each plane.
#[derive(Clone, Copy)]
pub(super) struct Sliding {
    input: [usize; 2],
    output: [usize; 2],
    before: [isize; 2],
    column: [f32; TAPS],
    row: [f32; TAPS],
    rate: Rate,
    set: InstructionSet,
}

impl Sliding {
    /// This form of a resampling, where it has one with these instructions.
    pub(super) fn of(resampling: &Resampling<'_>, set: InstructionSet) -> Option<Self> {
        let Resampling {
            input,
            output,
            up,
            down,
            before,
            taps: Taps::Separable { column, row },
        } = *resampling
        else {
            return None;
        };
        if set.width() == Width::Portable {
            return None;
        }
        let rate = Rate::of(up, down).filter(|rate| rate.fits(output[1]))?;
        Some(Self {
            input,
            output,
            before,
            column: column.try_into().ok()?,
            row: row.try_into().ok()?,
            rate,
            set,
        })
    }

    /// Writes a run of output rows, counted through all planes, to all of `slots`.
    pub(super) fn write(&self, pixels: &[f32], first_row: usize, slots: &mut [MaybeUninit<f32>]) {
        let [height, width] = self.output;
        let size = self.input[0] * self.input[1];
        let most = (BAND / width).max(LEAST_ROWS);
        let mut row = first_row;
        let mut left = slots;
        while !left.is_empty() {
            let (plane, first) = (row / height, row % height);
            let last = (first + most).min(height).min(first + left.len() / width);
            let (out, others) = left.split_at_mut((last - first) * width);
            self.band(&pixels[plane * size..][..size], first..last, out);
            left = others;
            row += last - first;
        }
    }

    /// Writes some output rows of a plane.
    fn band(&self, plane: &[f32], rows: Range<usize>, out: &mut [MaybeUninit<f32>]) {
        assert!(
            plane.len() == self.input[0] * self.input[1]
                && out.len() == rows.len() * self.output[1]
                && self.rate.fits(self.output[1]),
            "a plane and rows of the filter's sizes"
        );
        let band = Band {
            filter: self,
            plane,
            rows,
            out,
        };
        // SAFETY: who holds a set has a processor with its instructions; the sizes were checked.
        unsafe {
            match self.set.width() {
                Width::Avx512 => band::write_avx512(band),
                Width::Avx2 => band::write_avx2(band),
                Width::Portable => unreachable!("it has no such form"),
            }
        }
    }
}
