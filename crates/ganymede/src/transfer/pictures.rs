//! What a run looks like: samples over time, distances and losses.

use std::path::Path;

use image_tensor::write_png;
use vision_aided_finetune::HistoryEntry;

use super::distance::Measurement;
use super::sheet;
use crate::line_plot::{Axis, Series, line_plot};
use crate::runs::plot;
use crate::{Error, files};

/// Writes samples.png, distances.svg and history.svg.
pub(super) fn write(
    folder: &Path,
    distance_name: &str,
    measurements: &[Measurement],
    history: &[HistoryEntry],
) -> Result<(), Error> {
    if let Some(samples) = sheet::over_time(folder, measurements)? {
        write_png(folder.join("samples.png"), &samples)?;
    }
    let series = |name, color, value: fn(&Measurement) -> f64| Series {
        name,
        color,
        points: measurements.iter().map(|m| (m.kimg, value(m))).collect(),
        spread: Vec::new(),
    };
    let series = [
        series("to the reference images", plot::GENERATOR, |m| {
            m.frechet_distance
        }),
        series("to the training images", plot::DISCRIMINATOR, |m| {
            m.frechet_distance_training
        }),
    ];
    let svg = line_plot(distance_name, "thousands of images", &series, Axis::Linear)?;
    files::write(&folder.join("distances.svg"), svg.as_bytes())?;
    plot::write(history, &folder.join("history.svg"))
}
