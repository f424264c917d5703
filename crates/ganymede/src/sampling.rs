//! Images of seeds.

use burn::tensor::{Device, Tensor};
use stylegan2::{Generator, NoiseMode, StyleGan2Error, Truncation, latents_from_seeds};

/// Images `[seeds, channels, side, side]` with the model's own noise, of one class or of classes drawn uniformly;
/// values that are no numbers are an error.
///
/// # Errors
///
/// [`StyleGan2Error`] says where those began, or that there is no such class.
pub fn checked(
    generator: &Generator,
    seeds: &[u32],
    class: Option<usize>,
    truncation: Truncation,
    device: &Device,
) -> Result<Tensor<4>, StyleGan2Error> {
    let z = latents_from_seeds(seeds, generator.config().z_dim, device);
    let labels = generator.labels(class, seeds, device)?;
    let w_plus = generator.mapping.forward(z, labels, truncation);
    let images = generator
        .synthesis
        .forward(w_plus.clone(), &NoiseMode::Constant);
    generator.check_finite(&images, &w_plus, &NoiseMode::Constant)?;
    Ok(images)
}

/// Images `[up to batch, channels, side, side]` of the seeds in their order, with the model's own noise.
///
/// All are of a class, or a conditional generator's classes are drawn uniformly. The class exists, and there is a mean
/// latent where `truncation` needs one.
pub fn batches<'g>(
    generator: &'g Generator,
    class: Option<usize>,
    seeds: Vec<u32>,
    truncation: Truncation,
    batch: usize,
    device: &'g Device,
) -> impl Iterator<Item = Tensor<4>> + 'g {
    let starts = (0..seeds.len()).step_by(batch);
    starts.map(move |start| {
        let end = (start + batch).min(seeds.len());
        let z = latents_from_seeds(&seeds[start..end], generator.config().z_dim, device);
        let labels = generator
            .labels(class, &seeds[start..end], device)
            .expect("a class that exists");
        generator.forward(z, labels, truncation, &NoiseMode::Constant)
    })
}
