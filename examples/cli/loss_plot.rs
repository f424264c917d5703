//! Losses over the steps as an SVG drawing.

use inversion::LossTerms;
use plotters::prelude::*;

use super::Failure;

const SIZE: (u32, u32) = (640, 400);
const MARGIN: u32 = 12;
const X_LABELS: u32 = 44;
const Y_LABELS: u32 = 56;
const TEXT: (&str, u32) = ("sans-serif", 14);
const CAPTION: (&str, u32) = ("sans-serif", 16);
/// Smallest value on the logarithmic axis; an exact match has a loss of 0.
const FLOOR: f64 = 1e-6;

/// Labels below this are written with an exponent.
const PLAIN_LABELS_FROM: f64 = 1e-3;

fn label(value: f64) -> String {
    if value < PLAIN_LABELS_FROM {
        return format!("{value:.0e}");
    }
    let digits = format!("{value:.4}");
    digits
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

/// One of the losses.
type Term = fn(&LossTerms) -> f64;

/// LPIPS and MSE at every step, on a logarithmic axis.
pub fn loss_plot(title: &str, curve: &[LossTerms]) -> Result<String, Failure> {
    let lines: [(&str, RGBColor, Term); 2] = [
        ("LPIPS", BLUE, |losses| losses.lpips),
        ("MSE", RED, |losses| losses.mse),
    ];
    let values = || {
        curve
            .iter()
            .flat_map(|losses| [losses.lpips, losses.mse])
            .filter(|value| value.is_finite())
            .map(|value| value.max(FLOOR))
    };
    let least = values().fold(f64::INFINITY, f64::min).min(1.0);
    let most = values().fold(least, f64::max);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, CAPTION)
            .margin(MARGIN)
            .x_label_area_size(X_LABELS)
            .y_label_area_size(Y_LABELS)
            // A little air above and below.
            .build_cartesian_2d(0..curve.len().max(1), (least / 1.2..most * 1.2).log_scale())?;
        chart
            .configure_mesh()
            .x_desc("step")
            .y_label_formatter(&|value| label(*value))
            .label_style(TEXT)
            .draw()?;
        for (name, colour, value) in lines {
            let points = curve
                .iter()
                .enumerate()
                .filter(|(_, losses)| value(losses).is_finite())
                .map(|(step, losses)| (step, value(losses).max(FLOOR)));
            chart
                .draw_series(LineSeries::new(points, colour))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
        }
        chart
            .configure_series_labels()
            .label_font(TEXT)
            .background_style(WHITE)
            .border_style(BLACK)
            .draw()?;
        area.present()?;
    }
    Ok(svg)
}
