//! Samples of fixed latents over time.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use image_tensor::{DecodeLimits, Rgb, RgbImage, decode_file, grid, strip, write_png};
use stylegan2::{Generator, Truncation};

use super::distance::Measurement;
use crate::runs::samples;
use crate::{Error, Observer, Preview};

/// Images of a sheet: seeds 0 to 15, not truncated.
const IMAGES: u32 = 16;
const COLUMNS: usize = 4;
const PADDING: u32 = 2;
const GAP: u32 = 6;
const WHITE: Rgb<u8> = Rgb([255; 3]);

/// Writes a square of samples after so many iterations, and shows it.
pub(super) fn write(
    generator: &Generator,
    folder: &Path,
    iteration: u64,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<(), Error> {
    let images = samples::images(generator, IMAGES, Truncation::NONE, device);
    let sheet = grid(&images, COLUMNS, PADDING, WHITE);
    observer.preview(&Preview::new("samples", &sheet));
    Ok(write_png(file(folder, iteration), &sheet)?)
}

/// Where that lies.
pub(crate) fn file(folder: &Path, iteration: u64) -> PathBuf {
    folder.join(format!("samples-{iteration:06}.png"))
}

/// The samples of some measurements side by side; none where none were written.
pub(super) fn over_time(
    folder: &Path,
    measurements: &[Measurement],
) -> Result<Option<RgbImage>, Error> {
    let sheets: Vec<RgbImage> = measurements
        .iter()
        .map(|measurement| file(folder, measurement.iteration))
        .filter(|path| path.is_file())
        .map(|path| decode_file(path, &DecodeLimits::default()))
        .collect::<Result<_, _>>()?;
    Ok((!sheets.is_empty()).then(|| strip(&sheets, GAP, WHITE)))
}
