use std::path::Path;

use plotters::prelude::*;
use vision_aided_finetune::HistoryEntry;

use crate::Failure;

const SIZE: (u32, u32) = (960, 540);
const LABELS: u32 = 40;
const GENERATOR: RGBColor = RGBColor(31, 119, 180);
const DISCRIMINATOR: RGBColor = RGBColor(214, 39, 40);
const REAL: RGBColor = RGBColor(44, 160, 44);
const FAKE: RGBColor = RGBColor(148, 103, 189);

/// Draws losses and logits over thousands of images as SVG.
pub fn write(entries: &[HistoryEntry], path: &Path) -> Result<(), Failure> {
    let Some(last) = entries.last() else {
        return Ok(());
    };
    let series: [(&str, RGBColor, fn(&HistoryEntry) -> f32); 4] = [
        ("generator loss", GENERATOR, |e| e.generator_loss),
        ("discriminator loss", DISCRIMINATOR, |e| {
            e.discriminator_loss
        }),
        ("mean logit of real images", REAL, |e| e.real_logit),
        ("mean logit of generated images", FAKE, |e| e.fake_logit),
    ];
    let finite = || {
        series
            .iter()
            .flat_map(|(_, _, value)| entries.iter().map(value))
            .filter(|value| value.is_finite())
    };
    let (low, high) = (finite().fold(0.0, f32::min), finite().fold(1.0, f32::max));
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let first = entries[0].kimg.min(last.kimg * 0.999);
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .set_label_area_size(LabelAreaPosition::Left, LABELS)
        .set_label_area_size(LabelAreaPosition::Bottom, LABELS)
        .build_cartesian_2d(first..last.kimg, low..high)?;
    chart
        .configure_mesh()
        .x_desc("thousands of images")
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (name, colour, value) in series {
        let points = entries
            .iter()
            .map(|entry| (entry.kimg, value(entry)))
            .filter(|(_, value)| value.is_finite());
        chart
            .draw_series(LineSeries::new(points, &colour))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(area.present()?)
}
