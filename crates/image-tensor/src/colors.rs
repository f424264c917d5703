use burn::tensor::Tensor;

const GRAY: usize = 1;
const RGB: usize = 3;
const RGBA: usize = 4;

/// Whether images of so many channels can be shown: gray, RGB, or RGB with opacity.
pub fn can_be_shown(channels: usize) -> bool {
    matches!(channels, GRAY | RGB | RGBA)
}

/// Images `[batch, 1, 3 or 4, height, width]` in [-1, 1] as RGB `[batch, 3, height, width]`, differentiably: gray as
/// three equal channels, and what has a fourth channel, its opacity, over white.
///
/// As in a picture the opacity is clamped to its range; colors are left as they are. White is 1, so that
/// `(c - 1) o + 1` shows a color c with the opacity o in [0, 1].
///
/// ```
/// use burn::tensor::{Device, Tensor};
///
/// // Black: opaque, half and not at all.
/// let black = Tensor::<4>::from_data([[[[-1.0, -1.0, -1.0]]; 4]], &Device::flex());
/// let opacity = Tensor::<4>::from_data([[[[1.0, 0.0, -1.0]]]], &Device::flex());
/// let rgba = black.slice_assign([0..1, 3..4, 0..1, 0..3], opacity);
/// let shown: Vec<f32> = image_tensor::rgb_over_white(rgba).into_data().try_to_vec().expect("f32");
/// assert_eq!(shown[..3], [-1.0, 0.0, 1.0]);
/// ```
///
/// # Panics
/// When the tensor has another number of channels: see [`can_be_shown`].
pub fn rgb_over_white(images: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = images.dims();
    match channels {
        RGB => images,
        GRAY => images.expand([batch, RGB, height, width]),
        RGBA => {
            let part = |range| images.clone().slice([0..batch, range, 0..height, 0..width]);
            let (colors, opacity) = (part(0..RGB), part(RGB..RGBA));
            let opacity = opacity.clamp(-1.0, 1.0).mul_scalar(0.5).add_scalar(0.5);
            colors.sub_scalar(1.0) * opacity + 1.0
        }
        _ => panic!(
            "images have 1, 3 or 4 channels, found {channels} in [{batch}, {channels}, {height}, {width}]"
        ),
    }
}
