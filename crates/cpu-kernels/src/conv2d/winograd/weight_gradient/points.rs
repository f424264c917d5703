use std::borrow::Borrow;
use std::ops::Range;

use super::super::lanes::{LANES, Lanes};
use super::super::matrices::{OUTPUTS, POINTS as SIDE, of_gradients, of_inputs};
use super::POINTS;
use crate::conv2d::interleaved::Interleaved;
use crate::conv2d::plan::Packing;
use crate::conv2d::weight_gradient::WeightGradient;
use crate::scratch::Scratch;
use crate::simd::{self, Kernel};
use crate::threads::{self, Shared};

/// Elements between what one point has and the next, as in `two_axes`: at distances of whole pages the 36 lines that
/// are written at a time would share a few places of the first-level cache.
const GAP: usize = LANES;

/// Cost of a vector of one point, in vector multiply-adds.
const POINT_COST: usize = 2;

/// Images with channels side by side, of which squares are cut.
pub(super) struct Images {
    values: Scratch,
    layout: Interleaved,
    /// Rows and columns of squares in a plane.
    grid: [usize; 2],
    /// Positions from one row to the next.
    pitch: usize,
    /// Positions of a side of a square: 6 inputs, which overlap those of the next square, or 4 gradients of outputs.
    side: usize,
}

impl Images {
    /// Of the inputs, with their padding and zeros where squares go beyond it.
    pub fn of_inputs(input: &WeightGradient<'_>, grid: [usize; 2]) -> Self {
        let geometry = input.geometry;
        Self::new(
            input.x,
            [input.n, input.groups, input.ic],
            geometry.input,
            geometry.padding,
            grid,
            SIDE,
        )
    }

    /// Of the gradients of the outputs.
    pub fn of_gradients(input: &WeightGradient<'_>, grid: [usize; 2]) -> Self {
        Self::new(
            input.gradient,
            [input.n, input.groups, input.oc],
            input.geometry.output,
            [0, 0],
            grid,
            OUTPUTS,
        )
    }

    fn new(
        planes: &[f32],
        [n, groups, channels]: [usize; 3],
        size: [usize; 2],
        before: [usize; 2],
        grid: [usize; 2],
        side: usize,
    ) -> Self {
        let [rows, pitch] = grid.map(|squares| squares * OUTPUTS + side - OUTPUTS);
        let packing = Packing {
            stride: [1, 1],
            phases: [1, 1],
            before,
            rows,
            pitch,
            tail: 0,
        };
        let layout = Interleaved {
            lanes: LANES,
            channels,
            groups,
            n,
            plane: packing.plane(),
        };
        let mut values = Scratch::new(layout.elements());
        let padding = (!packing.is_identity(size)).then_some((&packing, size));
        layout.fill(planes, padding, &mut values);
        Self {
            values,
            layout,
            grid,
            pitch,
            side,
        }
    }

    /// Vectors that the channels of a group fill.
    pub fn blocks(&self) -> usize {
        self.layout.blocks()
    }

    /// The points of some squares of a group, counted through all images.
    pub fn points(&self, group: usize, squares: Range<usize>) -> Points {
        let blocks = self.blocks();
        let of_point = squares.len() * LANES + GAP;
        let of_block = POINTS * of_point;
        let mut values = Scratch::new(blocks * of_block);
        let threads = threads::threads_for(blocks * POINTS * squares.len() * POINT_COST);
        let shared = Shared::new(&mut values);
        threads::run(threads, blocks, |block| {
            let of_images = self.layout.n * self.layout.plane * LANES;
            let transform = Transform {
                images: &self.values[(group * blocks + block) * of_images..][..of_images],
                plane: self.layout.plane,
                grid: self.grid,
                pitch: self.pitch,
                squares: squares.clone(),
                // SAFETY: each block belongs to one task and lies inside the buffer.
                to: unsafe { shared.slice(block * of_block, of_block) },
                of_point,
            };
            if self.side == SIDE {
                simd::run(OfInputs(transform));
            } else {
                simd::run(OfGradients(transform));
            }
        });
        Points { values, of_point }
    }
}

/// Points of squares, `[block of channels, point, square, lane]`, and a gap behind each point.
pub(super) struct Points {
    pub values: Scratch,
    /// Elements from one point to the next.
    pub of_point: usize,
}

impl Points {
    /// The first element of a point in a block of channels.
    pub fn first(&self, block: usize, point: usize) -> usize {
        (block * POINTS + point) * self.of_point
    }
}

/// Makes the points of squares of one block of channels.
struct Transform<'a> {
    /// `[image, position, lane]`
    images: &'a [f32],
    /// Positions of an image.
    plane: usize,
    grid: [usize; 2],
    pitch: usize,
    squares: Range<usize>,
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
        let [rows, columns] = self.grid;
        // In memory, as the registers do not hold all of them.
        let mut halves = [[Lanes::splat(0.0); SIDE]; N];
        for (index, square) in self.squares.enumerate() {
            let (image, square) = (square / (rows * columns), square % (rows * columns));
            let (row, column) = (square / columns, square % columns);
            let position = image * self.plane + (row * self.pitch + column) * OUTPUTS;
            let from = &self.images[position * LANES..];
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
                    let first = (y * SIDE + x) * self.of_point + index * LANES;
                    self.to[first..][..LANES].copy_from_slice(point.values().borrow());
                }
            }
        }
    }
}
