pub(crate) mod extension;

#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod cube;
#[cfg(feature = "cpu")]
mod flex;

#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::dtype::{to_f32, with_f32};
use extension::ConvolutionOps;

/// Stride and padding of [`conv2d`] and [`conv_transpose2d`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Stride `[y, x]`.
    pub stride: [usize; 2],
    /// Zeros on both sides, `[y, x]`.
    pub padding: [usize; 2],
    /// Channel groups; only [`conv2d`] supports more than one.
    pub groups: usize,
}

impl Default for Conv2d {
    fn default() -> Self {
        Self {
            stride: [1, 1],
            padding: [0, 0],
            groups: 1,
        }
    }
}

impl Conv2d {
    /// Height and width that [`conv2d`] gives for an input and a kernel of these heights and widths.
    ///
    /// # Panics
    /// When a stride is zero, or the kernel is empty or larger than the padded input.
    pub fn output_size(&self, input: [usize; 2], kernel: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|axis| {
            let padded = input[axis] + 2 * self.padding[axis];
            assert!(
                self.stride[axis] > 0 && (1..=padded).contains(&kernel[axis]),
                "conv2d: a kernel of {kernel:?} with stride {:?} does not fit an input of {input:?} with padding {:?}",
                self.stride,
                self.padding
            );
            (padded - kernel[axis]) / self.stride[axis] + 1
        })
    }

    /// Height and width that [`conv_transpose2d`] gives for an input and a kernel of these heights and widths.
    ///
    /// # Panics
    /// When a stride, the input or the kernel is empty, or the padding removes the whole output.
    pub fn transposed_output_size(&self, input: [usize; 2], kernel: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|axis| {
            let full = (input[axis].max(1) - 1) * self.stride[axis] + kernel[axis];
            assert!(
                self.stride[axis] > 0
                    && input[axis] > 0
                    && kernel[axis] > 0
                    && full > 2 * self.padding[axis],
                "conv_transpose2d: a kernel of {kernel:?} with stride {:?} and padding {:?} leaves nothing of an input of {input:?}",
                self.stride,
                self.padding
            );
            full - 2 * self.padding[axis]
        })
    }
}

/// Two-dimensional cross-correlation, as `torch.nn.functional.conv2d` without dilation.
///
/// Shapes: `x` `[N, IC, IH, IW]`, `weight` `[OC, IC / groups, KH, KW]`, `bias` `[OC]`, result `[N, OC, OH, OW]` with
/// `OH = (IH + 2 padding - KH) / stride + 1`, rounded down.
///
/// Differentiable in all three. The backward pass computes only the gradients of tensors that are tracked, so that a
/// network with frozen weights pays for its input's gradient alone. Computed in `f32`; other float types are cast, and
/// the result has the type of `x`.
///
/// # Panics
/// When the channels do not match or the kernel is larger than the padded input.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use stylegan2_ops::{Conv2d, conv2d};
///
/// let device = Device::flex();
/// let x = Tensor::<4>::from_floats([[[[1.0, 2.0], [3.0, 4.0]]]], &device);
/// let sum = Tensor::<4>::ones([1, 1, 2, 2], &device);
/// assert_eq!(conv2d(x, sum, None, Conv2d::default()).into_scalar::<f32>(), 10.0);
/// ```
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: Conv2d,
) -> Tensor<4> {
    let [_, channels, height, width] = x.dims();
    let [out, group_channels, kh, kw] = weight.dims();
    let groups = options.groups;
    assert!(
        groups > 0 && out % groups == 0 && channels == group_channels * groups,
        "conv2d: a weight of {:?} in {groups} groups does not fit an input of {:?}",
        weight.dims(),
        x.dims()
    );
    if let Some(bias) = &bias {
        assert_eq!(
            bias.dims(),
            [out],
            "conv2d: the bias needs one element for each output channel"
        );
    }
    options.output_size([height, width], [kh, kw]);
    let weight = to_f32(weight).into_dispatch();
    with_f32(x, |x| {
        Tensor::from_dispatch(match bias {
            Some(bias) => Dispatch::biased_convolution(
                x.into_dispatch(),
                weight,
                to_f32(bias).into_dispatch(),
                options,
            ),
            None => Dispatch::convolution(x.into_dispatch(), weight, options),
        })
    })
}

/// The adjoint of [`conv2d`] in its input, as `torch.nn.functional.conv_transpose2d` without output padding.
///
/// Shapes: `x` `[N, IC, IH, IW]`, `weight` `[IC, OC, KH, KW]`, result `[N, OC, OH, OW]` with
/// `OH = (IH - 1) stride + KH - 2 padding`. Differentiable in both; gradients of untracked tensors are not computed.
/// Float types as in [`conv2d`].
///
/// # Panics
/// When the channels do not match, `groups` is not 1 or the padding removes the whole output.
pub fn conv_transpose2d(x: Tensor<4>, weight: Tensor<4>, options: Conv2d) -> Tensor<4> {
    let [_, channels, height, width] = x.dims();
    let [input, _, kh, kw] = weight.dims();
    assert!(
        options.groups == 1 && channels == input,
        "conv_transpose2d: a weight of {:?} in {} groups does not fit an input of {:?}",
        weight.dims(),
        options.groups,
        x.dims()
    );
    options.transposed_output_size([height, width], [kh, kw]);
    let weight = to_f32(weight).into_dispatch();
    with_f32(x, |x| {
        let x = x.into_dispatch();
        Tensor::from_dispatch(Dispatch::transposed_convolution(x, weight, options))
    })
}
