use std::borrow::Borrow;
use std::mem::MaybeUninit;

use super::super::lanes::{LANES, Lanes};
use super::super::matrices::{OUTPUTS, POINTS as SIDE, of_sums};
use super::part::Run;
use crate::conv2d::operands::Operands;
use crate::conv2d::positions::MAX_POSITIONS;
use crate::conv2d::transpose::{Lines, interleave};
use crate::simd::{Kernel, multiply_add};
use crate::threads::Shared;

/// Stores `A^T s A` of the points' sums, times their factor and with their bias.
pub(super) struct Store<'a> {
    pub operands: &'a Operands<'a>,
    pub out: Shared<MaybeUninit<f32>>,
    pub runs: &'a [Run],
    /// Tiles of all points, with room behind them for one vector.
    pub tiles: &'a [f32],
    /// Elements from one point's tile to the next.
    pub tile: usize,
    /// Elements of a row of a tile.
    pub width: usize,
    /// Output channel of the first row, counted through all groups.
    pub first: usize,
    /// Rows that are output channels.
    pub oc: usize,
    pub buffers: &'a mut Buffers,
}

/// Squares of the largest block, and room for a vector behind them.
const SQUARES: usize = MAX_POSITIONS + LANES;

/// Outputs of the squares of a block on their way.
pub(super) struct Buffers {
    /// `[row, column, square]`
    apart: [[[f32; SQUARES]; OUTPUTS]; OUTPUTS],
    /// `[row, square, column]`
    rows: [[f32; OUTPUTS * MAX_POSITIONS]; OUTPUTS],
}

impl Buffers {
    pub fn new() -> Self {
        Self {
            apart: [[[0.0; SQUARES]; OUTPUTS]; OUTPUTS],
            rows: [[0.0; OUTPUTS * MAX_POSITIONS]; OUTPUTS],
        }
    }
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
        } = *self.operands;
        let [oh, ow] = geometry.output;
        let Buffers { apart, rows } = self.buffers;
        // In memory: of 24 vectors in its hands the compiler makes shorter ones.
        let mut columns = [[Lanes::splat(0.0); OUTPUTS]; SIDE];
        for o in 0..self.oc {
            let channel = self.first + o;
            let bias = bias.map_or(0.0, |bias| bias[channel]);
            for at in (0..self.width).step_by(LANES) {
                let sums = &self.tiles[o * self.width + at..];
                for (x, to) in columns.iter_mut().enumerate() {
                    *to = column::<FUSED>(sums, self.tile, x);
                }
                let [a, b, c, d, e, f] = &columns;
                for (y, to) in apart.iter_mut().enumerate() {
                    let outputs = of_sums::<FUSED>([a[y], b[y], c[y], d[y], e[y], f[y]]);
                    for (to, output) in to.iter_mut().zip(&outputs) {
                        to[at..][..LANES].copy_from_slice(output.values().borrow());
                    }
                }
            }
            for (row, apart) in rows.iter_mut().zip(&*apart) {
                let from = Lines {
                    first: apart.as_flattened(),
                    count: OUTPUTS,
                    pitch: SQUARES,
                };
                interleave(OUTPUTS, from, &mut row[..self.width * OUTPUTS]);
            }
            for run in self.runs {
                let plane = run.image * groups * oc + channel;
                let scale = output_scale.map_or(1.0, |scale| scale[plane]);
                let (y, x) = (run.row * OUTPUTS, run.column * OUTPUTS);
                let length = (run.length * OUTPUTS).min(ow - x);
                for (line, row) in rows.iter().enumerate().take(oh - y) {
                    // SAFETY: a task writes the outputs of its own squares and channels only, as far as they lie in the
                    // plane.
                    let to = unsafe { self.out.slice((plane * oh + y + line) * ow + x, length) };
                    let from = &row[run.position * OUTPUTS..][..length];
                    for (to, from) in to.iter_mut().zip(from) {
                        to.write(multiply_add::<FUSED>(*from, scale, bias));
                    }
                }
            }
        }
    }
}

/// `A^T` of a column of points.
#[inline(always)]
fn column<const FUSED: bool>(sums: &[f32], tile: usize, x: usize) -> [Lanes; OUTPUTS] {
    let sums = &sums[x * tile..];
    let row = SIDE * tile;
    of_sums::<FUSED>([
        Lanes::of(sums),
        Lanes::of(&sums[row..]),
        Lanes::of(&sums[2 * row..]),
        Lanes::of(&sums[3 * row..]),
        Lanes::of(&sums[4 * row..]),
        Lanes::of(&sums[5 * row..]),
    ])
}
