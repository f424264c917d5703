//! Losses over the course of a run.

use std::path::Path;

use plotters::style::RGBColor;
use vision_aided_finetune::HistoryEntry;

use crate::line_plot::{Axis, Series, line_plot};
use crate::{Error, files};

/// Of all that is the generator's.
pub const GENERATOR: RGBColor = RGBColor(31, 119, 180);
/// Of all that is the discriminator's.
pub const DISCRIMINATOR: RGBColor = RGBColor(214, 39, 40);
const REAL: RGBColor = RGBColor(44, 160, 44);
const FAKE: RGBColor = RGBColor(148, 103, 189);

/// Draws losses and logits over thousands of images as SVG.
///
/// # Errors
///
/// The file cannot be written.
pub fn write(entries: &[HistoryEntry], path: &Path) -> Result<(), Error> {
    let series = |name, color, value: fn(&HistoryEntry) -> f32| Series {
        name,
        color,
        points: entries
            .iter()
            .map(|entry| (entry.kimg, f64::from(value(entry))))
            .collect(),
        spread: Vec::new(),
    };
    let series = [
        series("generator loss", GENERATOR, |e| e.generator_loss),
        series("discriminator loss", DISCRIMINATOR, |e| {
            e.discriminator_loss
        }),
        series("mean logit of real images", REAL, |e| e.real_logit),
        series("mean logit of generated images", FAKE, |e| e.fake_logit),
    ];
    let svg = line_plot("training", "thousands of images", &series, Axis::Linear)?;
    files::write(path, svg.as_bytes())
}
