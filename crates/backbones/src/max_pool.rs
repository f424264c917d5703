use burn::tensor::Tensor;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;

/// What happens to the rows and columns that no whole window covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remainder {
    /// They are dropped (PyTorch's `ceil_mode=False`).
    Drop,
    /// A window that reaches over the edge takes them (PyTorch's `ceil_mode=True`).
    Keep,
}

/// Max pooling with stride 2 and no padding, as all three networks use it.
pub(crate) fn max_pool(x: Tensor<4>, kernel: usize, remainder: Remainder) -> Tensor<4> {
    let options = MaxPoolOptions::new([kernel; 2])
        .with_stride([2; 2])
        .with_ceil_mode(remainder == Remainder::Keep);
    max_pool2d(x, options)
}
