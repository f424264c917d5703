//! Losses over the course of a run.

use ganymede::files;
use std::path::Path;

use plotters::style::RGBColor;
use vision_aided_finetune::HistoryEntry;

use crate::Failure;
use ganymede::line_plot::{Axis, Series, line_plot};

/// Of all that is the generator's.
pub const GENERATOR: RGBColor = RGBColor(31, 119, 180);
/// Of all that is the discriminator's.
pub const DISCRIMINATOR: RGBColor = RGBColor(214, 39, 40);
const REAL: RGBColor = RGBColor(44, 160, 44);
const FAKE: RGBColor = RGBColor(148, 103, 189);

/// Draws losses and logits over thousands of images as SVG.
pub fn write(entries: &[HistoryEntry], path: &Path) -> Result<(), Failure> {
    let series = |name, colour, value: fn(&HistoryEntry) -> f32| Series {
        name,
        colour,
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
    Ok(files::write(path, svg.as_bytes())?)
}
