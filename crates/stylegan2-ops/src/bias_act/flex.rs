//! `bias_act` on the processor: one pass, in place where the input's memory is free.

use burn::backend::flex::{Flex, FlexTensor};
use burn::tensor::{Shape, TensorData};
use cpu_kernels::pointwise::{self, Bias, Cost, Values};

use super::backend::{BiasActGradientOps, BiasActOps, Pointwise, Reference};
use crate::Activation;
use crate::activation::{SELU_ALPHA, SELU_SCALE};

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
                zip(gradient, &reference, Cost::Arithmetic, move |g, v| {
                    let slope = positive(v, 1.0, alpha) * gain;
                    inside(v * slope, clamp, g * slope)
                })
            }
            (Activation::Swish, _) => {
                let clamp = pointwise.clamp.unwrap_or(f32::INFINITY);
                zip(gradient, &reference, Cost::Exponential, move |g, v| {
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
        Activation::Linear => forward_with(x, bias, pointwise, Cost::Arithmetic, |v| v),
        // `max` would make 0 of what is no number, and a diverged network look alive.
        Activation::Relu => forward_with(x, bias, pointwise, Cost::Arithmetic, |v| {
            if v < 0.0 { 0.0 } else { v }
        }),
        Activation::LeakyRelu => forward_with(x, bias, pointwise, Cost::Arithmetic, move |v| {
            positive(v, v, alpha * v)
        }),
        Activation::Tanh => forward_with(x, bias, pointwise, Cost::Exponential, f32::tanh),
        Activation::Sigmoid => forward_with(x, bias, pointwise, Cost::Exponential, sigmoid),
        Activation::Elu => forward_with(x, bias, pointwise, Cost::Exponential, |v| {
            positive(v, v, v.exp_m1())
        }),
        Activation::Selu => forward_with(x, bias, pointwise, Cost::Exponential, |v| {
            SELU_SCALE * positive(v, v, SELU_ALPHA * v.exp_m1())
        }),
        // Written so that the exponential cannot overflow.
        Activation::Softplus => forward_with(x, bias, pointwise, Cost::Exponential, |v| {
            v.max(0.0) + (-v.abs()).exp().ln_1p()
        }),
        Activation::Swish => {
            forward_with(x, bias, pointwise, Cost::Exponential, |v| v * sigmoid(v))
        }
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

/// The results of `pass` over the values of `x`, in its own memory where nobody else holds it.
fn with_memory(x: FlexTensor, pass: impl FnOnce(Values<'_>) -> Option<Vec<f32>>) -> FlexTensor {
    let mut x = contiguous(x);
    let (start, end) = x
        .layout()
        .contiguous_offsets()
        .unwrap_or_else(|| panic!("bias_act: expected contiguous memory, found {x:?}"));
    let results = match x.try_storage_mut::<f32>() {
        Some(storage) => pass(Values::InPlace(&mut storage[start..end])),
        None => pass(Values::Shared(values(&x))),
    };
    let Some(results) = results else { return x };
    let shape: Shape = x.layout().shape().clone();
    FlexTensor::from_data(TensorData::new(results, shape))
}

/// `clamp(gain * f(x + bias))`.
fn forward_with(
    x: FlexTensor,
    bias: Option<&[f32]>,
    pointwise: Pointwise,
    cost: Cost,
    f: impl Fn(f32) -> f32 + Copy + Sync,
) -> FlexTensor {
    let gain = pointwise.gain;
    // An infinite clamp costs nothing beside the memory traffic and spares half of the compiled variants.
    let clamp = pointwise.clamp.unwrap_or(f32::INFINITY);
    let f = move |v| (gain * f(v)).clamp(-clamp, clamp);
    let shape = x.layout().shape();
    let pixels: usize = shape.iter().skip(2).product();
    let bias = bias.map(|values| Bias { values, pixels });
    with_memory(x, |x| pointwise::map(x, bias, cost, f))
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
        None => zip(gradient, reference, Cost::Arithmetic, move |g, y| {
            g * (gain * f(y * inverse))
        }),
        Some(clamp) => zip(gradient, reference, Cost::Arithmetic, move |g, y| {
            inside(y, clamp, g * (gain * f(y * inverse)))
        }),
    }
}

fn zip(
    x: FlexTensor,
    others: &FlexTensor,
    cost: Cost,
    f: impl Fn(f32, f32) -> f32 + Copy + Sync,
) -> FlexTensor {
    let others = values(others);
    with_memory(x, |x| pointwise::zip(x, others, cost, f))
}
