//! Functions of every value, in one pass: in place where the memory is free, else into memory of their own.

use std::mem::MaybeUninit;

use crate::initialized::written_by;
use crate::simd::{self, Kernel};
use crate::threads::{self, Shared, TASKS_PER_THREAD};

/// What a function of one value costs, beside its memory traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// A few operations that vector instructions have.
    Arithmetic,
    /// An exponential or more.
    Exponential,
}

impl Cost {
    /// Below this many values the calling thread is done before others would have woken up.
    fn parallel_values(self) -> usize {
        match self {
            Self::Arithmetic => 1 << 17,
            // These cost some ten times as much a value.
            Self::Exponential => 1 << 13,
        }
    }
}

/// The values of a pass.
#[derive(Debug)]
pub enum Values<'a> {
    /// Read, and overwritten by the results.
    InPlace(&'a mut [f32]),
    /// Only read.
    Shared(&'a [f32]),
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Self::InPlace(values) => values.len(),
            Self::Shared(values) => values.len(),
        }
    }
}

/// A value for each channel of a tensor `[batch, channels, pixels]`.
#[derive(Clone, Copy, Debug)]
pub struct Bias<'a> {
    /// One a channel.
    pub values: &'a [f32],
    /// Pixels of a plane.
    pub pixels: usize,
}

/// `f(x + bias)` for every value of `x`. The results are returned where they were not written in place.
///
/// # Panics
/// When `x` has no whole number of images of `bias`.
pub fn map(
    x: Values<'_>,
    bias: Option<Bias<'_>>,
    cost: Cost,
    f: impl Fn(f32) -> f32 + Copy + Sync,
) -> Option<Vec<f32>> {
    let values = cost.parallel_values();
    let Some(Bias {
        values: bias,
        pixels,
    }) = bias
    else {
        return with_memory(x, |memory| {
            in_pieces(memory, 1, values, |memory, _| {
                simd::run(Map { memory, f });
            });
        });
    };
    let image = bias.len() * pixels;
    assert!(
        image > 0 && x.len().is_multiple_of(image),
        "images of {} channels and {pixels} pixels, found {} values",
        bias.len(),
        x.len()
    );
    with_memory(x, |memory| {
        if pixels == 1 {
            in_pieces(memory, bias.len(), values, |memory, _| {
                simd::run(MapRows { memory, bias, f });
            });
        } else {
            in_pieces(memory, pixels, values, |memory, start| {
                simd::run(MapPlanes {
                    memory,
                    bias,
                    first: start / pixels,
                    pixels,
                    f,
                });
            });
        }
    })
}

/// `f(x, other)` for every value of `x` and its partner in `others`. The results are returned where they were not
/// written in place.
///
/// # Panics
/// When there are not as many of both.
pub fn zip(
    x: Values<'_>,
    others: &[f32],
    cost: Cost,
    f: impl Fn(f32, f32) -> f32 + Copy + Sync,
) -> Option<Vec<f32>> {
    assert_eq!(x.len(), others.len(), "as many values as partners");
    with_memory(x, |memory| {
        in_pieces(memory, 1, cost.parallel_values(), |memory, start| {
            let others = &others[start..][..memory.len()];
            simd::run(Zip { memory, others, f });
        });
    })
}

/// Where a map reads and writes.
enum Memory<'a> {
    InPlace(&'a mut [f32]),
    Apart(&'a [f32], &'a mut [MaybeUninit<f32>]),
}

impl<'a> Memory<'a> {
    fn len(&self) -> usize {
        match self {
            Self::InPlace(values) => values.len(),
            Self::Apart(from, _) => from.len(),
        }
    }

    fn split_at(self, middle: usize) -> (Self, Self) {
        match self {
            Self::InPlace(values) => {
                let (a, b) = values.split_at_mut(middle);
                (Self::InPlace(a), Self::InPlace(b))
            }
            Self::Apart(from, to) => {
                let (from_a, from_b) = from.split_at(middle);
                let (to_a, to_b) = to.split_at_mut(middle);
                (Self::Apart(from_a, to_a), Self::Apart(from_b, to_b))
            }
        }
    }

    #[inline(always)]
    fn map(self, f: impl Fn(f32) -> f32) {
        match self {
            Self::InPlace(values) => {
                for value in values {
                    *value = f(*value);
                }
            }
            Self::Apart(from, to) => {
                for (from, to) in from.iter().zip(to) {
                    to.write(f(*from));
                }
            }
        }
    }

    #[inline(always)]
    fn map_with(self, others: &[f32], f: impl Fn(f32, f32) -> f32) {
        match self {
            Self::InPlace(values) => {
                for (value, other) in values.iter_mut().zip(others) {
                    *value = f(*value, *other);
                }
            }
            Self::Apart(from, to) => {
                for ((from, to), other) in from.iter().zip(to).zip(others) {
                    to.write(f(*from, *other));
                }
            }
        }
    }
}

/// Calls `work`, which writes all of it, with the memory of `x` and of the results.
fn with_memory(x: Values<'_>, work: impl FnOnce(Memory<'_>)) -> Option<Vec<f32>> {
    match x {
        Values::InPlace(values) => {
            work(Memory::InPlace(values));
            None
        }
        Values::Shared(from) => {
            // SAFETY: the pieces of a memory are all of it, and both maps write a piece from end to end, as `split_at`
            // keeps what is read and what is written at one length.
            Some(unsafe { written_by(from.len(), |to| work(Memory::Apart(from, to))) })
        }
    }
}

