//! A filter of rank one with four taps each way, at the rate of its pixels: the networks' filter around a strided
//! convolution.
//!
//! Vectors of columns go down the rows. A row is filtered along itself in registers, and enters the sums of the four
//! output rows that it is part of, so that a pixel is read four times and an output written once. What lies beside an
//! image is masked out and not read: neighbors in memory are pixels of other rows.

#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::mem::MaybeUninit;
use std::ops::Range;

use super::{Resampling, Taps};
use crate::simd::{InstructionSet, Width};

/// Taps each way.
const TAPS: usize = 4;

/// Narrower rows do not fill a vector of AVX2.
const LEAST_WIDTH: usize = 8;

/// Pixels that a vector of columns goes down at a time: the nearest cache keeps them for the vectors beside it.
const BAND: usize = 8 << 10;

/// Fewer rows would be filtered along themselves again too often: three before each band.
const LEAST_ROWS: usize = 16;

/// What is done with each plane.
#[derive(Clone, Copy)]
pub(super) struct Sliding {
    input: [usize; 2],
    output: [usize; 2],
    before: [isize; 2],
    column: [f32; TAPS],
    row: [f32; TAPS],
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
        let is_wide = match set.width() {
            #[cfg(target_arch = "x86_64")]
            Width::Avx512 | Width::Avx2 => output[1] >= LEAST_WIDTH,
            _ => false,
        };
        if !is_wide || up != [1; 2] || down != [1; 2] {
            return None;
        }
        Some(Self {
            input,
            output,
            before,
            column: column.try_into().ok()?,
            row: row.try_into().ok()?,
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
                && self.output[1] >= LEAST_WIDTH,
            "a plane and rows of the filter's sizes"
        );
        match self.set.width() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: who holds a set has a processor with its instructions; the sizes were checked.
            Width::Avx512 => unsafe { x86::band_avx512(self, plane, rows, out) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: who holds a set has a processor with its instructions; the sizes were checked.
            Width::Avx2 => unsafe { x86::band_avx2(self, plane, rows, out) },
            other => unreachable!("{other:?} has no such form"),
        }
    }
}
