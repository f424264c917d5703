//! Pictures of what a generator makes.

use std::path::Path;

use burn::tensor::Device;
use ganymede::files;
use image_tensor::{Rgb, RgbImage, encode_indexed_png_within, from_signed_unit, grid};
use stylegan2::{Generator, Truncation};

use crate::Failure;
use ganymede::sampling;

const COLUMNS: usize = 8;
/// Seeds and truncations of a sheet: four rows show the generator as it is, two what truncation makes of the first of these seeds.
const PARTS: [(u32, f32); 2] = [(32, 1.0), (16, 0.7)];
/// Sheets of the zoo are part of a repository's history.
const MOST_BYTES: usize = 120 << 10;
/// Images made at once: little memory, and no slower than more.
const BATCH: usize = 16;
const PADDING: u32 = 2;
const WHITE: Rgb<u8> = Rgb([255; 3]);

/// Writes a sheet of samples: seeds 0 to 31 at psi 1, then 0 to 15 at psi 0.7, with as many of 256 colors as 120 KiB can hold.
pub fn write(generator: &Generator, path: &Path, device: &Device) -> Result<(), Failure> {
    let images: Vec<RgbImage> = PARTS
        .iter()
        .flat_map(|(seeds, psi)| images(generator, *seeds, Truncation::psi(*psi), device))
        .collect();
    let sheet = encode_indexed_png_within(&grid(&images, COLUMNS, PADDING, WHITE), MOST_BYTES)?;
    Ok(files::write(path, &sheet)?)
}

/// Images of the seeds 0 to `count - 1`.
pub fn images(
    generator: &Generator,
    count: u32,
    truncation: Truncation,
    device: &Device,
) -> Vec<RgbImage> {
    let seeds = (0..count).collect();
    sampling::batches(generator, None, seeds, truncation, BATCH, device)
        .flat_map(from_signed_unit)
        .collect()
}
