use std::borrow::Borrow;

use super::super::lanes::{LANES, Lanes};
use super::super::matrices::{OUTPUTS, POINTS as SIDE, of_gradients, of_inputs};
use super::images::{Part, Planes, SquareImages};
use super::{GAP, POINTS};
use crate::scratch::Scratch;
use crate::simd::{self, Kernel};
use crate::threads::{self, Shared};

/// Cost of a vector of one point, in vector multiply-adds.
const POINT_COST: usize = 4;

/// Points of a part's squares, of one group: `[block of channels, point, square, lane]`, and a gap behind each point.
pub(super) struct SquarePoints {
    pub values: Scratch,
    /// Elements from one point to the next.
    pub of_point: usize,
}

impl SquarePoints {
    /// `B^T x B` of squares of inputs, `A g A^T` of squares of gradients of outputs.
    pub fn new(planes: &Planes<'_>, group: usize, part: &Part) -> Self {
        let images = SquareImages::new(planes, group, part);
        let blocks = planes.channels.div_ceil(LANES);
        let of_point = part.squares() * LANES + GAP;
        let of_block = POINTS * of_point;
        let mut values = Scratch::new(blocks * of_block);
        let threads = threads::threads_for(blocks * POINTS * part.squares() * POINT_COST);
        let shared = Shared::new(&mut values);
        threads::run(threads, blocks, |block| {
            let transform = Transform {
                images: images.block(block),
                of_image: images.of_image(),
                pitch: images.pitch,
                part,
                // SAFETY: each block belongs to one task and lies inside the buffer.
                to: unsafe { shared.slice(block * of_block, of_block) },
                of_point,
            };
            if planes.side == SIDE {
                simd::run(OfInputs(transform));
            } else {
                simd::run(OfGradients(transform));
            }
        });
        Self { values, of_point }
    }

    /// The first element of a point in a block of channels.
    pub fn first(&self, block: usize, point: usize) -> usize {
        (block * POINTS + point) * self.of_point
    }
}

/// Makes the points of the squares of one block of channels.
struct Transform<'a> {
    /// `[image, row, column, lane]`
    images: &'a [f32],
    /// Elements of an image.
    of_image: usize,
    /// Positions of a row.
    pitch: usize,
    part: &'a Part,
    to: &'a mut [f32],
    of_point: usize,
}

/// A matrix that makes points of `N` elements of a square's side. No closure, as those are compiled on their own, without
/// the instruction set of whoever calls them.
trait Matrix<const N: usize> {
    fn apply<const FUSED: bool>(elements: [Lanes; N]) -> [Lanes; SIDE];
}

struct OfInputs<'a>(Transform<'a>);

impl Matrix<SIDE> for OfInputs<'_> {
    #[inline(always)]
    fn apply<const FUSED: bool>(elements: [Lanes; SIDE]) -> [Lanes; SIDE] {
        of_inputs::<FUSED>(elements)
    }
}

impl Kernel for OfInputs<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        self.0.run::<Self, SIDE, FUSED>();
    }
}

struct OfGradients<'a>(Transform<'a>);

impl Matrix<OUTPUTS> for OfGradients<'_> {
    #[inline(always)]
    fn apply<const FUSED: bool>(elements: [Lanes; OUTPUTS]) -> [Lanes; SIDE] {
        of_gradients::<FUSED>(elements)
    }
}

impl Kernel for OfGradients<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        self.0.run::<Self, OUTPUTS, FUSED>();
    }
}

impl Transform<'_> {
    /// Applies a matrix along both axes of all squares, which have `N` rows and columns.
    #[inline(always)]
    fn run<M: Matrix<N>, const N: usize, const FUSED: bool>(self) {
        let of_image = self.part.squares_of_image();
        // In memory, as the registers do not hold all of them.
        let mut halves = [[Lanes::splat(0.0); SIDE]; N];
        for square in 0..self.part.squares() {
            let (image, place) = (square / of_image, square % of_image);
            let (row, column) = (place / self.part.columns, place % self.part.columns);
            let position = (row * self.pitch + column) * OUTPUTS;
            let from = &self.images[image * self.of_image + position * LANES..];
            for (x, half) in halves.iter_mut().enumerate() {
                let mut line = [Lanes::splat(0.0); N];
                for (y, value) in line.iter_mut().enumerate() {
                    *value = Lanes::of(&from[(y * self.pitch + x) * LANES..]);
                }
                *half = M::apply::<FUSED>(line);
            }
            for y in 0..SIDE {
                let mut line = [Lanes::splat(0.0); N];
                for (value, half) in line.iter_mut().zip(&halves) {
                    *value = half[y];
                }
                for (x, point) in M::apply::<FUSED>(line).iter().enumerate() {
                    let first = (y * SIDE + x) * self.of_point + square * LANES;
                    self.to[first..][..LANES].copy_from_slice(point.values().borrow());
                }
            }
        }
    }
}
