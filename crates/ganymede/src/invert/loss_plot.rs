//! Losses over the steps of an inversion.

use inversion::LossTerms;
use plotters::prelude::{BLUE, RED};

use crate::Error;
use crate::line_plot::{Axis, Series, line_plot};

/// LPIPS and MSE at every step, on a logarithmic axis; the text of an SVG file.
pub(super) fn loss_plot(title: &str, curve: &[LossTerms]) -> Result<String, Error> {
    let points = |value: fn(&LossTerms) -> f64| {
        curve
            .iter()
            .enumerate()
            .map(|(step, losses)| (step as f64, value(losses)))
            .collect()
    };
    let series = [
        Series {
            name: "LPIPS",
            color: BLUE,
            points: points(|losses| losses.lpips),
            spread: Vec::new(),
        },
        Series {
            name: "MSE",
            color: RED,
            points: points(|losses| losses.mse),
            spread: Vec::new(),
        },
    ];
    line_plot(title, "step", &series, Axis::Logarithmic)
}
