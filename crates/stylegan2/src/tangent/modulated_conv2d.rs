use burn::tensor::Tensor;
use stylegan2_ops::{Conv2dResample, Filter, ModulatedConv2d, conv2d_resample, matmul};

use super::Dual;

/// Added to the sum of squares before the demodulation's root, as in `stylegan2_ops::modulated_conv2d`.
const DEMODULATION_EPSILON: f32 = 1e-8;

/// `stylegan2_ops::modulated_conv2d` and its tangent.
///
/// With the shared convolution C, `y = d C(s x)` and `y' = d' C(s x) + d C(s' x + s x')`: two convolutions for both.
/// The demodulation `d = (E s² + ε)^(-1/2)`, with E the sums of squares of the weight over the kernel, moves by
/// `d' = -d³ E (s s')`.
pub(crate) fn modulated_conv2d_dual(
    x: Dual<4>,
    weight: Tensor<4>,
    styles: Dual<2>,
    filter: &Filter,
    options: ModulatedConv2d,
) -> Dual<4> {
    let [batch, channels, _, _] = x.value.dims();
    let [output, input, _, _] = weight.dims();
    let demodulation = options.demodulate.then(|| {
        let energy: Tensor<2> = (weight.clone() * weight.clone())
            .sum_dim(3)
            .sum_dim(2)
            .reshape([output, input]); // [O, I]
        let energy = energy.transpose();
        let squared = styles.value.clone() * styles.value.clone();
        let sum = matmul(squared, energy.clone());
        let value = (sum + DEMODULATION_EPSILON).sqrt().recip(); // [N, O]
        let product = styles.value.clone() * styles.tangent.clone();
        let cube = value.clone() * value.clone() * value.clone();
        let tangent = (cube * matmul(product, energy)).neg();
        Dual { value, tangent }.map(|d| d.reshape([batch, output, 1, 1]))
    });
    let resample = Conv2dResample {
        up: options.up,
        down: 1,
        padding: options.padding,
        flip_weight: options.flip_weight,
    };
    let y = (x * styles.map(|s| s.reshape([batch, channels, 1, 1])))
        .map(|x| conv2d_resample(x, weight.clone(), filter, resample));
    match demodulation {
        Some(d) => y * d,
        None => y,
    }
}
