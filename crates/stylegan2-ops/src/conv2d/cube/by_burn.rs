//! CubeCL's own convolutions, one value at a time, for groups and for the gradient of the weight. In f32 as long as
//! Burn's feature `autotune` is off, which may choose TensorFloat-32; this workspace leaves it off.

use burn::backend::TensorMetadata;
use burn::backend::ops::{FloatTensorOps, ModuleOps};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

use crate::Conv2d;
use crate::conv2d::extension::{Scales, plane, scaled_by_parts};

pub(super) fn correlate(
    x: CubeTensor,
    weight: CubeTensor,
    bias: Option<CubeTensor>,
    scales: Scales<CubeBackend>,
    options: Conv2d,
) -> CubeTensor {
    scaled_by_parts(x, scales, bias, |x| {
        CubeBackend::conv2d(x, weight, None, conv_options(options))
    })
}

pub(super) fn correlate_adjoint(
    gradient: CubeTensor,
    weight: CubeTensor,
    scales: Scales<CubeBackend>,
    options: Conv2d,
    size: [usize; 2],
) -> CubeTensor {
    let reached = options.transposed_output_size(
        plane::<CubeBackend>(&gradient),
        plane::<CubeBackend>(&weight),
    );
    let options = ConvTransposeOptions::new(
        options.stride,
        options.padding,
        [size[0] - reached[0], size[1] - reached[1]],
        [1, 1],
        options.groups,
    );
    scaled_by_parts(gradient, scales, None, |gradient| {
        CubeBackend::conv_transpose2d(gradient, weight, None, options)
    })
}

pub(super) fn correlate_weight_adjoint(
    x: CubeTensor,
    gradient: CubeTensor,
    options: Conv2d,
    shape: [usize; 4],
) -> CubeTensor {
    // Only its shape is read.
    let weight = CubeBackend::float_empty(shape.into(), &x.device(), x.dtype().into());
    CubeBackend::conv2d_weight_backward(x, weight, gradient, conv_options(options))
}

fn conv_options(options: Conv2d) -> ConvOptions<2> {
    ConvOptions::new(options.stride, options.padding, [1, 1], options.groups)
}
