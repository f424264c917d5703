//! Curves as an SVG drawing.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;

use crate::Error;

/// What drawing into a string can fail with.
type Drawn<T> = Result<T, DrawingAreaErrorKind<std::io::Error>>;

const SIZE: (u32, u32) = (640, 400);
const MARGIN: u32 = 12;
const X_LABELS: u32 = 44;
const Y_LABELS: u32 = 72;
/// Of a linear axis above the greatest value, as a share of its length.
const HEADROOM: f64 = 0.05;
/// Most characters of a title: what fits above a panel in the caption's size, at about half of that for a character.
const TITLE_CHARACTERS: usize = 70;
const TEXT: (&str, u32) = ("sans-serif", 14);
const CAPTION: (&str, u32) = ("sans-serif", 16);
/// Of the band around a curve.
const BAND_OPACITY: f64 = 0.2;
/// Length of a line in the legend.
const SAMPLE: i32 = 16;
/// Height of a line of the legend.
const LEGEND_LINE: i32 = 24;
/// Smallest value on a logarithmic axis; an exact match has a loss of 0.
const FLOOR: f64 = 1e-6;
/// Labels below this are written with an exponent.
const PLAIN_LABELS_FROM: f64 = 1e-3;

/// A named curve. Points whose value is not finite are left out.
#[derive(Clone, Debug)]
pub struct Series<'a> {
    /// In the legend.
    pub name: &'a str,
    /// Of line and band.
    pub color: RGBColor,
    /// As (x, value).
    pub points: Vec<(f64, f64)>,
    /// Least and greatest value around the points, as (x, least, greatest), drawn as a band; empty for none.
    pub spread: Vec<(f64, f64, f64)>,
}

/// Curves over common axes, with a title.
#[derive(Clone, Debug)]
pub struct Panel<'a> {
    /// Above the axes.
    pub title: &'a str,
    /// What is drawn.
    pub series: Vec<Series<'a>>,
}

/// The scale of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// From 0, or below, to the greatest value.
    Linear,
    /// Values below a millionth are drawn there.
    Logarithmic,
}

