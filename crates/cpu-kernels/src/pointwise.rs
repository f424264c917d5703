//! `bias_act` on the processor: one pass, in place where the input's memory is free.

use std::mem::MaybeUninit;

use burn::backend::flex::{Flex, FlexTensor};
use burn::tensor::{Shape, TensorData};

use super::backend::{BiasActGradientOps, BiasActOps, Pointwise, Reference};
use crate::Activation;
use crate::activation::{SELU_ALPHA, SELU_SCALE};
use crate::simd::{self, Kernel};
use crate::threads::{self, Shared, TASKS_PER_THREAD};

/// Below this many values the calling thread is done before others would have woken up.
const PARALLEL_VALUES: usize = 1 << 17;

/// The same for activations with an exponential, which cost some ten times as much a value.
const PARALLEL_EXPONENTIALS: usize = 1 << 13;

impl BiasActOps for Flex {
    fn bias_act(x: FlexTensor, bias: FlexTensor, pointwise: Pointwise) -> FlexTensor {
        let bias = bias.to_contiguous();
        forward(x, Some(values(&bias)), pointwise)
    }

    fn activate(x: FlexTensor, pointwise: Pointwise) -> FlexTensor {
        forward(x, None, pointwise)
    }
}

impl BiasActGradientOps for Flex {
    fn bias_act_gradient(
        gradient: FlexTensor,
        reference: FlexTensor,
        pointwise: Pointwise,
    ) -> FlexTensor {
        let Pointwise { gain, alpha, .. } = pointwise;
        let reference = contiguous(reference);
        // The table of bias_act.cu: derivatives from the result `y` before the gain, or from the biased input `v`.
        match (pointwise.activation, pointwise.reference()) {
            (_, Reference::Constant) | (Activation::Linear, _) => {
                gradient_with(gradient, &reference, pointwise, |_| 1.0)
            }
            (Activation::Relu, _) => {
                gradient_with(gradient, &reference, pointwise, |y| positive(y, 1.0, 0.0))
            }
            (Activation::LeakyRelu, Reference::Output) => {
                gradient_with(gradient, &reference, pointwise, move |y| {
                    positive(y, 1.0, alpha)
                })
            }
            (Activation::Tanh, _) => {
                gradient_with(gradient, &reference, pointwise, |y| 1.0 - y * y)
            }
            (Activation::Sigmoid, _) => {
                gradient_with(gradient, &reference, pointwise, |y| y * (1.0 - y))
            }
            (Activation::Elu, _) => gradient_with(gradient, &reference, pointwise, |y| {
                positive(y, 1.0, y + 1.0)
            }),
            (Activation::Selu, _) => gradient_with(gradient, &reference, pointwise, |y| {
                positive(y, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA)
            }),
            (Activation::Softplus, _) => {
                gradient_with(gradient, &reference, pointwise, |y| -(-y).exp_m1())
            }
            (Activation::LeakyRelu, Reference::Input) => {
                let clamp = pointwise.clamp.unwrap_or(f32::INFINITY);
                zip(gradient, &reference, PARALLEL_VALUES, move |g, v| {
                    let slope = positive(v, 1.0, alpha) * gain;
                    inside(v * slope, clamp, g * slope)
                })
            }
            (Activation::Swish, _) => {
                let clamp = pointwise.clamp.unwrap_or(f32::INFINITY);
                zip(gradient, &reference, PARALLEL_EXPONENTIALS, move |g, v| {
                    let s = sigmoid(v);
                    inside(v * s * gain, clamp, g * gain * s * (1.0 + v * (1.0 - s)))
                })
            }
        }
    }
}

fn forward(x: FlexTensor, bias: Option<&[f32]>, pointwise: Pointwise) -> FlexTensor {
    let alpha = pointwise.alpha;
    match pointwise.activation {
        Activation::Linear => forward_with(x, bias, pointwise, PARALLEL_VALUES, |v| v),
        // `max` would make 0 of what is no number, and a diverged network look alive.
        Activation::Relu => forward_with(x, bias, pointwise, PARALLEL_VALUES, |v| {
            if v < 0.0 { 0.0 } else { v }
        }),
        Activation::LeakyRelu => forward_with(x, bias, pointwise, PARALLEL_VALUES, move |v| {
            positive(v, v, alpha * v)
        }),
        Activation::Tanh => forward_with(x, bias, pointwise, PARALLEL_EXPONENTIALS, f32::tanh),
        Activation::Sigmoid => forward_with(x, bias, pointwise, PARALLEL_EXPONENTIALS, sigmoid),
        Activation::Elu => forward_with(x, bias, pointwise, PARALLEL_EXPONENTIALS, |v| {
            positive(v, v, v.exp_m1())
        }),
        Activation::Selu => forward_with(x, bias, pointwise, PARALLEL_EXPONENTIALS, |v| {
            SELU_SCALE * positive(v, v, SELU_ALPHA * v.exp_m1())
        }),
        // Written so that the exponential cannot overflow.
        Activation::Softplus => forward_with(x, bias, pointwise, PARALLEL_EXPONENTIALS, |v| {
            v.max(0.0) + (-v.abs()).exp().ln_1p()
        }),
        Activation::Swish => forward_with(x, bias, pointwise, PARALLEL_EXPONENTIALS, |v| {
            v * sigmoid(v)
        }),
    }
}