/// Calls `work` with pieces of `memory` and their positions, on all threads where there are more than `threshold`
/// values.
fn in_pieces(
    memory: Memory<'_>,
    unit: usize,
    threshold: usize,
    work: impl Fn(Memory<'_>, usize) + Sync,
) {
    let threads = rayon::current_num_threads();
    if memory.len() < threshold || threads == 1 {
        return work(memory, 0);
    }
    let tasks = threads * TASKS_PER_THREAD;
    let length = (memory.len() / unit).div_ceil(tasks).max(1) * unit;
    let mut pieces = Vec::with_capacity(tasks);
    let mut rest = memory;
    while rest.len() > length {
        let (piece, after) = rest.split_at(length);
        pieces.push(Some(piece));
        rest = after;
    }
    pieces.push(Some(rest));
    let count = pieces.len();
    let pieces = Shared::new(&mut pieces);
    threads::run(threads, count, |index| {
        // SAFETY: each piece belongs to one task.
        let piece = unsafe { pieces.slice(index, 1) }[0].take();
        if let Some(piece) = piece {
            work(piece, index * length);
        }
    });
}

struct Map<'a, F> {
    memory: Memory<'a>,
    f: F,
}

impl<F: Fn(f32) -> f32> Kernel for Map<'_, F> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        self.memory.map(self.f);
    }
}

/// One value a channel: the bias runs along the values.
struct MapRows<'a, F> {
    memory: Memory<'a>,
    bias: &'a [f32],
    f: F,
}

impl<F: Fn(f32) -> f32> Kernel for MapRows<'_, F> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let mut rest = self.memory;
        while rest.len() > 0 {
            let (row, after) = rest.split_at(self.bias.len());
            row.map_with(self.bias, |v, b| (self.f)(v + b));
            rest = after;
        }
    }
}

/// Many values a channel: each plane has one bias.
struct MapPlanes<'a, F> {
    memory: Memory<'a>,
    bias: &'a [f32],
    first: usize,
    pixels: usize,
    f: F,
}

impl<F: Fn(f32) -> f32> Kernel for MapPlanes<'_, F> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let mut rest = self.memory;
        let mut plane = self.first;
        while rest.len() > 0 {
            let (pixels, after) = rest.split_at(self.pixels);
            let bias = self.bias[plane % self.bias.len()];
            pixels.map(|v| (self.f)(v + bias));
            rest = after;
            plane += 1;
        }
    }
}

struct Zip<'a, F> {
    memory: Memory<'a>,
    others: &'a [f32],
    f: F,
}

impl<F: Fn(f32, f32) -> f32> Kernel for Zip<'_, F> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        self.memory.map_with(self.others, self.f);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize, factor: usize) -> Vec<f32> {
        (0..count)
            .map(|i| (i * factor % 101) as f32 / 16.0 - 3.0)
            .collect()
    }

    fn tripled(v: f32) -> f32 {
        3.0 * v
    }

    /// In place and apart; the results are products rounded once, so that they are equal.
    fn both(x: &[f32], pass: impl Fn(Values<'_>) -> Option<Vec<f32>>) -> Vec<f32> {
        let mut in_place = x.to_vec();
        assert_eq!(pass(Values::InPlace(&mut in_place)), None);
        let apart = pass(Values::Shared(x));
        assert_eq!(apart.as_ref(), Some(&in_place));
        in_place
    }

    #[test]
    fn every_value_is_mapped_with_the_bias_of_its_channel() {
        // One value a channel and many, on one thread and on several.
        for (channels, pixels, images) in [(1, 1, 1), (3, 1, 5), (3, 7, 2), (5, 11, 160)] {
            let x = values(images * channels * pixels, 37);
            let bias = values(channels, 11);
            for cost in [Cost::Arithmetic, Cost::Exponential] {
                let of_channels = Bias {
                    values: &bias,
                    pixels,
                };
                let found = both(&x, |x| map(x, Some(of_channels), cost, tripled));
                for (index, (found, x)) in found.iter().zip(&x).enumerate() {
                    let bias = bias[index / pixels % channels];
                    assert_eq!(*found, tripled(x + bias), "{channels} {pixels} {index}");
                }
                let found = both(&x, |x| map(x, None, cost, tripled));
                assert!(found.iter().zip(&x).all(|(y, x)| *y == tripled(*x)));
            }
        }
    }

    #[test]
    fn every_value_meets_its_partner() {
        for count in [0, 1, 9_000] {
            let (x, others) = (values(count, 37), values(count, 53));
            let found = both(&x, |x| zip(x, &others, Cost::Exponential, |a, b| a - b));
            let expected: Vec<f32> = x.iter().zip(&others).map(|(a, b)| a - b).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    #[should_panic(expected = "images of 3 channels")]
    fn an_incomplete_image_is_refused() {
        let bias = Bias {
            values: &[0.0; 3],
            pixels: 2,
        };
        map(
            Values::Shared(&[0.0; 7]),
            Some(bias),
            Cost::Arithmetic,
            tripled,
        );
    }
}
