use std::borrow::Borrow;
use std::mem::MaybeUninit;

use super::super::lanes::{LANES, Lanes};
use super::super::matrices::{OUTPUTS, of_sums};
use crate::conv2d::operands::Operands;
use crate::conv2d::positions::Segment;
use crate::simd::Kernel;
use crate::threads::Shared;

/// Stores `A^T` of the points' sums, times their factor and with their bias.
pub(super) struct Store<'a> {
    pub operands: &'a Operands<'a>,
    pub out: Shared<MaybeUninit<f32>>,
    pub segments: &'a [Segment],
    /// Tiles of all points, with room behind them for one vector.
    pub tiles: &'a [f32],
    /// Elements from one point's tile to the next.
    pub tile: usize,
    /// Elements of a row of a tile.
    pub width: usize,
    /// Output channel of the first row, counted through all groups.
    pub first: usize,
    pub oc: usize,
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
        for o in 0..self.oc {
            let channel = self.first + o;
            let bias = bias.map_or(0.0, |bias| bias[channel]);
            for segment in self.segments {
                let plane = segment.image * groups * oc + channel;
                let scale = output_scale.map_or(1.0, |scale| scale[plane]);
                let in_plane = segment.out - segment.image * groups * oc * oh * ow;
                let rows = OUTPUTS.min(oh - in_plane / ow);
                let first = channel * oh * ow + segment.out;
                let mut done = 0;
                while done < segment.length {
                    // The last vector moves back where there is room, and stores some sums twice.
                    let at = done.min(segment.length.saturating_sub(LANES));
                    let count = LANES.min(segment.length - at);
                    let sums = &self.tiles[o * self.width + segment.position + at..];
                    let outputs = transformed::<FUSED>(sums, self.tile, scale, bias);
                    for (line, values) in outputs[..rows].iter().enumerate() {
                        let values = values.values();
                        let values: &[f32; LANES] = values.borrow();
                        // SAFETY: a task writes the outputs of its own positions and rows only; `segments` keeps to the
                        // output planes, and `rows` to their rows.
                        let to = unsafe { self.out.slice(first + line * ow + at, count) };
                        // Of a known length the loop is one store.
                        if let Some(to) = to.first_chunk_mut::<LANES>() {
                            for (to, value) in to.iter_mut().zip(values) {
                                to.write(*value);
                            }
                        } else {
                            for (to, value) in to.iter_mut().zip(values) {
                                to.write(*value);
                            }
                        }
                    }
                    done = at + count;
                }
            }
        }
    }
}

/// `A^T` of a vector of each point's sums, times a factor, plus a bias.
#[inline(always)]
fn transformed<const FUSED: bool>(
    sums: &[f32],
    tile: usize,
    scale: f32,
    bias: f32,
) -> [Lanes; OUTPUTS] {
    let mut rows = of_sums::<FUSED>([
        Lanes::of(sums),
        Lanes::of(&sums[tile..]),
        Lanes::of(&sums[2 * tile..]),
        Lanes::of(&sums[3 * tile..]),
        Lanes::of(&sums[4 * tile..]),
        Lanes::of(&sums[5 * tile..]),
    ]);
    // A loop: closures are not compiled with the caller's instructions.
    for row in &mut rows {
        *row = row.multiply_add::<FUSED>(scale, Lanes::splat(bias));
    }
    rows
}
