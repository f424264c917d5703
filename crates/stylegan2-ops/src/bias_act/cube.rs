//! `bias_act` on graphics processors: one unit for each value.

use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;
use gpu_kernels::addressable;

use super::backend::{BiasActGradientOps, BiasActOps, Pointwise, Reference};
use crate::Activation;
use crate::activation::{SELU_ALPHA, SELU_SCALE};

impl BiasActOps for CubeBackend {
    fn bias_act(x: CubeTensor, bias: CubeTensor, pointwise: Pointwise) -> CubeTensor {
        forward(x, Some(bias), pointwise)
    }

    fn activate(x: CubeTensor, pointwise: Pointwise) -> CubeTensor {
        forward(x, None, pointwise)
    }
}

impl BiasActGradientOps for CubeBackend {
    fn bias_act_gradient(
        gradient: CubeTensor,
        reference: CubeTensor,
        pointwise: Pointwise,
    ) -> CubeTensor {
        let gradient = into_contiguous(gradient);
        let reference = into_contiguous(reference);
        let result = empty_like(&gradient);
        let count = addressable(gradient.meta.num_elements());
        let client = gradient.client.clone();
        let cube_dim = CubeDim::new(&client, count);
        let Pointwise { alpha, gain, .. } = pointwise;
        gradient_kernel::launch(
            &client,
            calculate_cube_count_elemwise(&client, count, cube_dim),
            cube_dim,
            gradient.into_buffer_arg(),
            reference.into_buffer_arg(),
            result.clone().into_buffer_arg(),
            alpha,
            gain,
            // A gain of 0 makes every gradient 0, whatever the derivative is.
            if gain == 0.0 { 0.0 } else { 1.0 / gain },
            pointwise.clamp.unwrap_or(0.0),
            pointwise.activation,
            pointwise.reference() == Reference::Input,
            pointwise.clamp.is_some(),
        );
        result
    }
}

fn empty_like(x: &CubeTensor) -> CubeTensor {
    let shape = x.meta.shape().clone();
    empty_device_contiguous_dtype(x.client.clone(), x.device.clone(), shape, x.dtype)
}

fn forward(x: CubeTensor, bias: Option<CubeTensor>, pointwise: Pointwise) -> CubeTensor {
    let x = into_contiguous(x);
    let pixels: usize = x.meta.shape().iter().skip(2).product();
    let channels = x.meta.shape()[1];
    let result = empty_like(&x);
    let count = addressable(x.meta.num_elements());
    let client = x.client.clone();
    let cube_dim = CubeDim::new(&client, count);
    bias_act_kernel::launch(
        &client,
        calculate_cube_count_elemwise(&client, count, cube_dim),
        cube_dim,
        x.into_buffer_arg(),
        bias.map(|bias| into_contiguous(bias).into_buffer_arg())
            .into(),
        result.clone().into_buffer_arg(),
        pixels as u32,
        channels as u32,
        pointwise.alpha,
        pointwise.gain,
        pointwise.clamp.unwrap_or(0.0),
        pointwise.activation,
        pointwise.clamp.is_some(),
    );
    result
}

#[cube]
fn sigmoid(v: f32) -> f32 {
    1.0 / (1.0 + f32::exp(-v))
}

#[cube]
fn activate(v: f32, alpha: f32, #[comptime] activation: Activation) -> f32 {
    match comptime!(activation) {
        Activation::Linear => v,
        // Written so that NaN stays NaN.
        Activation::Relu => select(v < 0.0, 0.0, v),
        Activation::LeakyRelu => select(v > 0.0, v, alpha * v),
        Activation::Tanh => f32::tanh(v),
        Activation::Sigmoid => sigmoid(v),
        Activation::Elu => select(v > 0.0, v, f32::exp_m1(v)),
        Activation::Selu => SELU_SCALE * select(v > 0.0, v, SELU_ALPHA * f32::exp_m1(v)),
        // Written so that the exponential cannot overflow.
        Activation::Softplus => select(v < 0.0, 0.0, v) + f32::log1p(f32::exp(-f32::abs(v))),
        Activation::Swish => v * sigmoid(v),
    }
}

#[cube(launch)]
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its arguments one by one"
)]
fn bias_act_kernel(
    x: &[f32],
    bias: ComptimeOption<&[f32]>,
    y: &mut [f32],
    pixels: u32,
    channels: u32,
    alpha: f32,
    gain: f32,
    clamp: f32,
    #[comptime] activation: Activation,
    #[comptime] clamped: bool,
) {
    if ABSOLUTE_POS >= y.len() {
        terminate!();
    }
    let bias: ComptimeOption<f32> = bias
        .as_ref()
        .map(|bias| bias[(ABSOLUTE_POS / pixels as usize) % channels as usize]);
    let v = x[ABSOLUTE_POS] + bias.unwrap_or(0.0);
    let mut result = gain * activate(v, alpha, activation);
    if comptime!(clamped) {
        // Comparisons with NaN are false, so that it stays NaN.
        result = select(result > clamp, clamp, result);
        result = select(result < -clamp, -clamp, result);
    }
    y[ABSOLUTE_POS] = result;
}

/// Derivative of the activation from its result `y`, or from its argument where `from_input`.
#[cube]
fn derivative(r: f32, alpha: f32, #[comptime] activation: Activation) -> f32 {
    match comptime!(activation) {
        Activation::Linear => 1.0f32.runtime(),
        Activation::Relu => select(r > 0.0, 1.0, 0.0),
        Activation::LeakyRelu => select(r > 0.0, 1.0, alpha),
        Activation::Tanh => 1.0 - r * r,
        Activation::Sigmoid => r * (1.0 - r),
        Activation::Elu => select(r > 0.0, 1.0, r + 1.0),
        Activation::Selu => select(r > 0.0, SELU_SCALE, r + comptime!(SELU_SCALE * SELU_ALPHA)),
        Activation::Softplus => -f32::exp_m1(-r),
        Activation::Swish => {
            let s = sigmoid(r);
            s * (1.0 + r * (1.0 - s))
        }
    }
}

#[cube(launch)]
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its arguments one by one"
)]
fn gradient_kernel(
    gradient: &[f32],
    reference: &[f32],
    result: &mut [f32],
    alpha: f32,
    gain: f32,
    inverse_gain: f32,
    clamp: f32,
    #[comptime] activation: Activation,
    #[comptime] from_input: bool,
    #[comptime] clamped: bool,
) {
    if ABSOLUTE_POS >= result.len() {
        terminate!();
    }
    let r = reference[ABSOLUTE_POS];
    // The derivative is a function of the biased input or of the result before the gain.
    let mut at = r;
    let mut y = r;
    if comptime!(from_input) {
        y = gain * activate(r, alpha, activation);
    } else {
        at = r * inverse_gain;
    }
    let mut value = gradient[ABSOLUTE_POS] * gain * derivative(at, alpha, activation);
    if comptime!(clamped) {
        value = select(f32::abs(y) < clamp, value, 0.0);
    }
    result[ABSOLUTE_POS] = value;
}
