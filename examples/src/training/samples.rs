//! Pictures of what a generator makes.

use std::path::Path;

use burn::tensor::Device;
use image_tensor::{Rgb, RgbImage, from_signed_unit, grid, write_png};
use stylegan2::{Generator, Truncation};

use crate::Failure;
use crate::sampling;

/// Seeds of a sheet, each shown once at every truncation.
const SEEDS: u32 = 32;
const COLUMNS: usize = 8;
/// The upper half shows the generator as it is, the lower half what truncation makes of the same seeds.
const TRUNCATIONS: [f32; 2] = [1.0, 0.7];
/// Images made at once: little memory, and no slower than more.
const BATCH: usize = 16;
const PADDING: u32 = 2;
const WHITE: Rgb<u8> = Rgb([255; 3]);

/// Writes a sheet of samples: seeds 0 to 31 at psi 1, then the same at psi 0.7.
pub fn write(generator: &Generator, path: &Path, device: &Device) -> Result<(), Failure> {
    let images: Vec<RgbImage> = TRUNCATIONS
        .iter()
        .flat_map(|psi| images(generator, SEEDS, Truncation::psi(*psi), device))
        .collect();
    Ok(write_png(path, &grid(&images, COLUMNS, PADDING, WHITE))?)
}

/// Images of the seeds 0 to `count - 1`.
pub fn images(
    generator: &Generator,
    count: u32,
    truncation: Truncation,
    device: &Device,
) -> Vec<RgbImage> {
    let seeds = (0..count).collect();
    sampling::batches(generator, seeds, truncation, BATCH, device)
        .flat_map(from_signed_unit)
        .collect()
}
