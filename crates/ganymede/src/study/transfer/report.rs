//! Figures, table and record of what a study has so far.

use std::path::Path;

use plotters::style::RGBColor;
use serde::Serialize;

use super::design::{Design, Subject};
use super::findings::FoundRuns;
use super::interval::{Comparison, Curves, Intervals, KimgInterval, compare};
use super::second::SecondDistance;
use super::summary::{Summary, common_level};
use crate::figure::{self, Panel, Row};
use crate::files::ShownPath;
use crate::line_plot::{self, Axis, Series, line_plots};
use crate::markdown::table;
use crate::statistics::Interval;
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
    pub second_distance: String,
    /// Length of each run, in thousands of images.
    pub kimg: f64,
    /// Of the runs of each source.
    pub seeds: Vec<u32>,
    /// Of this call.
    pub seconds: f64,
    /// In the order of the options.
    pub targets: Vec<TargetReport>,
    /// The same ranks over all targets together.
    pub comparisons: Vec<Comparison>,
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
    /// Vision-aided sources beside the one at rank 1, where that is there and both have two seeds.
    pub comparisons: Vec<Comparison>,
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
    pub second: Option<SecondMean>,
    /// Thousands of images to the target's level.
    pub kimg_to_level: Option<f64>,
    /// Over seeds and images; none for fewer than two seeds.
    pub intervals: Option<Intervals>,
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
    pub second: Option<SecondDistance>,
}

/// Distances in the other network's features.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SecondMean {
    /// Of the source as it is.
    pub start: f64,
    /// Of each run's best generator.
    pub best: f64,
    /// Half of the range of `best`.
    pub best_spread: f64,
}

impl SecondMean {
    fn of(runs: &[RunReport]) -> Option<Self> {
        let measured: Vec<&SecondDistance> =
            runs.iter().filter_map(|run| run.second.as_ref()).collect();
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

/// Of all bootstraps of a report, so that it is the same each time.
const BOOTSTRAP_SEED: u32 = 0;

impl SourceReport {
    fn curves(&self) -> Option<Curves> {
        let histories: Vec<Vec<Measurement>> =
            self.runs.iter().map(|run| run.history.clone()).collect();
        Curves::of(&histories)
    }
}

/// Every rank that all targets have, beside the first.
fn comparisons(targets: &[&[SourceReport]]) -> Vec<Comparison> {
    let at = |sources: &[SourceReport], rank: usize| {
        let mut aided = sources.iter().filter(|source| !source.plain);
        aided.find(|source| source.rank == rank)?.curves()
    };
    let ranks = targets.first().copied().unwrap_or_default().iter();
    let others = ranks.filter(|source| !source.plain && source.rank != 1);
    others
        .filter_map(|source| {
            let rank = source.rank;
            let pairs: Option<Vec<[Curves; 2]>> = targets
                .iter()
                .map(|sources| Some([at(sources, 1)?, at(sources, rank)?]))
                .collect();
            let pairs = pairs?;
            let pairs: Vec<[&Curves; 2]> = pairs.iter().map(|[a, b]| [a, b]).collect();
            compare(rank, &pairs, BOOTSTRAP_SEED)
        })
        .collect()
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
        second_distance: design.second_distance.clone(),
        kimg: design.kimg,
        seeds: design.seeds.clone(),
        seconds,
        comparisons: {
            let targets: Vec<&[SourceReport]> =
                reports.iter().map(|target| &*target.sources).collect();
            comparisons(&targets)
        },
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
                second: run.second,
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
            second: SecondMean::of(&runs),
            kimg_to_level: None,
            intervals: None,
            runs,
        });
    }
    let compared = reports.iter().filter(|source| !source.plain);
    let level = common_level(compared.filter_map(|source| source.summary.as_ref()));
    for report in &mut reports {
        let summary = report.summary.as_ref();
        report.kimg_to_level = level.and_then(|level| summary?.kimg_to(level));
        report.intervals = report
            .curves()
            .map(|curves| curves.intervals(level, BOOTSTRAP_SEED));
    }
    let report = TargetReport {
        name: subject.name.clone(),
        has_reference: subject.has_reference,
        ranking: subject.ranking.clone(),
        level,
        comparisons: comparisons(&[&reports]),
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
    /// Markdown tables: a line for each source with what its columns mean, the same with intervals, and what they say
    /// of the paper's claim.
    pub fn to_markdown(&self) -> String {
        let mut text = format!(
            "{}, mean over the seeds; *best* is the mean of each seed's least with half of their range. *Average* is the mean over the run. *kimg to level* \
             is when the mean curve comes down to what all vision-aided curves of the target reach. *Second* is the {} of the source and, after the arrow, of \
             each seed's best.\n\n",
            self.distance, self.second_distance
        );
        text += &table(
            &[
                "target",
                "source",
                "mean log-density",
                "finished",
                "start",
                "best",
                "end",
                "average",
                "level",
                "kimg to level",
                "to the training images at best",
                "second",
            ],
            &self.lines(|target, source| Some(source.cells(target))),
        );
        let with_intervals = self.lines(|_, source| Some(source.intervals?.cells(source)));
        if !with_intervals.is_empty() {
            text += "\nWith bootstrap intervals of 95 % over the seeds and, where distances were repeated on draws, over the images they are of:\n\n";
            text += &table(
                &["target", "source", "average", "end", "kimg to level"],
                &with_intervals,
            );
        }
        let compared: Vec<Vec<String>> = self
            .targets
            .iter()
            .map(|target| (target.name.as_str(), &target.comparisons))
            .chain((self.targets.len() > 1).then_some(("all", &self.comparisons)))
            .flat_map(|(name, comparisons)| comparisons.iter().map(|c| c.cells(name)))
            .collect();
        if !compared.is_empty() {
            text += "\nThe claim that rank 1 converges faster, by the ratio of a rank's distance to that of rank 1, with intervals of 95 %; of all targets the \
                     geometric mean. It is confirmed where the interval lies above 1:\n\n";
            text += &table(
                &[
                    "target",
                    "rank",
                    "average over the run",
                    "verdict",
                    "end",
                    "verdict",
                ],
                &compared,
            );
        }
        text
    }

    /// A line of cells for each source that has one, after its target and its title.
    fn lines(
        &self,
        cells: impl Fn(&TargetReport, &SourceReport) -> Option<Vec<String>>,
    ) -> Vec<Vec<String>> {
        let sources = self
            .targets
            .iter()
            .flat_map(|target| target.sources.iter().map(move |source| (target, source)));
        sources
            .filter_map(|(target, source)| {
                let mut line = vec![target.name.clone(), source.title.clone()];
                line.extend(cells(target, source)?);
                Some(line)
            })
            .collect()
    }
}

