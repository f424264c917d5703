//! What the kernels for graphics processors can address.

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
