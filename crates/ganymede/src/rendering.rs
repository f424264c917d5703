//! Images of latents, and how far apart they look.

use burn::tensor::{Device, Tensor};
use image_tensor::rgb_over_white;
use lpips::Lpips;
use ndarray::Array2;
use stylegan2::NoiseMode;

use crate::latents::to_tensor;
use crate::{Error, Model};

/// Images `[latents, channels, side, side]` with the model's own noise, clipped to what a picture can hold. Values that are no numbers are an error that says
/// where they began.
///
/// # Errors
///
/// [`Error::Model`] for those.
pub fn render(model: &Model, latents: &[Array2<f32>], device: &Device) -> Result<Tensor<4>, Error> {
    let generator = &model.generator;
    let w_plus = to_tensor(latents, device);
    let images = generator
        .synthesis
        .forward(w_plus.clone(), &NoiseMode::Constant);
    generator
        .check_finite(&images, &w_plus, &NoiseMode::Constant)
        .map_err(|e| Error::Model {
            model: model.name.clone(),
            problem: e.to_string(),
        })?;
    Ok(images.clamp(-1.0, 1.0))
}

/// LPIPS of each image from its partner, both `[batch, 1, 3 or 4, side, side]`; a single partner serves all.
///
/// # Errors
///
/// The images are too small for the metric's network.
pub fn distances(
    metric: &Lpips,
    images: Tensor<4>,
    partners: Tensor<4>,
) -> Result<Vec<f64>, Error> {
    let distances = metric.distance(rgb_over_white(images), rgb_over_white(partners))?;
    // Rounding may leave equal images a trace below zero.
    Ok(distances
        .into_data()
        .iter::<f64>()
        .map(|distance| distance.max(0.0))
        .collect())
}