impl SourceReport {
    fn cells(&self, target: &TargetReport) -> Vec<String> {
        let of = |value: fn(&Summary) -> f64| number(self.summary.as_ref().map(value));
        let best = self.summary.as_ref().map_or_else(missing, |summary| {
            format!("{:.2} ± {:.2}", summary.best, summary.best_spread)
        });
        let second = self.second.as_ref().map_or_else(missing, |mean| {
            format!(
                "{:.2} → {:.2} ± {:.2}",
                mean.start, mean.best, mean.best_spread
            )
        });
        vec![
            format!("{:.1}", self.score),
            format!("{} of {}", self.finished, self.runs.len()),
            of(|s| s.start),
            best,
            of(|s| s.end),
            of(|s| s.average),
            number(target.level),
            number(self.kimg_to_level),
            of(|s| s.training_at_best),
            second,
        ]
    }
}

impl Intervals {
    fn cells(&self, source: &SourceReport) -> Vec<String> {
        let interval = |i: &Interval| format!("{:.2} ({:.2} to {:.2})", i.mean, i.low, i.high);
        let kimg = |KimgInterval { low, high }| {
            let [found, low, high] = [source.kimg_to_level, low, high].map(number);
            format!("{found} ({low} to {high})")
        };
        vec![
            interval(&self.average),
            interval(&self.end),
            self.kimg_to_level.map_or_else(missing, kimg),
        ]
    }
}

impl Comparison {
    fn cells(&self, target: &str) -> Vec<String> {
        let ratio = |i: &Interval| {
            let [mean, low, high] = [i.mean, i.low, i.high].map(f64::exp);
            format!("{mean:.2} ({low:.2} to {high:.2})")
        };
        vec![
            target.to_owned(),
            self.rank.to_string(),
            ratio(&self.average),
            self.average_verdict.text().to_owned(),
            ratio(&self.end),
            self.end_verdict.text().to_owned(),
        ]
    }
}

fn missing() -> String {
    "-".to_owned()
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(missing, |value| format!("{value:.2}"))
}
