//! Slow versions of the operations, composed of Burn's own: what the fast ones are compared with.

use burn::tensor::ops::PadMode;
use burn::tensor::{Tensor, activation, s};
use stylegan2_ops::{Activation, BiasAct, Filter, UpFirDn2d};

/// The definition, step by step: insert zeros, pad or crop, correlate tap by tap, keep every `down`-th pixel.
pub fn upfirdn2d(x: Tensor<4>, filter: &Filter, parameters: &UpFirDn2d) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let [_, _, out_height, out_width] = parameters.output_shape(x.dims(), filter);
    let [up_y, up_x] = parameters.up;
    let [down_y, down_x] = parameters.down;
    let [left, right, top, bottom] = parameters.padding;
    let x: Tensor<6> = x.reshape([batch, channels, height, 1, width, 1]);
    let x: Tensor<6> = x.pad(
        [(0, up_y - 1), (0, 0), (0, up_x - 1)],
        PadMode::Constant(0.0),
    );
    let x: Tensor<4> = x.reshape([batch, channels, height * up_y, width * up_x]);
    let positive = |p: isize| p.max(0) as usize;
    let cropped = |p: isize| (-p).max(0) as usize;
    let x = x.pad(
        [
            (positive(top), positive(bottom)),
            (positive(left), positive(right)),
        ],
        PadMode::Constant(0.0),
    );
    let [_, _, padded_height, padded_width] = x.dims();
    let x = x.slice([
        0..batch,
        0..channels,
        cropped(top)..padded_height - cropped(bottom),
        cropped(left)..padded_width - cropped(right),
    ]);
    let mut sum = Tensor::zeros([batch, channels, out_height, out_width], &x.device());
    for tap_y in 0..filter.height() {
        for tap_x in 0..filter.width() {
            let index = if parameters.flip_filter {
                tap_y * filter.width() + tap_x
            } else {
                (filter.height() - 1 - tap_y) * filter.width() + (filter.width() - 1 - tap_x)
            };
            let tap = filter.taps()[index] * parameters.gain;
            let shifted = x.clone().slice([
                (0..batch).into(),
                (0..channels).into(),
                s![tap_y..tap_y + (out_height - 1) * down_y + 1;down_y as isize],
                s![tap_x..tap_x + (out_width - 1) * down_x + 1;down_x as isize],
            ]);
            sum = sum + shifted.mul_scalar(tap);
        }
    }
    sum
}

/// Bias, activation, gain and clamp, one after the other.
pub fn bias_act<const D: usize>(
    x: Tensor<D>,
    bias: Option<Tensor<1>>,
    options: BiasAct,
) -> Tensor<D> {
    let x = match bias {
        Some(bias) => {
            let mut shape = [1; D];
            shape[1] = bias.dims()[0];
            x + bias.reshape(shape)
        }
        None => x,
    };
    let alpha = options.alpha.unwrap_or(options.activation.default_alpha());
    let gain = options.gain.unwrap_or(options.activation.default_gain());
    let x = match options.activation {
        Activation::Linear => x,
        Activation::Relu => activation::relu(x),
        Activation::LeakyRelu => activation::leaky_relu(x, f64::from(alpha)),
        Activation::Tanh => x.tanh(),
        Activation::Sigmoid => activation::sigmoid(x),
        Activation::Elu => activation::elu(x, 1.0),
        Activation::Selu => activation::selu(x),
        Activation::Softplus => activation::softplus(x, 1.0),
        Activation::Swish => x.clone() * activation::sigmoid(x),
    };
    let x = x.mul_scalar(gain);
    match options.clamp {
        Some(clamp) => x.clamp(-clamp, clamp),
        None => x,
    }
}
