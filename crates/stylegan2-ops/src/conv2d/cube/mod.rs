//! Convolutions on graphics processors in f32: what CubeCL offers for them computes either one value at a time or with the ten bits of
//! TensorFloat-32, which a demodulation magnifies.

mod by_burn;
mod gather;
mod launch;
mod pack;
#[cfg(test)]
mod tests;

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;

use super::extension::{ConvolutionKernels, Scales, plane};
use crate::Conv2d;
use crate::inner_product::cube::rows_dot;
use launch::Direction;

impl ConvolutionKernels for CubeBackend {
    fn plane_products(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let shape = a.shape();
        rows_dot(a, b, &[shape[0], shape[1]])
    }

    fn correlate(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        scales: Scales<Self>,
        options: Conv2d,
    ) -> FloatTensor<Self> {
        if options.groups > 1 {
            return by_burn::correlate(x, weight, bias, scales, options);
        }
        let size = options.output_size(plane::<Self>(&x), plane::<Self>(&weight));
        launch::gather(x, weight, bias, scales, options, Direction::Forward, size)
    }

    fn correlate_adjoint(
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        scales: Scales<Self>,
        options: Conv2d,
        size: [usize; 2],
    ) -> FloatTensor<Self> {
        if options.groups > 1 {
            return by_burn::correlate_adjoint(gradient, weight, scales, options, size);
        }
        launch::gather(
            gradient,
            weight,
            None,
            scales,
            options,
            Direction::Adjoint,
            size,
        )
    }

    fn correlate_weight_adjoint(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: Conv2d,
        kernel: [usize; 2],
    ) -> FloatTensor<Self> {
        let channels = x.shape()[1] / options.groups;
        let shape = [gradient.shape()[1], channels, kernel[0], kernel[1]];
        by_burn::correlate_weight_adjoint(x, gradient, options, shape)
    }
}
