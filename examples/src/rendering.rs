//! Images of latents, and how far apart they look.

use burn::tensor::{Device, Tensor};
use lpips::Lpips;
use ndarray::Array2;
use stylegan2::NoiseMode;

use crate::Failure;
use crate::latents::to_tensor;
use ganymede::Model;

/// Channels that LPIPS takes.
const RGB: usize = 3;

/// Images `[latents, channels, side, side]` with the model's own noise, clipped to what a picture can hold.
pub fn render(model: &Model, latents: &[Array2<f32>], device: &Device) -> Tensor<4> {
    model
        .generator
        .synthesis
        .forward(to_tensor(latents, device), &NoiseMode::Constant)
        .clamp(-1.0, 1.0)
}

/// LPIPS of each image from its partner, both `[batch, 1 or 3, side, side]`; a single partner serves all.
pub fn distances(
    metric: &Lpips,
    images: Tensor<4>,
    partners: Tensor<4>,
) -> Result<Vec<f64>, Failure> {
    let distances = metric.distance(to_rgb(images), to_rgb(partners))?;
    // Rounding may leave equal images a trace below zero.
    Ok(distances
        .into_data()
        .iter::<f64>()
        .map(|distance| distance.max(0.0))
        .collect())
}

/// Grey images as three equal channels.
pub fn to_rgb(images: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = images.dims();
    if channels == RGB {
        images
    } else {
        images.expand([batch, RGB, height, width])
    }
}