/// Draws curves over a common axis; the text of an SVG file.
///
/// # Errors
///
/// The drawing library refuses.
pub fn line_plot(
    title: &str,
    x_label: &str,
    series: &[Series<'_>],
    axis: Axis,
) -> Result<String, Error> {
    let series = series.to_vec();
    line_plots(x_label, &[Panel { title, series }], axis)
}

/// Draws panels side by side, each with axes of its own; the text of an SVG file.
///
/// # Errors
///
/// The drawing library refuses.
pub fn line_plots(x_label: &str, panels: &[Panel<'_>], axis: Axis) -> Result<String, Error> {
    // plotters measures letters on the page's canvas there, and panics in a worker, which has none.
    if cfg!(target_family = "wasm") {
        return Err(Error::Plot("not in a browser".to_owned()));
    }
    draw_panels(x_label, panels, axis).map_err(|e| Error::Plot(e.to_string()))
}

fn draw_panels(x_label: &str, panels: &[Panel<'_>], axis: Axis) -> Drawn<String> {
    let (width, height) = SIZE;
    let columns = panels.len().max(1);
    let mut svg = String::new();
    {
        let area =
            SVGBackend::with_string(&mut svg, (width * columns as u32, height)).into_drawing_area();
        area.fill(&WHITE)?;
        for (panel, area) in panels.iter().zip(area.split_evenly((1, columns))) {
            draw_panel(x_label, panel, axis, &area)?;
        }
        area.present()?;
    }
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw_panel(x_label: &str, panel: &Panel<'_>, axis: Axis, area: &Area<'_>) -> Drawn<()> {
    let drawn = |value: f64| match axis {
        Axis::Linear => value,
        Axis::Logarithmic => value.max(FLOOR),
    };
    let series: Vec<Series<'_>> = panel
        .series
        .iter()
        .map(|series| Series {
            points: series
                .points
                .iter()
                .filter(|(_, value)| value.is_finite())
                .map(|&(x, value)| (x, drawn(value)))
                .collect(),
            spread: series
                .spread
                .iter()
                .filter(|(_, least, greatest)| least.is_finite() && greatest.is_finite())
                .map(|&(x, least, greatest)| (x, drawn(least), drawn(greatest)))
                .collect(),
            ..series.clone()
        })
        .collect();
    let points = || {
        let bands = series.iter().flat_map(|series| {
            let both = |&(x, least, greatest)| [(x, least), (x, greatest)];
            series.spread.iter().flat_map(both)
        });
        let curves = series.iter().flat_map(|series| series.points.iter());
        curves.copied().chain(bands)
    };
    let first = points().map(|(x, _)| x).fold(f64::INFINITY, f64::min);
    let first = if first.is_finite() { first } else { 0.0 };
    // An axis has a length, also with one point or none.
    let last = points().map(|(x, _)| x).fold(first, f64::max);
    let last = if last > first { last } else { first + 1.0 };
    let values = || points().map(|(_, value)| value);
    match axis {
        Axis::Linear => {
            let least = values().fold(0.0, f64::min);
            let most = values().fold(0.0, f64::max);
            // Curves may lie at any height; one of zeros needs some.
            let height = if most > least { most - least } else { 1.0 };
            let range = least..most.max(least + height) + HEADROOM * height;
            draw(
                panel.title,
                (x_label, None),
                &series,
                first..last,
                range,
                area,
            )
        }
        Axis::Logarithmic => {
            let least = values().fold(1.0, f64::min);
            let most = values().fold(least, f64::max);
            // A little air above and below.
            let (bottom, top) = (least / 1.2, most * 1.2);
            let range = (bottom..top)
                .log_scale()
                .with_key_points(decimal_steps(bottom, top));
            let labels = (x_label, Some("logarithmic scale"));
            draw(panel.title, labels, &series, first..last, range, area)
        }
    }
}

fn draw<Y>(
    title: &str,
    (x_label, y_label): (&str, Option<&str>),
    series: &[Series<'_>],
    x: std::ops::Range<f64>,
    y: Y,
    area: &Area<'_>,
) -> Drawn<()>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .caption(fitting(title), CAPTION)
        .margin(MARGIN)
        .x_label_area_size(X_LABELS)
        .y_label_area_size(Y_LABELS)
        .build_cartesian_2d(x, y)?;
    let mut mesh = chart.configure_mesh();
    if let Some(label) = y_label {
        mesh.y_desc(label);
    }
    mesh.x_desc(x_label)
        .x_label_formatter(&|value| label(*value))
        .y_label_formatter(&|value| label(*value))
        .label_style(TEXT)
        .draw()?;
    for Series {
        name,
        color,
        points,
        spread,
    } in series
    {
        let color = *color;
        if spread.len() > 1 {
            let below = spread.iter().map(|&(x, least, _)| (x, least));
            let above = spread.iter().rev().map(|&(x, _, greatest)| (x, greatest));
            let band: Vec<(f64, f64)> = below.chain(above).collect();
            chart.draw_series([Polygon::new(band, color.mix(BAND_OPACITY))])?;
        }
        chart
            .draw_series(LineSeries::new(points.iter().copied(), color))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + SAMPLE, y)], color));
    }
    let (columns, rows) = chart.plotting_area().get_pixel_range();
    let pixels: Vec<(i32, i32)> = series
        .iter()
        .flat_map(|series| &series.points)
        .map(|point| chart.backend_coord(point))
        .map(|(x, y)| (x - columns.start, y - rows.start))
        .collect();
    let size = (columns.len() as i32, rows.len() as i32);
    chart
        .configure_series_labels()
        .position(emptiest_corner(&pixels, size, series.len() as i32))
        .label_font(TEXT)
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()?;
    Ok(())
}

/// The corner where a legend of so many lines covers the fewest points.
fn emptiest_corner(
    points: &[(i32, i32)],
    (width, height): (i32, i32),
    lines: i32,
) -> SeriesLabelPosition {
    // About what the legend takes.
    let (across, down) = (width / 2, lines * LEGEND_LINE);
    let (left, right) = (0..=across, width - across..=width);
    let (upper, lower) = (0..=down, height - down..=height);
    let corners = [
        (SeriesLabelPosition::UpperRight, &right, &upper),
        (SeriesLabelPosition::LowerLeft, &left, &lower),
        (SeriesLabelPosition::UpperLeft, &left, &upper),
        (SeriesLabelPosition::LowerRight, &right, &lower),
    ];
    let mut best = (usize::MAX, SeriesLabelPosition::UpperRight);
    for (corner, columns, rows) in corners {
        let covers = |(x, y): &&(i32, i32)| columns.contains(x) && rows.contains(y);
        let covered = points.iter().filter(covers).count();
        if covered < best.0 {
            best = (covered, corner);
        }
    }
    best.1
}

