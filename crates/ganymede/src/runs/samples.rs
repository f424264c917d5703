//! Pictures of what a generator makes.

use std::path::Path;

use burn::tensor::Device;
use image_tensor::{Rgb, RgbImage, encode_indexed_png_within, from_signed_unit, grid};
use stylegan2::{Generator, Truncation};

use crate::{Error, files, sampling};

const COLUMNS: usize = 8;
/// Seeds and truncations of a sheet: four rows show the generator as it is, two what truncation makes of the first of
/// these seeds.
const PARTS: [(u32, f32); 2] = [(32, 1.0), (16, 0.7)];
/// Sheets of the zoo are part of a repository's history.
const MOST_BYTES: usize = 120 << 10;
/// Images made at once: little memory, and no slower than more.
const BATCH: usize = 16;
const PADDING: u32 = 2;
const WHITE: Rgb<u8> = Rgb([255; 3]);

/// A sheet of samples: seeds 0 to 31 at psi 1, then 0 to 15 at psi 0.7.
pub fn sheet(generator: &Generator, device: &Device) -> RgbImage {
    let images: Vec<RgbImage> = PARTS
        .iter()
        .flat_map(|(seeds, psi)| images(generator, *seeds, Truncation::psi(*psi), device))
        .collect();
    grid(&images, COLUMNS, PADDING, WHITE)
}

/// Writes a sheet with as many of 256 colors as 120 KiB can hold.
///
/// # Errors
///
/// The file cannot be written.
pub fn write(sheet: &RgbImage, path: &Path) -> Result<(), Error> {
    files::write(path, &encode_indexed_png_within(sheet, MOST_BYTES)?)
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
