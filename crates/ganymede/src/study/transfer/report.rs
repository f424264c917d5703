//! Figures, table and record of what a study has so far.

use ganymede::files;
use std::fmt::Write;
use std::path::Path;

use image_tensor::{DecodeLimits, decode_file};
use plotters::style::RGBColor;
use serde::Serialize;

use crate::independent::Independent;
use crate::options::Options;
use crate::plan::{Source, Target};
use crate::study::seeds;
use crate::summary::{Summary, common_level};
use examples::Failure;
use examples::output;
use examples::transfer::distance::{Measurement, distances_file};
use examples::transfer::ranking::Ranked;
use examples::transfer::sheet;
use ganymede::figure::{self, Panel, Row};
use ganymede::line_plot::{self, Axis, Series, line_plots};

#[derive(Serialize)]
struct Study {
    /// What the distances are called.
    distance: String,
    /// What those of a network that no discriminator sees are called.
    independent_distance: String,
    kimg: f64,
    seeds: Vec<u32>,
    /// Of this call.
    seconds: f64,
    targets: Vec<TargetReport>,
}

#[derive(Serialize)]
struct TargetReport {
    name: String,
    /// Whether distances are measured against more than the training images.
    has_reference: bool,
    ranking: Vec<Ranked>,
    /// The least distance that all vision-aided mean curves reach.
    level: Option<f64>,
    sources: Vec<SourceReport>,
}

#[derive(Serialize)]
struct SourceReport {
    title: String,
    rank: usize,
    model: String,
    score: f64,
    plain: bool,
    /// Runs that have their length.
    finished: usize,
    summary: Option<Summary>,
    /// Mean over the runs that have it.
    independent: Option<IndependentMean>,
    /// Thousands of images to the target's level.
    kimg_to_level: Option<f64>,
    runs: Vec<RunReport>,
}

#[derive(Serialize)]
struct RunReport {
    seed: u32,
    finished: bool,
    history: Vec<Measurement>,
    independent: Option<Independent>,
}

/// Distances in the other network's features.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct IndependentMean {
    start: f64,
    best: f64,
    /// Half of the range of `best`.
    best_spread: f64,
}

impl IndependentMean {
    fn of(runs: &[RunReport]) -> Option<Self> {
        let measured: Vec<&Independent> = runs
            .iter()
            .filter_map(|run| run.independent.as_ref())
            .collect();
        let bests = || measured.iter().map(|m| m.best);
        let count = measured.len() as f64;
        let range =
            bests().fold(f64::NEG_INFINITY, f64::max) - bests().fold(f64::INFINITY, f64::min);
        (!measured.is_empty()).then(|| Self {
            start: measured.iter().map(|m| m.start).sum::<f64>() / count,
            best: bests().sum::<f64>() / count,
            best_spread: range / 2.0,
        })
    }
}

/// Of sources in their order; plain ones are grey.
const COLOURS: [RGBColor; 6] = [
    RGBColor(31, 119, 180),
    RGBColor(255, 127, 14),
    RGBColor(44, 160, 44),
    RGBColor(214, 39, 40),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
];
const GREY: RGBColor = RGBColor(127, 127, 127);
/// Pictures of a source in the sheet of samples.
const TIMES: usize = 6;

/// Writes figure.svg, TARGET-samples.svg, study.md and study.json, and prints the table.
pub fn write(
    options: &Options,
    targets: &[Target],
    sources: &[Vec<Source>],
    [distance, independent_distance]: &[String; 2],
    seconds: f64,
) -> Result<(), Failure> {
    let reports: Vec<TargetReport> = targets
        .iter()
        .zip(sources)
        .map(|(target, sources)| target_report(options, target, sources))
        .collect::<Result<_, _>>()?;
    let figure = figure(&reports, distance)?;
    files::write(&options.out.join("figure.svg"), figure.as_bytes())?;
    for (target, sources) in targets.iter().zip(sources) {
        if let Some(svg) = samples(options, target, sources)? {
            let path = options.out.join(format!("{}-samples.svg", target.name));
            files::write(&path, svg.as_bytes())?;
        }
    }
    let table = table(&reports, distance, independent_distance)?;
    files::write(&options.out.join("study.md"), table.as_bytes())?;
    print!("{table}");
    let study = Study {
        distance: distance.to_owned(),
        independent_distance: independent_distance.to_owned(),
        kimg: options.kimg,
        seeds: seeds(options).collect(),
        seconds,
        targets: reports,
    };
    output::write_json(&options.out.join("study.json"), &study)?;
    if let Some(path) = &options.common.json {
        output::write_json(path, &study)?;
    }
    println!(
        "\nwritten to {}: figure.svg, study.md, study.json and samples",
        options.out.display()
    );
    Ok(())
}

fn target_report(
    options: &Options,
    target: &Target,
    sources: &[Source],
) -> Result<TargetReport, Failure> {
    let mut reports = Vec::new();
    for source in sources {
        let mut runs = Vec::new();
        for seed in seeds(options) {
            let folder = source.folder(target, seed);
            let history = measurements(&folder, options.kimg)?;
            let shown = history.last().map_or(0.0, |last| last.kimg);
            runs.push(RunReport {
                seed,
                finished: shown >= options.kimg,
                history,
                independent: Independent::read(&folder)?,
            });
        }
        let histories: Vec<Vec<Measurement>> = runs.iter().map(|run| run.history.clone()).collect();
        reports.push(SourceReport {
            title: source.title(),
            rank: source.ranked.rank,
            model: source.ranked.model.clone(),
            score: source.ranked.score,
            plain: source.plain,
            finished: runs.iter().filter(|run| run.finished).count(),
            summary: Summary::of(&histories),
            independent: IndependentMean::of(&runs),
            kimg_to_level: None,
            runs,
        });
    }
    let compared = reports.iter().filter(|source| !source.plain);
    let level = common_level(compared.filter_map(|source| source.summary.as_ref()));
    for report in &mut reports {
        let summary = report.summary.as_ref();
        report.kimg_to_level = level.and_then(|level| summary?.kimg_to(level));
    }
    Ok(TargetReport {
        name: target.name.clone(),
        has_reference: target.reference.is_some(),
        ranking: target.ranking.clone(),
        level,
        sources: reports,
    })
}

