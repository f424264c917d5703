//! Convolutions on graphics processors: our own kernel, and Burn's for groups and for the gradient of the weight.

mod by_burn;

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use gpu_kernels::conv2d::{Convolution, Pass, convolve};
use gpu_kernels::rows_dot;

use super::extension::{ConvolutionKernels, Scales, plane};
use crate::Conv2d;

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
        run(x, weight, bias, scales, options, Pass::Forward, size)
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
        run(gradient, weight, None, scales, options, Pass::Adjoint, size)
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

fn run(
    x: CubeTensor,
    weight: CubeTensor,
    bias: Option<CubeTensor>,
    Scales { input, output }: Scales<CubeBackend>,
    options: Conv2d,
    pass: Pass,
    size: [usize; 2],
) -> CubeTensor {
    let scales = gpu_kernels::conv2d::Scales { input, output };
    let convolution = Convolution {
        pass,
        stride: options.stride,
        padding: options.padding,
        output: size,
    };
    convolve(x, weight, bias, scales, convolution)
}