/// 1, 2 and 5 times the powers of ten in a range; of a long range the powers alone.
fn decimal_steps(bottom: f64, top: f64) -> Vec<f64> {
    const MOST: usize = 12;
    let exponents = bottom.log10().floor() as i32..=top.log10().ceil() as i32;
    let steps = |factors: &[f64]| -> Vec<f64> {
        let all = exponents
            .clone()
            .flat_map(|exponent| factors.iter().map(move |f| f * 10f64.powi(exponent)));
        all.filter(|step| (bottom..=top).contains(step)).collect()
    };
    let fine = steps(&[1.0, 2.0, 5.0]);
    if fine.len() <= MOST {
        fine
    } else {
        steps(&[1.0])
    }
}

/// A title that does not run out of its panel: what is too long loses its middle.
fn fitting(title: &str) -> String {
    let characters: Vec<char> = title.chars().collect();
    if characters.len() <= TITLE_CHARACTERS {
        return title.to_owned();
    }
    let half = (TITLE_CHARACTERS - 1) / 2;
    let (begin, end) = (&characters[..half], &characters[characters.len() - half..]);
    begin.iter().chain(['\u{2026}'].iter()).chain(end).collect()
}

fn label(value: f64) -> String {
    if value != 0.0 && value.abs() < PLAIN_LABELS_FROM {
        return format!("{value:.0e}");
    }
    let digits = format!("{value:.4}");
    digits
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use plotters::prelude::SeriesLabelPosition;

    use super::{Axis, Series, decimal_steps, emptiest_corner, fitting, line_plot};

    /// The heights of a curve's points in the drawing, from the top.
    fn heights(values: &[f64], axis: Axis) -> Vec<f64> {
        let series = Series {
            name: "curve",
            color: plotters::prelude::RED,
            points: (0..).map(f64::from).zip(values.iter().copied()).collect(),
            spread: Vec::new(),
        };
        let svg = line_plot("title", "x", &[series], axis).expect("a drawing");
        let line = svg
            .split("<polyline")
            .filter(|line| line.contains("#FF0000"))
            .max_by_key(|line| {
                line.split("points=")
                    .nth(1)
                    .map_or(0, |p| p.matches(',').count())
            })
            .expect("the curve");
        let points = line.split("points=\"").nth(1).expect("points");
        points
            .split('"')
            .next()
            .expect("a list")
            .split_whitespace()
            .map(|point| {
                point
                    .split(',')
                    .nth(1)
                    .expect("x,y")
                    .parse()
                    .expect("a number")
            })
            .collect()
    }

    #[test]
    fn small_values_fill_the_plot_as_large_ones_do() {
        let large = heights(&[0.0, 100.0, 50.0], Axis::Linear);
        let small = heights(&[0.0, 1e-4, 0.5e-4], Axis::Linear);
        assert_eq!(large, small);
        // Of 400 pixels, less margins, caption and labels.
        assert!(large[0] - large[1] > 250.0, "{large:?}");
        // Zeros alone have a place, too.
        assert_eq!(heights(&[0.0, 0.0], Axis::Linear).len(), 2);
    }

    #[test]
    fn logarithmic_axes_have_labels_within_a_decade() {
        assert_eq!(decimal_steps(0.15, 0.9), [0.2, 0.5]);
        assert_eq!(decimal_steps(0.5, 20.0), [0.5, 1.0, 2.0, 5.0, 10.0, 20.0]);
        let long = decimal_steps(1e-6, 1.0);
        assert_eq!(long.len(), 7);
    }

    #[test]
    fn long_titles_lose_their_middle() {
        assert_eq!(fitting("short"), "short");
        let cut = fitting(&format!("begin{}end", "x".repeat(200)));
        assert_eq!(cut.chars().count(), 69);
        assert!(cut.starts_with("begin") && cut.ends_with("end"), "{cut}");
    }

    #[test]
    fn the_legend_goes_where_no_curve_is() {
        let corner = |curve: fn(i32) -> i32| {
            let points: Vec<(i32, i32)> = (0..=60).map(|x| (10 * x, curve(10 * x))).collect();
            emptiest_corner(&points, (600, 300), 3)
        };
        // Pixels count from the top.
        let falling = corner(|x| x / 2);
        assert!(matches!(falling, SeriesLabelPosition::UpperRight));
        let high = corner(|_| 40);
        assert!(matches!(high, SeriesLabelPosition::LowerLeft));
        let rising_from_below = corner(|x| 300 - x / 2);
        assert!(matches!(rising_from_below, SeriesLabelPosition::UpperLeft));
        let crossing = corner(|x| if x <= 300 { 290 } else { 10 });
        assert!(matches!(crossing, SeriesLabelPosition::UpperLeft));
    }
}
