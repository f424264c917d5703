use burn::backend::TensorMetadata;
use burn::backend::ops::{FloatTensorOps, ModuleOps};
use burn::backend::tensor::FloatTensor;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn_cubecl::CubeBackend;

use super::extension::{ConvolutionKernels, Scales, scaled_by_parts};
use crate::Conv2d;

/// CubeCL's own convolutions, with Burn's default strategy: Burn's `autotune`, which would choose among several, is not switched on.
impl ConvolutionKernels for CubeBackend {
    fn correlate(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        scales: Scales<Self>,
        options: Conv2d,
    ) -> FloatTensor<Self> {
        scaled_by_parts(x, scales, bias, |x| {
            let options = ConvOptions::new(options.stride, options.padding, [1, 1], options.groups);
            Self::conv2d(x, weight, None, options)
        })
    }

    fn correlate_adjoint(
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        scales: Scales<Self>,
        options: Conv2d,
        size: [usize; 2],
    ) -> FloatTensor<Self> {
        let plane = |shape: burn::tensor::Shape| [shape[2], shape[3]];
        let reached =
            options.transposed_output_size(plane(gradient.shape()), plane(weight.shape()));
        let options = ConvTransposeOptions::new(
            options.stride,
            options.padding,
            [size[0] - reached[0], size[1] - reached[1]],
            [1, 1],
            options.groups,
        );
        scaled_by_parts(gradient, scales, None, |gradient| {
            Self::conv_transpose2d(gradient, weight, None, options)
        })
    }

    fn correlate_weight_adjoint(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: Conv2d,
        kernel: [usize; 2],
    ) -> FloatTensor<Self> {
        let (x_shape, gradient_shape) = (x.shape(), gradient.shape());
        let shape = [
            gradient_shape[1],
            x_shape[1] / options.groups,
            kernel[0],
            kernel[1],
        ];
        let options = ConvOptions::new(options.stride, options.padding, [1, 1], options.groups);
        // Only its shape is read.
        let weight = Self::float_empty(shape.into(), &x.device(), x.dtype().into());
        Self::conv2d_weight_backward(x, weight, gradient, options)
    }
}
