use std::path::Path;

use burn::tensor::{Device, Tensor};
use checkpoint::FloatPrecision;
use stylegan2::{Generator, NoiseMode, Truncation, latents_from_seeds};
use vision_aided_finetune::Trainer;

use crate::Failure;

/// Half precision is kept where it changes no value of an image by more than one step of 8 bits; the range is 2.
const LARGEST_CHANGE: f32 = 2.0 / 255.0;
const COMPARED_SEEDS: [u32; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Writes the averaged generator (in half precision if images stay the same) and the discriminator; returns the generator's precision.
pub fn write(trainer: &Trainer, folder: &Path, device: &Device) -> Result<FloatPrecision, Failure> {
    let generator = trainer.generator_average();
    let path = folder.join("generator.safetensors");
    generator.save(&path, FloatPrecision::F16)?;
    let stored = Generator::load(&path, device)?;
    let difference = (images(generator, device) - images(&stored, device)).abs();
    let precision = if difference.max().into_scalar::<f32>() < LARGEST_CHANGE {
        FloatPrecision::F16
    } else {
        generator.save(&path, FloatPrecision::F32)?;
        FloatPrecision::F32
    };
    // The discriminator only serves as a start for more training, which moves weights by far more than their rounding.
    trainer.discriminator().save(
        folder.join("discriminator.safetensors"),
        FloatPrecision::F16,
    )?;
    Ok(precision)
}

fn images(generator: &Generator, device: &Device) -> Tensor<4> {
    let z = latents_from_seeds(&COMPARED_SEEDS, generator.config().z_dim, device);
    generator.forward(z, None, Truncation::NONE, &NoiseMode::Constant)
}
