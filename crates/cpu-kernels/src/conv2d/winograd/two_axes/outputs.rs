use std::borrow::Borrow;
use std::ops::Range;

use super::super::lanes::{LANES, Lanes};
use super::super::matrices::{OUTPUTS, POINTS as SIDE, of_sums};
use super::images::Part;
use crate::conv2d::operands::Operands;
use crate::simd::{Kernel, multiply_add};
use crate::threads::Shared;

/// Stores `A^T s A` of the sums of some squares, times their factor and with their bias.
pub(super) struct Outputs<'a> {
    pub operands: &'a Operands<'a>,
    pub group: usize,
    pub part: &'a Part,
    pub squares: Range<usize>,
    /// `[point, square, OC]`
    pub sums: &'a [f32],
    /// Elements from one point to the next.
    pub of_point: usize,
    /// Output channels.
    pub width: usize,
    /// The first of them in its group.
    pub first: usize,
    /// The first output channel that `beside` has, in its group.
    pub first_beside: usize,
    /// `[block of OC, image, row, column, lane]`
    pub beside: Shared<f32>,
    /// Elements of an image of a block.
    pub of_image: usize,
}

impl Kernel for Outputs<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Operands { oc, geometry, .. } = *self.operands;
        let [oh, ow] = geometry.output;
        let of_image = self.part.squares_of_image();
        let n = self.part.images.len();
        // In memory, as the registers do not hold all of them.
        let mut halves = [[Lanes::splat(0.0); OUTPUTS]; SIDE];
        for at in (0..self.width).step_by(LANES) {
            let channel = self.first + at;
            let count = LANES.min(oc - channel);
            let mut image = usize::MAX;
            let mut factors = [0.0; LANES];
            let mut biases = [0.0; LANES];
            if let Some(bias) = self.operands.bias {
                biases[..count].copy_from_slice(&bias[self.group * oc + channel..][..count]);
            }
            for square in self.squares.clone() {
                let place = square % of_image;
                if square / of_image != image {
                    image = square / of_image;
                    factors = self.factors(self.part.images.start + image, channel, count);
                }
                let first = (square - self.squares.start) * self.width + at;
                for (x, half) in halves.iter_mut().enumerate() {
                    let mut line = [Lanes::splat(0.0); SIDE];
                    for (y, value) in line.iter_mut().enumerate() {
                        *value = Lanes::of(&self.sums[(y * SIDE + x) * self.of_point + first..]);
                    }
                    *half = of_sums::<FUSED>(line);
                }
                let (row, column) = (place / self.part.columns, place % self.part.columns);
                let block = (channel - self.first_beside) / LANES;
                let block = (block * n + image) * self.of_image;
                let (y, x) = (row * OUTPUTS, column * OUTPUTS);
                let rows = OUTPUTS.min(oh - self.part.rows.start * OUTPUTS - y);
                let columns = OUTPUTS.min(ow - x);
                for line in 0..rows {
                    let [a, b, c, d, e, f] = &halves;
                    let outputs =
                        of_sums::<FUSED>([a[line], b[line], c[line], d[line], e[line], f[line]]);
                    let first = block + ((y + line) * ow + x) * LANES;
                    // SAFETY: a task writes the outputs of its own squares and channels only, as far as they lie in the
                    // plane.
                    let to = unsafe { self.beside.slice(first, columns * LANES) };
                    for (to, output) in to.as_chunks_mut::<LANES>().0.iter_mut().zip(&outputs) {
                        let values = output.values();
                        let values: &[f32; LANES] = values.borrow();
                        for lane in 0..LANES {
                            to[lane] =
                                multiply_add::<FUSED>(values[lane], factors[lane], biases[lane]);
                        }
                    }
                }
            }
        }
    }
}

impl Outputs<'_> {
    /// The factors of some planes, zeros behind them.
    fn factors(&self, image: usize, channel: usize, count: usize) -> [f32; LANES] {
        let Operands { groups, oc, .. } = *self.operands;
        let mut factors = [0.0; LANES];
        match self.operands.output_scale {
            None => factors[..count].fill(1.0),
            Some(scale) => {
                let plane = (image * groups + self.group) * oc + channel;
                factors[..count].copy_from_slice(&scale[plane..][..count]);
            }
        }
        factors
    }
}
