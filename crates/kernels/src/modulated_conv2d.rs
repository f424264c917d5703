use burn::tensor::Tensor;

use crate::{Conv2dResample, Filter, conv2d_resample};

/// Added to the sum of squares before the demodulation's square root.
const DEMODULATION_EPSILON: f32 = 1e-8;

/// Options of [`modulated_conv2d`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModulatedConv2d {
    /// Integer upsampling factor.
    pub up: usize,
    /// Padding with respect to the upsampled image.
    pub padding: usize,
    /// Whether output feature maps are scaled to unit expected variance.
    pub demodulate: bool,
    /// `true` correlates with the weight (as PyTorch does), `false` convolves.
    pub flip_weight: bool,
}

/// Convolution whose weight is scaled per sample by a style, and optionally demodulated (Karras et al. 2020, equations 1 and 3).
///
/// Shapes: `x` `[batch, in, height, width]`, `weight` `[out, in, kh, kw]`, `styles` `[batch, in]`, result `[batch, out, h', w']`.
/// Computed as one shared convolution with the input scaled by the style and the output by `d = 1 / sqrt(sum (w s)^2 + 1e-8)`.
pub fn modulated_conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    styles: Tensor<2>,
    filter: &Filter,
    options: ModulatedConv2d,
) -> Tensor<4> {
    let [batch, input, _, _] = x.dims();
    let output = weight.dims()[0];
    let demodulation = options.demodulate.then(|| {
        let energy: Tensor<2> = weight
            .clone()
            .powi_scalar(2)
            .sum_dim(3)
            .sum_dim(2)
            .reshape([output, input]);
        (styles.clone().powi_scalar(2).matmul(energy.transpose()) + DEMODULATION_EPSILON)
            .sqrt()
            .recip()
    });
    let y = conv2d_resample(
        x * styles.reshape([batch, input, 1, 1]),
        weight,
        filter,
        Conv2dResample {
            up: options.up,
            down: 1,
            padding: options.padding,
            flip_weight: options.flip_weight,
        },
    );
    match demodulation {
        Some(d) => y * d.reshape([batch, output, 1, 1]),
        None => y,
    }
}
