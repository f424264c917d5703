use burn::backend::flex::{Flex, FlexTensor, Layout};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, DispatchDevice, backend_extension};
use burn::tensor::{Bytes, DType, Shape, Tensor};
use cpu_kernels::depthwise::{self, Depthwise};

use super::LIMIT;
use crate::convolution::Convolution;
use crate::same_padding::same_padding;

/// Whether the tensor is a plain f32 tensor on the CPU.
pub(crate) fn is_plain_on_cpu(x: &Tensor<4>) -> bool {
    matches!(x.device().as_dispatch(), DispatchDevice::Flex(_)) && x.dtype() == DType::F32
}

pub(super) fn activated_depthwise(
    convolution: &Convolution,
    x: Tensor<4>,
    stride: usize,
) -> Tensor<4> {
    let (weight, bias) = convolution.tensors();
    Tensor::from_dispatch(Dispatch::activated_depthwise(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        stride,
    ))
}

/// Burn's dispatch to the CPU.
#[backend_extension(Flex: cfg(feature = "cpu"))]
trait DepthwiseOps: Backend {
    fn activated_depthwise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self>;
}

impl DepthwiseOps for Flex {
    fn activated_depthwise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self> {
        let (x, weight, bias) = (
            x.to_contiguous(),
            weight.to_contiguous(),
            bias.to_contiguous(),
        );
        let [batch, channels, height, width] = x.layout().shape().dims();
        let [_, _, side, _] = weight.layout().shape().dims::<4>();
        let input = [height, width];
        let output = input.map(|size| size.div_ceil(stride));
        let shape = Shape::from([batch, channels, output[0], output[1]]);
        if shape.num_elements() == 0 {
            return FlexTensor::zeros(shape, DType::F32);
        }
        let values = depthwise::activated_depthwise(&Depthwise {
            x: values(&x),
            weight: values(&weight),
            bias: values(&bias),
            input,
            side,
            stride,
            padding: input.map(|size| same_padding(size, side, stride)),
            limit: LIMIT,
        });
        FlexTensor::new(
            Bytes::from_elems(values),
            Layout::contiguous(shape),
            DType::F32,
        )
    }
}

/// Elements of a dense tensor.
fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("made contiguous before")
}