/// The measurements of a run, as far as its budget goes; another process may be adding to them.
fn measurements(folder: &Path, kimg: f64) -> Result<Vec<Measurement>, Failure> {
    let path = distances_file(folder);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = files::read_text(&path)?;
    let lines = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let all: Vec<Measurement> = lines
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .map_err(|e| format!("{}: not a run's measurements ({e})", path.display()))?;
    // The last batch may go beyond the budget, as runs end with whole batches.
    let budget = all.iter().position(|m| m.kimg >= kimg).unwrap_or(all.len());
    Ok(all.into_iter().take(budget + 1).collect())
}

fn figure(reports: &[TargetReport], distance: &str) -> Result<String, Failure> {
    let titles: Vec<String> = reports
        .iter()
        .map(|target| format!("{}: {distance}", target.name))
        .collect();
    let panels: Vec<line_plot::Panel<'_>> = reports
        .iter()
        .zip(&titles)
        .map(|(target, title)| line_plot::Panel {
            title,
            series: target
                .sources
                .iter()
                .zip(COLOURS.iter().cycle())
                .filter_map(|(source, colour)| {
                    let curve = &source.summary.as_ref()?.curve;
                    Some(Series {
                        name: &source.title,
                        colour: if source.plain { GREY } else { *colour },
                        points: curve.iter().map(|p| (p.kimg, p.mean)).collect(),
                        spread: curve
                            .iter()
                            .map(|p| (p.kimg, p.least, p.greatest))
                            .collect(),
                    })
                })
                .collect(),
        })
        .collect();
    Ok(line_plots("thousands of images", &panels, Axis::Linear)?)
}

/// Fixed latents over time, a row for each source, of the first seed.
fn samples(
    options: &Options,
    target: &Target,
    sources: &[Source],
) -> Result<Option<String>, Failure> {
    let mut rows = Vec::new();
    for source in sources {
        let folder = source.folder(target, options.common.seed);
        let measurements = measurements(&folder, options.kimg)?;
        let mut panels = Vec::new();
        for measurement in spread(&measurements, TIMES) {
            let file = sheet::file(&folder, measurement.iteration);
            if file.is_file() {
                panels.push(Panel {
                    image: decode_file(&file, &DecodeLimits::default())?,
                    caption: vec![format!(
                        "{:.1} kimg: {:.1}",
                        measurement.kimg, measurement.frechet_distance
                    )],
                });
            }
        }
        if !panels.is_empty() {
            rows.push(Row {
                heading: format!("{}, {}", target.name, source.title()),
                panels,
            });
        }
    }
    if rows.is_empty() {
        return Ok(None);
    }
    Ok(Some(figure::svg(&rows)?))
}

/// Up to `count` of the values, the first and the last among them.
fn spread<T>(values: &[T], count: usize) -> Vec<&T> {
    if values.len() <= count {
        return values.iter().collect();
    }
    let last = values.len() - 1;
    (0..count)
        .map(|index| &values[index * last / (count - 1)])
        .collect()
}

/// The Markdown table with a line for each source.
fn table(
    reports: &[TargetReport],
    distance: &str,
    independent_distance: &str,
) -> Result<String, Failure> {
    let mut text = String::new();
    writeln!(
        text,
        "{distance}, mean over the seeds; *best* is the mean of each seed's least with half of their range. *Average* is the mean over the run. *kimg to level* \
         is when the mean curve comes down to what all vision-aided curves of the target reach. *Independent* is the {independent_distance} of the source and, after \
         the arrow, of each seed's best: no discriminator sees its features.\n"
    )?;
    writeln!(
        text,
        "| target | source | mean log-density | finished | start | best | end | average | level | kimg to level | to the training images at best | independent |"
    )?;
    writeln!(
        text,
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )?;
    for target in reports {
        for source in &target.sources {
            let number = |value: Option<f64>| {
                value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
            };
            let of = |value: fn(&Summary) -> f64| number(source.summary.as_ref().map(value));
            let best = match &source.summary {
                Some(summary) => format!("{:.2} ± {:.2}", summary.best, summary.best_spread),
                None => "-".to_owned(),
            };
            let independent = match &source.independent {
                Some(mean) => format!(
                    "{:.2} → {:.2} ± {:.2}",
                    mean.start, mean.best, mean.best_spread
                ),
                None => "-".to_owned(),
            };
            writeln!(
                text,
                "| {} | {} | {:.1} | {} of {} | {} | {best} | {} | {} | {} | {} | {} | {independent} |",
                target.name,
                source.title,
                source.score,
                source.finished,
                source.runs.len(),
                of(|s| s.start),
                of(|s| s.end),
                of(|s| s.average),
                number(target.level),
                number(source.kimg_to_level),
                of(|s| s.training_at_best),
            )?;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod spread_tests {
    use super::spread;

    #[test]
    fn the_first_and_the_last_are_shown() {
        let values: Vec<usize> = (0..11).collect();
        assert_eq!(spread(&values, 6), [&0, &2, &4, &6, &8, &10]);
        assert_eq!(spread(&values[..3], 6), [&0, &1, &2]);
    }
}
