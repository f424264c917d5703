//! Images of latents, and how far apart they look.

use burn::tensor::{Device, Tensor};
use image_tensor::rgb_over_white;
use lpips::Lpips;
use ndarray::Array2;
use stylegan2::{FeatureOffset, Generator, NoiseMode};

use crate::latents::to_tensor;
use crate::{Error, Model};

/// Images `[latents, channels, side, side]` with the model's own noise, clipped to what a picture can hold. Values that
/// are no numbers are an error that says where they began.
///
/// # Errors
///
/// [`Error::Model`] for those, and for latents of another shape than the model's.
pub fn render(model: &Model, latents: &[Array2<f32>], device: &Device) -> Result<Tensor<4>, Error> {
    render_with(model, latents, None, device)
}

/// As [`render`], with an offset of features, one for each latent or one for all.
///
/// # Errors
///
/// As there.
///
/// # Panics
///
/// When the model has no such features; [`Offset::check`](crate::feature_offset::Offset::check) says whether it has.
pub fn render_with(
    model: &Model,
    latents: &[Array2<f32>],
    offset: Option<&FeatureOffset>,
    device: &Device,
) -> Result<Tensor<4>, Error> {
    let generator = &model.generator;
    let shape = (generator.synthesis.num_ws(), generator.synthesis.w_dim());
    if let Some(other) = latents.iter().find(|latent| latent.dim() != shape) {
        return Err(Error::Model {
            model: model.name.clone(),
            problem: format!(
                "latents of {:?} layers and features, expected {shape:?}; they are of another model",
                other.dim()
            ),
        });
    }
    let w_plus = to_tensor(latents, device);
    let images = synthesize(generator, w_plus.clone(), &NoiseMode::Constant, offset);
    generator
        .check_finite(&images, &w_plus, &NoiseMode::Constant)
        .map_err(Error::of_model(&model.name))?;
    Ok(images.clamp(-1.0, 1.0))
}

/// Images of latents, with an offset of features where there is one.
pub(crate) fn synthesize(
    generator: &Generator,
    w_plus: Tensor<3>,
    noise: &NoiseMode,
    offset: Option<&FeatureOffset>,
) -> Tensor<4> {
    match offset {
        Some(offset) => generator
            .synthesis
            .forward_with_offset(w_plus, noise, offset),
        None => generator.synthesis.forward(w_plus, noise),
    }
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