#[inline(always)]
fn positive(v: f32, then: f32, otherwise: f32) -> f32 {
    if v > 0.0 { then } else { otherwise }
}

#[inline(always)]
fn inside(y: f32, clamp: f32, then: f32) -> f32 {
    if y.abs() < clamp { then } else { 0.0 }
}

#[inline(always)]
fn sigmoid(v: f32) -> f32 {
    1.0 / (1.0 + (-v).exp())
}

fn contiguous(x: FlexTensor) -> FlexTensor {
    if x.is_contiguous() {
        x
    } else {
        x.to_contiguous()
    }
}

fn values(x: &FlexTensor) -> &[f32] {
    x.as_slice()
        .unwrap_or_else(|| panic!("bias_act: expected contiguous f32, found {x:?}"))
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

/// Calls `work` with the memory of `x` and of the result, which is the same where nobody else holds it. `work` writes all of it.
fn with_memory(x: FlexTensor, work: impl FnOnce(Memory<'_>)) -> FlexTensor {
    let mut x = contiguous(x);
    let (start, end) = x
        .layout()
        .contiguous_offsets()
        .unwrap_or_else(|| panic!("bias_act: expected contiguous memory, found {x:?}"));
    if let Some(storage) = x.try_storage_mut::<f32>() {
        work(Memory::InPlace(&mut storage[start..end]));
        return x;
    }
    let shape: Shape = x.layout().shape().clone();
    let from = values(&x);
    let mut to: Vec<f32> = Vec::with_capacity(from.len());
    work(Memory::Apart(
        from,
        &mut to.spare_capacity_mut()[..from.len()],
    ));
    // SAFETY: `work` has written all values, as `split_at` and both maps keep the two slices at one length.
    unsafe { to.set_len(from.len()) };
    FlexTensor::from_data(TensorData::new(to, shape))
}

/// Calls `work` with pieces of `memory` and their positions, on all threads where there are more than `threshold` values.
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

/// `clamp(gain * f(x + bias))`.
fn forward_with(
    x: FlexTensor,
    bias: Option<&[f32]>,
    pointwise: Pointwise,
    threshold: usize,
    f: impl Fn(f32) -> f32 + Copy + Sync,
) -> FlexTensor {
    let gain = pointwise.gain;
    // An infinite clamp costs nothing beside the memory traffic and spares half of the compiled variants.
    let clamp = pointwise.clamp.unwrap_or(f32::INFINITY);
    let f = move |v| (gain * f(v)).clamp(-clamp, clamp);
    let shape = x.layout().shape();
    let pixels: usize = shape.iter().skip(2).product();
    let channels = shape[1];
    with_memory(x, |memory| match bias {
        None => in_pieces(memory, 1, threshold, |memory, _| {
            simd::run(Map { memory, f });
        }),
        Some(bias) if pixels == 1 => in_pieces(memory, channels, threshold, |memory, _| {
            simd::run(MapRows { memory, bias, f });
        }),
        Some(bias) => in_pieces(memory, pixels, threshold, |memory, start| {
            simd::run(MapPlanes {
                memory,
                bias,
                first: start / pixels,
                pixels,
                f,
            });
        }),
    })
}

/// `gradient * gain * f(y)` inside the clamp, with `y` the result before the gain.
fn gradient_with(
    gradient: FlexTensor,
    reference: &FlexTensor,
    pointwise: Pointwise,
    f: impl Fn(f32) -> f32 + Copy + Sync,
) -> FlexTensor {
    let gain = pointwise.gain;
    // A gain of 0 makes every gradient 0, whatever the derivative is.
    let inverse = if gain == 0.0 { 0.0 } else { 1.0 / gain };
    match pointwise.clamp {
        None => zip(gradient, reference, PARALLEL_VALUES, move |g, y| {
            g * (gain * f(y * inverse))
        }),
        Some(clamp) => zip(gradient, reference, PARALLEL_VALUES, move |g, y| {
            inside(y, clamp, g * (gain * f(y * inverse)))
        }),
    }
}

fn zip(
    x: FlexTensor,
    others: &FlexTensor,
    threshold: usize,
    f: impl Fn(f32, f32) -> f32 + Copy + Sync,
) -> FlexTensor {
    let others = values(others);
    with_memory(x, |memory| {
        in_pieces(memory, 1, threshold, |memory, start| {
            let others = &others[start..][..memory.len()];
            simd::run(Zip { memory, others, f });
        });
    })
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
