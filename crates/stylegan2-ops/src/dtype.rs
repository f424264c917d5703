use burn::tensor::{DType, Tensor};

/// Calls `operation` with `x` as `f32` and gives the result the type of `x`.
///
/// The kernels compute in `f32` only: networks here are `f32`, and half precision is a matter of storage.
pub(crate) fn with_f32<const D: usize>(
    x: Tensor<D>,
    operation: impl FnOnce(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    match x.dtype() {
        DType::F32 => operation(x),
        dtype => operation(x.cast(DType::F32)).cast(dtype),
    }
}

/// `x` as `f32`, for what goes with it: weights, biases and styles.
pub(crate) fn to_f32<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    match x.dtype() {
        DType::F32 => x,
        _ => x.cast(DType::F32),
    }
}
