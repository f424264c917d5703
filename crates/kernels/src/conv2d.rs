use burn::tensor::Tensor;
use burn::tensor::module;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};

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

/// Two-dimensional cross-correlation, as `torch.nn.functional.conv2d` without dilation.
///
/// Shapes: `x` `[batch, in, height, width]`, `weight` `[out, in / groups, kh, kw]`, `bias` `[out]`, result `[batch, out, h', w']`.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: Conv2d,
) -> Tensor<4> {
    module::conv2d(
        x,
        weight,
        bias,
        ConvOptions::new(options.stride, options.padding, [1, 1], options.groups),
    )
}

/// The adjoint of [`conv2d`] in its input, as `torch.nn.functional.conv_transpose2d` without output padding.
///
/// Shapes: `x` `[batch, in, height, width]`, `weight` `[in, out, kh, kw]`, result `[batch, out, (height - 1) stride + kh - 2 padding, ..]`.
pub fn conv_transpose2d(x: Tensor<4>, weight: Tensor<4>, options: Conv2d) -> Tensor<4> {
    module::conv_transpose2d(
        x,
        weight,
        None,
        ConvTransposeOptions::new(
            options.stride,
            options.padding,
            [0, 0],
            [1, 1],
            options.groups,
        ),
    )
}
