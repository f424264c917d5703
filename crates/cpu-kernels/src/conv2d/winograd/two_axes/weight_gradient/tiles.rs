use std::borrow::Borrow;

use super::super::super::lanes::{LANES, Lanes};
use super::super::super::matrices::{POINTS as SIDE, TAPS, of_products};
use super::super::points::SquarePoints;
use super::{FILTER, POINTS};
use crate::conv2d::microkernel::{MAX_LANES, MAX_OC, MAX_VECTORS, Microkernels, OuterInput};
use crate::scratch::Scratch;
use crate::simd::{self, Kernel};
use crate::threads::{self, Shared};

/// Elements of the largest tile, and room for a vector behind it.
const TILE: usize = MAX_OC * MAX_VECTORS * MAX_LANES + LANES;

/// Adds what a part gives to the gradient of a group's weights.
pub(super) struct Tiles<'a> {
    pub kernels: Microkernels,
    pub ic: usize,
    pub oc: usize,
    /// Squares of the part.
    pub squares: usize,
    pub x: &'a SquarePoints,
    pub gradient: &'a SquarePoints,
    /// `[OC, IC, KH, KW]`
    pub to: Shared<f32>,
    pub to_len: usize,
}

impl Tiles<'_> {
    pub fn run(&self) {
        let Self {
            kernels, ic, oc, ..
        } = *self;
        assert_eq!(self.to_len, oc * ic * FILTER, "gradient of a group");
        let oc_blocks = oc.div_ceil(kernels.oc);
        let vectors = ic.div_ceil(kernels.lanes);
        let column_tiles = vectors.div_ceil(kernels.vectors);
        let threads = threads::threads_for(POINTS * self.squares * oc * vectors);
        threads::run(threads, oc_blocks * column_tiles, |tile| {
            // Output channels follow each other, so that the inputs of a tile stay in the second-level cache.
            let (column_tile, oc_block) = (tile / oc_blocks, tile % oc_blocks);
            let first_oc = oc_block * kernels.oc;
            let first = column_tile * kernels.vectors;
            let tile = Tile {
                first_oc,
                oc: kernels.oc.min(oc - first_oc),
                first_vector: first,
                vectors: kernels.vectors.min(vectors - first),
            };
            self.tile(&tile);
        });
    }

    fn tile(&self, tile: &Tile) {
        let width = tile.vectors * self.kernels.lanes;
        let of_point = tile.oc * width;
        let mut sums = Scratch::new(POINTS * of_point + LANES);
        for (point, sums) in sums.chunks_exact_mut(of_point).take(POINTS).enumerate() {
            self.products(tile, point, sums);
        }
        let first_channel = tile.first_vector * self.kernels.lanes;
        simd::run(Collect {
            sums: &sums,
            of_point,
            width,
            oc: tile.oc,
            channels: width.min(self.ic - first_channel),
            to: self.to,
            first: (tile.first_oc * self.ic + first_channel) * FILTER,
            to_oc: self.ic * FILTER,
        });
    }

    /// The sums of the products of all squares at one point.
    fn products(&self, tile: &Tile, point: usize, sums: &mut [f32]) {
        let Self {
            kernels, squares, ..
        } = *self;
        let place = |points: &SquarePoints, channel: usize| {
            let first = points.first(channel / LANES, point) + channel % LANES;
            // The last vector of a line may be the rest of a block.
            assert!(
                first + (squares - 1) * LANES + LANES - channel % LANES <= points.values.len(),
                "points of a block"
            );
            first
        };
        let mut offsets = [0; MAX_VECTORS];
        for (v, offset) in offsets.iter_mut().enumerate().take(tile.vectors) {
            *offset = place(self.x, (tile.first_vector + v) * kernels.lanes);
        }
        debug_assert!(LANES.is_multiple_of(kernels.lanes) && LANES.is_multiple_of(kernels.oc));
        let input = OuterInput {
            x: self.x.values.as_ptr(),
            offsets,
            x_position: LANES,
            pitch: 0,
            image_skip: 0,
            gradient: self.gradient.values[place(self.gradient, tile.first_oc)..].as_ptr(),
            gradient_position: LANES,
            ow: squares,
            rows: 1,
            first_row: 0,
            oh: 1,
            adds: false,
        };
        // SAFETY: the last square of each vector was compared with the storage above: a vector, and the output channels
        // of a tile, are whole parts of a block. The sums have room for the tile, and the set was detected.
        unsafe { kernels.outer(tile.oc, tile.vectors)(&input, sums.as_mut_ptr()) };
    }
}

/// A few output channels times a few vectors of input channels.
struct Tile {
    first_oc: usize,
    oc: usize,
    first_vector: usize,
    vectors: usize,
}

/// Adds `G^T s G` of the points' sums to the gradient.
struct Collect<'a> {
    /// `[point, OC, IC]`, with room for a vector behind them.
    sums: &'a [f32],
    of_point: usize,
    /// Elements of an output channel.
    width: usize,
    oc: usize,
    /// Input channels of the tile, the others are zeros.
    channels: usize,
    to: Shared<f32>,
    /// Where the tile's first filter lies.
    first: usize,
    /// Elements from one output channel to the next.
    to_oc: usize,
}

impl Kernel for Collect<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let mut taps = [[0.0_f32; TILE]; FILTER];
        let mut halves = [[Lanes::splat(0.0); TAPS]; SIDE];
        for at in (0..self.of_point).step_by(LANES) {
            for (x, half) in halves.iter_mut().enumerate() {
                let mut line = [Lanes::splat(0.0); SIDE];
                for (y, value) in line.iter_mut().enumerate() {
                    *value = Lanes::of(&self.sums[(y * SIDE + x) * self.of_point + at..]);
                }
                *half = of_products::<FUSED>(line);
            }
            for ky in 0..TAPS {
                let [a, b, c, d, e, f] = &halves;
                let line = of_products::<FUSED>([a[ky], b[ky], c[ky], d[ky], e[ky], f[ky]]);
                for (kx, tap) in line.iter().enumerate() {
                    taps[ky * TAPS + kx][at..][..LANES].copy_from_slice(tap.values().borrow());
                }
            }
        }
        for o in 0..self.oc {
            let first = self.first + o * self.to_oc;
            // SAFETY: the filters of a tile belong to one task, and lie inside the gradient of its group.
            let filters = unsafe { self.to.slice(first, self.channels * FILTER) };
            let (filters, _) = filters.as_chunks_mut::<FILTER>();
            for (channel, filter) in filters.iter_mut().enumerate() {
                for (weight, tap) in filter.iter_mut().zip(&taps) {
                    *weight += tap[o * self.width + channel];
                }
            }
        }
    }
}
