use burn::tensor::{Tensor, TensorData};

/// Adds `u - 0.5` to every value of an image, for its uniform number u of [0, 1).
///
/// x `[batch, channels, height, width]`, one number an image.
pub fn adjust_brightness(x: Tensor<4>, uniform: &[f32]) -> Tensor<4> {
    let offset = per_image(&x, uniform, |u| u - 0.5);
    x + offset
}

/// Scales the distance of every pixel from its gray value (the mean of its channels) by `2 u`.
///
/// x `[batch, channels, height, width]`, one number an image.
pub fn adjust_saturation(x: Tensor<4>, uniform: &[f32]) -> Tensor<4> {
    let factor = per_image(&x, uniform, |u| 2.0 * u);
    let gray = x.clone().mean_dim(1);
    (x - gray.clone()) * factor + gray
}

/// Scales the distance of every value from the mean of its image by `u + 0.5`.
///
/// x `[batch, channels, height, width]`, one number an image.
pub fn adjust_contrast(x: Tensor<4>, uniform: &[f32]) -> Tensor<4> {
    let factor = per_image(&x, uniform, |u| u + 0.5);
    let mean = x.clone().mean_dim(3).mean_dim(2).mean_dim(1);
    (x - mean.clone()) * factor + mean
}

/// One number an image, `[batch, 1, 1, 1]`, a constant to autodiff.
fn per_image(x: &Tensor<4>, uniform: &[f32], map: impl Fn(f32) -> f32) -> Tensor<4> {
    let batch = x.dims()[0];
    assert_eq!(
        uniform.len(),
        batch,
        "expected one random number for each of {batch} images, found {}",
        uniform.len()
    );
    let values: Vec<f32> = uniform.iter().map(|u| map(*u)).collect();
    Tensor::from_data(TensorData::new(values, [batch, 1, 1, 1]), &x.device())
}
