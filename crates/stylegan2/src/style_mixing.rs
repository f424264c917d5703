use std::ops::Range;

use burn::tensor::Tensor;

/// Style mixing (Karras et al. 2019, section 3.1): the latents of `layers` from `style`, all others from `base`.
///
/// Both and the result are w_plus `[batch, num_ws, w_dim]`. Early layers decide pose and shape, late ones colors. The
/// official `style_mixing.py` mixes layers 0 to 6 unless told otherwise.
///
/// # Panics
/// When the shapes differ or a layer does not exist.
///
/// ```
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// let base = Tensor::<3>::zeros([1, 4, 2], &device);
/// let style = Tensor::<3>::ones([1, 4, 2], &device);
/// let mixed = stylegan2::mix_styles(base, style, 1..3);
/// let values: Vec<f32> = mixed.into_data().try_to_vec().unwrap();
/// assert_eq!(values, [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
/// ```
pub fn mix_styles(base: Tensor<3>, style: Tensor<3>, layers: Range<usize>) -> Tensor<3> {
    let [batch, num_ws, w_dim] = base.dims();
    assert_eq!(
        style.dims(),
        [batch, num_ws, w_dim],
        "mixed latents have one shape"
    );
    assert!(
        layers.end <= num_ws,
        "expected layers within 0..{num_ws}, found {layers:?}"
    );
    if layers.is_empty() {
        return base;
    }
    let range = [0..batch, layers, 0..w_dim];
    base.slice_assign(range.clone(), style.slice(range))
}
