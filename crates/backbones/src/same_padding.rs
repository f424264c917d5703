use burn::tensor::Tensor;
use burn::tensor::ops::PadMode;
use stylegan2_ops::Conv2d;

use crate::convolution::Convolution;

/// Zeros before and after `size` elements in TensorFlow's `SAME` padding: ⌈size / stride⌉ outputs, the odd zero behind.
pub(crate) fn same_padding(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let covered = (size.div_ceil(stride).max(1) - 1) * stride + kernel;
    let total = covered.saturating_sub(size);
    (total / 2, total - total / 2)
}

/// A convolution with TensorFlow's `SAME` padding: `[batch, in, height, width]` to
/// `[batch, out, ⌈height / stride⌉, ⌈width / stride⌉]`.
///
/// Differs from symmetric padding where the stride is 2 and the size even: the window then starts at the first pixel
/// and not one before it.
pub(crate) fn convolve_same(
    convolution: &Convolution,
    x: Tensor<4>,
    stride: usize,
    groups: usize,
) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let [kernel_height, kernel_width] = convolution.kernel();
    let (top, bottom) = same_padding(height, kernel_height, stride);
    let (left, right) = same_padding(width, kernel_width, stride);
    let (x, padding) = if (top, left) == (bottom, right) {
        (x, [top, left])
    } else {
        let pairs = [(top, bottom), (left, right)];
        (x.pad(pairs, PadMode::Constant(0.0)), [0, 0])
    };
    let options = Conv2d {
        stride: [stride; 2],
        padding,
        groups,
    };
    convolution.forward_with(x, options)
}

#[cfg(test)]
mod tests {
    use super::same_padding;

    #[test]
    fn padding_keeps_the_size_divided_by_the_stride() {
        assert_eq!(same_padding(7, 3, 1), (1, 1));
        assert_eq!(same_padding(224, 3, 2), (0, 1));
        assert_eq!(same_padding(225, 3, 2), (1, 1));
        assert_eq!(same_padding(56, 5, 2), (1, 2));
        assert_eq!(same_padding(9, 1, 1), (0, 0));
        assert_eq!(same_padding(3, 1, 2), (0, 0));
    }
}
