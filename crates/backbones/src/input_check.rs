use burn::tensor::Tensor;

/// Backends disagree about images that a network's pooling cannot take, and some give numbers for them; here they are
/// refused.
///
/// # Panics
/// When `x` has other than 3 channels or a side below `least`.
#[track_caller]
pub(crate) fn check_input(network: &str, x: &Tensor<4>, least: usize) {
    let [_, channels, height, width] = x.dims();
    assert!(
        channels == 3 && height >= least && width >= least,
        "{network} expects images of 3 channels and at least {least} x {least} pixels, found {channels} channels of {height} x {width}"
    );
}
