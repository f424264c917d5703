//! A finished network as a model of its own.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use checkpoint_file::FloatPrecision;
use stylegan2::{Discriminator, Generator, NoiseMode, Truncation, latents_from_seeds};
use vision_aided_finetune::freeze_discriminator_layers;

use crate::Error;

/// The file of a trained generator.
pub const GENERATOR: &str = "generator.safetensors";
/// The file of a discriminator, beside its generator's.
pub const DISCRIMINATOR: &str = "discriminator.safetensors";

/// Half precision is kept where it changes the values of the compared images by less than one step of 8 bits in the
/// root mean square; the range is 2.
const LARGEST_CHANGE: f32 = 2.0 / 255.0;
/// Images that are compared: seeds 0 to 63.
const COMPARED_SEEDS: u32 = 64;

/// Writes the generator (in half precision if images stay the same) and the discriminator, both on the plain device;
/// returns the generator's precision.
///
/// # Errors
///
/// A file cannot be written.
pub fn write(
    generator: &Generator,
    discriminator: &Discriminator,
    folder: &Path,
    device: &Device,
) -> Result<FloatPrecision, Error> {
    let path = folder.join(GENERATOR);
    generator.save(&path, FloatPrecision::F16)?;
    let stored = Generator::load(&path, device)?;
    let difference = images(generator, device) - images(&stored, device);
    let mean_square = (difference.clone() * difference).mean();
    let precision = if mean_square.into_scalar::<f32>().sqrt() < LARGEST_CHANGE {
        FloatPrecision::F16
    } else {
        generator.save(&path, FloatPrecision::F32)?;
        FloatPrecision::F32
    };
    // Frozen layers are this run's affair and not that of one that starts from it.
    let discriminator = freeze_discriminator_layers(discriminator, 0, device)?;
    // It only serves as a start for more training, which moves weights by far more than their rounding.
    discriminator.save(folder.join(DISCRIMINATOR), FloatPrecision::F16)?;
    Ok(precision)
}

fn images(generator: &Generator, device: &Device) -> Tensor<4> {
    let seeds: Vec<u32> = (0..COMPARED_SEEDS).collect();
    let z = latents_from_seeds(&seeds, generator.config().z_dim, device);
    let labels = generator.drawn_labels(&seeds, device);
    generator.forward(z, labels, Truncation::NONE, &NoiseMode::Constant)
}
