//! Figures, table and record of what a study has so far.

use std::path::Path;

use plotters::style::RGBColor;
use serde::Serialize;

use super::design::{Design, Subject};
use super::findings::FoundRuns;
use super::independent::Independent;
use super::summary::{Summary, common_level};
use crate::figure::{self, Panel, Row};
use crate::files::ShownPath;
use crate::line_plot::{self, Axis, Series, line_plots};
use crate::transfer::distance::Measurement;
use crate::transfer::ranking::Ranked;
use crate::{Error, files};

/// What a study has so far: what study.json holds.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// What the distances are called.
    pub distance: String,
    /// What those of a network that no discriminator sees are called.
    pub independent_distance: String,
    /// Length of each run, in thousands of images.
    pub kimg: f64,
    /// Of the runs of each source.
    pub seeds: Vec<u32>,
    /// Of this call.
    pub seconds: f64,
    /// In the order of the options.
    pub targets: Vec<TargetReport>,
    /// The runs of this call in one file, named after its content, where that was asked for.
    #[serde(skip)]
    pub part: Option<ShownPath>,
    /// Whether the observer ended the job; the same options go on.
    #[serde(skip)]
    pub cancelled: bool,
}

/// What was found of a target.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TargetReport {
    /// Of the few-shot set, or of the images.
    pub name: String,
    /// Whether distances are measured against more than the training images.
    pub has_reference: bool,
    /// The zoo, best first.
    pub ranking: Vec<Ranked>,
    /// The least distance that all vision-aided mean curves reach.
    pub level: Option<f64>,
    /// In the order of their ranks in the options, the plain one last.
    pub sources: Vec<SourceReport>,
}

/// What was found of a source.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SourceReport {
    /// Rank and model, for people.
    pub title: String,
    /// 1 for the best.
    pub rank: usize,
    /// Its name in the zoo.
    pub model: String,
    /// Mean log-density of the target's images.
    pub score: f64,
    /// Without discriminators on frozen networks.
    pub plain: bool,
    /// Runs that have their length.
    pub finished: usize,
    /// Of all its runs.
    pub summary: Option<Summary>,
    /// Mean over the runs that have it.
    pub independent: Option<IndependentMean>,
    /// Thousands of images to the target's level.
    pub kimg_to_level: Option<f64>,
    /// One for each seed.
    pub runs: Vec<RunReport>,
}

/// What was found of a run.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RunReport {
    /// Its seed.
    pub seed: u32,
    /// Whether it has its length.
    pub finished: bool,
    /// As far as its budget goes.
    pub history: Vec<Measurement>,
    /// Once it has its length.
    pub independent: Option<Independent>,
}

/// Distances in the other network's features.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct IndependentMean {
    /// Of the source as it is.
    pub start: f64,
    /// Of each run's best generator.
    pub best: f64,
    /// Half of the range of `best`.
    pub best_spread: f64,
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

/// Of sources in their order; plain ones are gray.
const COLORS: [RGBColor; 6] = [
    RGBColor(31, 119, 180),
    RGBColor(255, 127, 14),
    RGBColor(44, 160, 44),
    RGBColor(214, 39, 40),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
];
const GRAY: RGBColor = RGBColor(127, 127, 127);

/// Writes figure.svg, TARGET-samples.svg, study.md and study.json into a folder.
pub(super) fn write(
    design: &Design,
    runs: &dyn FoundRuns,
    out: &Path,
    seconds: f64,
) -> Result<Outcome, Error> {
    let mut reports = Vec::new();
    for subject in &design.targets {
        let (report, rows) = target_report(design, subject, runs)?;
        reports.push(report);
        if !rows.is_empty() {
            let path = out.join(format!("{}-samples.svg", subject.name));
            files::write(&path, figure::svg(&rows)?.as_bytes())?;
        }
    }
    let figure = figure(&reports, &design.distance)?;
    files::write(&out.join("figure.svg"), figure.as_bytes())?;
    let outcome = Outcome {
        distance: design.distance.clone(),
        independent_distance: design.independent_distance.clone(),
        kimg: design.kimg,
        seeds: design.seeds.clone(),
        seconds,
        targets: reports,
        part: None,
        cancelled: false,
    };
    files::write(&out.join("study.md"), outcome.to_markdown().as_bytes())?;
    files::write_json(&out.join("study.json"), &outcome)?;
    Ok(outcome)
}

/// What was found of a target, and fixed latents over time, a row for each source, of the first seed.
fn target_report(
    design: &Design,
    subject: &Subject,
    found: &dyn FoundRuns,
) -> Result<(TargetReport, Vec<Row>), Error> {
    let mut rows = Vec::new();
    let mut reports = Vec::new();
    for source in &subject.sources {
        let mut runs = Vec::new();
        for seed in &design.seeds {
            let run = found.run(subject, source, *seed)?;
            let mut panels = Vec::new();
            for sheet in &run.sheets {
                panels.push(Panel {
                    image: sheet.picture()?,
                    caption: vec![format!(
                        "{:.1} kimg: {:.1}",
                        sheet.measurement.kimg, sheet.measurement.frechet_distance
                    )],
                });
            }
            if !panels.is_empty() {
                rows.push(Row {
                    heading: format!("{}, {}", subject.name, source.title()),
                    panels,
                });
            }
            let shown = run.history.last().map_or(0.0, |last| last.kimg);
            runs.push(RunReport {
                seed: *seed,
                finished: shown >= design.kimg,
                history: run.history,
                independent: run.independent,
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
    let report = TargetReport {
        name: subject.name.clone(),
        has_reference: subject.has_reference,
        ranking: subject.ranking.clone(),
        level,
        sources: reports,
    };
    Ok((report, rows))
}

fn figure(reports: &[TargetReport], distance: &str) -> Result<String, Error> {
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
                .zip(COLORS.iter().cycle())
                .filter_map(|(source, color)| {
                    let curve = &source.summary.as_ref()?.curve;
                    Some(Series {
                        name: &source.title,
                        color: if source.plain { GRAY } else { *color },
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
    line_plots("thousands of images", &panels, Axis::Linear)
}

impl Outcome {
    /// A Markdown table with a line for each source, and what its columns mean.
    pub fn to_markdown(&self) -> String {
        let distance = &self.distance;
        let independent_distance = &self.independent_distance;
        let mut lines = vec![format!(
            "{distance}, mean over the seeds; *best* is the mean of each seed's least with half of their range. *Average* is the mean over the run. *kimg to level* \
         is when the mean curve comes down to what all vision-aided curves of the target reach. *Independent* is the {independent_distance} of the source and, after \
         the arrow, of each seed's best: no discriminator sees its features.\n"
        )];
        lines.push(
            "| target | source | mean log-density | finished | start | best | end | average | level | kimg to level | to the training images at best | independent |"
                .to_owned(),
        );
        lines.push(
            "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
                .to_owned(),
        );
        for target in &self.targets {
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
                lines.push(format!("| {} | {} | {:.1} | {} of {} | {} | {best} | {} | {} | {} | {} | {} | {independent} |",
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
            ));
            }
        }
        let mut text = lines.join("\n");
        text.push('\n');
        text
    }
}
