//! What the kernels for graphics processors can address.

use burn_cubecl::tensor::CubeTensor;

/// `count` itself: the number of values that a kernel reads or writes, which it counts in 32 bits.
///
/// # Panics
/// When there are more than 2^32 - 1 values.
pub fn addressable(count: usize) -> usize {
    assert!(
        u32::try_from(count).is_ok(),
        "a tensor of {count} values is more than the 4294967295 that a kernel on a graphics processor addresses; use a smaller batch"
    );
    count
}

/// Sees that [`addressable`] holds for every value of a tensor that is read along its strides.
///
/// # Panics
/// When one lies further from the first.
pub(crate) fn addressable_by_strides(tensor: &CubeTensor) {
    let axes = tensor.meta.shape().iter().zip(tensor.meta.strides().iter());
    let last: usize = axes
        .map(|(size, stride)| size.saturating_sub(1) * stride)
        .sum();
    addressable(last + 1);
}
