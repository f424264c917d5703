//! What a study says: a text with tables, figures, and everything as JSON.

use std::fmt::Write;

use serde::Serialize;

use crate::claims::{ALL_IMAGES, Claim, Verdict, judge};
use crate::cli::figure::{self, Panel, Row};
use crate::cli::output::ShownPath;
use crate::cli::{Failure, output, table};
use crate::edits::Edited;
use crate::interpolations::{Kind, Way};
use crate::metric::Metric;
use crate::plan::Plan;
use crate::results::{CategoryResults, Study};
use crate::statistics::{Bootstrap, Estimate};

/// How a run came by its inversions.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Effort {
    /// Inversions that the study, or its part, consists of.
    pub needed: usize,
    /// Those that other caches had.
    pub merged: usize,
    /// Those that this run made.
    pub made: usize,
    /// Wall time of this run.
    pub seconds: f64,
}

#[derive(Serialize)]
struct Report<'a> {
    protocol: Protocol,
    categories: Vec<CategoryReport<'a>>,
    table: Vec<Line>,
    claims: Vec<Claim>,
    interpolations: Vec<Way>,
    edits: Vec<Edited>,
    images: Vec<ImageReport<'a>>,
    files: Vec<ShownPath>,
    inversions: Effort,
    /// Sum over the study's inversions, by whichever run they were made.
    inversion_seconds: f64,
}

#[derive(Serialize)]
struct Protocol {
    models: Vec<String>,
    resolution: usize,
    ranks: Vec<usize>,
    space: &'static str,
    steps: usize,
    loss: String,
    lambda_lpips: f32,
    lambda_mse: f32,
    batch: usize,
    device: String,
    seed: u32,
    bootstrap_resamples: u32,
}

#[derive(Serialize)]
struct CategoryReport<'a> {
    name: &'a str,
    images: usize,
    /// Images whose model at rank 1 is that of the category's name.
    own_model_first: Option<usize>,
}

/// A row of the table.
#[derive(Serialize)]
struct Line {
    category: String,
    images: usize,
    rank: usize,
    /// In the order of the metrics.
    estimates: Vec<MetricEstimate>,
}

#[derive(Serialize)]
struct MetricEstimate {
    metric: Metric,
    #[serde(flatten)]
    estimate: Estimate,
}

#[derive(Serialize)]
struct ImageReport<'a> {
    category: &'a str,
    image: &'a str,
    rank: usize,
    model: &'a str,
    /// Log-density.
    score: f64,
    lpips_alex: f64,
    lpips_vgg: f64,
    psnr: f64,
    mse: f64,
    w_plus_distance: f64,
}

impl Study<'_> {
    /// Writes report.md, the figures and the JSON, and prints the tables.
    pub fn report(&self, effort: impl FnOnce() -> Effort) -> Result<(), Failure> {
        let options = self.options;
        output::make_folder(&options.out)?;
        let results = self.results()?;
        let bootstrap = Bootstrap {
            resamples: options.resamples,
            seed: options.common.seed,
        };
        let lines = lines(&results, &self.plan.ranks);
        let claims = judge(&results, &self.plan.ranks, &bootstrap);
        let (interpolations, ways) = self.interpolations()?;
        let (edits, edited) = self.edits()?;
        let protocol = self.protocol();
        let text = [
            introduction(self.plan, &protocol, &results),
            table_of(&lines),
            text_of(&claims),
            comparisons_of(&claims),
            caution(&results),
            interpolations_of(&interpolations, options.frames, &bootstrap),
        ]
        .concat();
        let file = ShownPath(options.out.join("report.md"));
        output::write(file.as_ref(), text.as_bytes())?;
        let mut files = vec![file];
        for (name, rows) in [
            ("inversions", self.inversion_rows(&results)),
            ("interpolations", ways),
            ("edits", edited),
        ] {
            if !rows.is_empty() {
                files.push(figure::write(&options.out, name, &rows)?);
            }
        }
        print!("{text}");
        let effort = effort();
        println!(
            "\n{}: report.md and figures; {} inversions, {} of them made now, in {:.1} s",
            options.out.display(),
            effort.needed,
            effort.made,
            effort.seconds
        );
        if let Some(json) = &options.common.json {
            let kept = results.iter().flat_map(|c| c.inversions.iter().flatten());
            let report = Report {
                protocol,
                categories: self.categories(&results),
                table: lines,
                claims,
                interpolations,
                edits,
                images: self.images(&results),
                files,
                inversions: effort,
                inversion_seconds: kept.map(|kept| kept.seconds).sum(),
            };
            output::write_json(json, &report)?;
        }
        Ok(())
    }

    fn protocol(&self) -> Protocol {
        let Self { options, plan, .. } = self;
        Protocol {
            models: plan.models.iter().map(|m| m.name().to_owned()).collect(),
            resolution: plan
                .categories
                .iter()
                .flat_map(|category| &category.images)
                .map(|image| image.pixels.width() as usize)
                .next()
                .unwrap_or(0),
            ranks: plan.ranks.clone(),
            space: options.inversion.space.name(),
            steps: options.inversion.steps,
            loss: options.inversion.lpips.network().to_string(),
            lambda_lpips: options.inversion.lambda_lpips,
            lambda_mse: options.inversion.lambda_mse,
            batch: options.batch(),
            device: format!("{:?}", options.common.device).to_lowercase(),
            seed: options.common.seed,
            bootstrap_resamples: options.resamples,
        }
    }

    fn categories<'a>(&self, results: &'a [CategoryResults]) -> Vec<CategoryReport<'a>> {
        results
            .iter()
            .map(|category| CategoryReport {
                name: &category.name,
                images: category.images(),
                own_model_first: category.own_model_first,
            })
            .collect()
    }

    fn images<'a>(&'a self, results: &[CategoryResults]) -> Vec<ImageReport<'a>> {
        let mut all = Vec::new();
        for (category, results) in self.plan.categories.iter().zip(results) {
            for (rank, inversions) in self.plan.ranks.iter().zip(&results.inversions) {
                for (image, kept) in category.images.iter().zip(inversions) {
                    let ranked = &image.ranking[rank - 1];
                    let measures = &kept.measures;
                    all.push(ImageReport {
                        category: &category.name,
                        image: &image.name,
                        rank: *rank,
                        model: &ranked.model,
                        score: ranked.score,
                        lpips_alex: measures.lpips_alex,
                        lpips_vgg: measures.lpips_vgg,
                        psnr: measures.psnr(),
                        mse: measures.mse,
                        w_plus_distance: measures.w_plus_distance,
                    });
                }
            }
        }
        all
    }

    /// Target and inversions side by side.
    fn inversion_rows(&self, results: &[CategoryResults]) -> Vec<Row> {
        let mut rows = Vec::new();
        for (category, results) in self.plan.categories.iter().zip(results) {
            let shown = usize::from(self.options.shown);
            for (index, image) in category.images.iter().enumerate().take(shown) {
                let target = Panel::new(&image.pixels, vec!["target".to_owned()]);
                let ranks = self.plan.ranks.iter().zip(&results.inversions);
                let inverted = ranks.map(|(rank, inversions)| {
                    let kept = &inversions[index];
                    let measures = &kept.measures;
                    let caption = vec![
                        format!("rank {rank}: {}", image.at_rank(*rank)),
                        format!(
                            "LPIPS {:.3} (alex), {:.3} (vgg)",
                            measures.lpips_alex, measures.lpips_vgg
                        ),
                        format!(
                            "PSNR {:.1} dB, |w+ - w_avg| {:.1}",
                            measures.psnr(),
                            measures.w_plus_distance
                        ),
                    ];
                    Panel::new(&kept.reconstruction, caption)
                });
                rows.push(Row {
                    heading: image.name.clone(),
                    panels: std::iter::once(target).chain(inverted).collect(),
                });
            }
        }
        rows
    }
}

/// Means of each category at each rank, and of all images where there are several categories.
fn lines(results: &[CategoryResults], ranks: &[usize]) -> Vec<Line> {
    let mut scopes: Vec<(&str, &[CategoryResults])> = results
        .iter()
        .map(|category| (category.name.as_str(), std::slice::from_ref(category)))
        .collect();
    if results.len() > 1 {
        scopes.push((ALL_IMAGES, results));
    }
    let mut lines = Vec::new();
    for (name, categories) in scopes {
        for (position, rank) in ranks.iter().enumerate() {
            let inversions = || categories.iter().flat_map(|c| &c.inversions[position]);
            let estimates = Metric::ALL.into_iter().filter_map(|metric| {
                let values: Vec<f64> = inversions().map(|k| metric.of(&k.measures)).collect();
                let estimate = Estimate::of(&values)?;
                Some(MetricEstimate { metric, estimate })
            });
            lines.push(Line {
                category: name.to_owned(),
                images: inversions().count(),
                rank: *rank,
                estimates: estimates.collect(),
            });
        }
    }
    lines
}

fn introduction(plan: &Plan, protocol: &Protocol, results: &[CategoryResults]) -> String {
    let categories: Vec<String> = results
        .iter()
        .map(|category| {
            let images = category.images();
            match category.own_model_first {
                Some(first) => format!(
                    "{images} images of {0} (the model {0} is at rank 1 for {first})",
                    category.name
                ),
                None => format!("{images} images of {}", category.name),
            }
        })
        .collect();
    format!(
        "{}. {} models of {} pixels, ranked by Gaussian density: {}. Inverted into {} in {} steps; loss {} LPIPS ({}) + {} MSE; device {}, \
         {} images together.\n\n",
        categories.join(", "),
        plan.models.len(),
        protocol.resolution,
        protocol.models.join(", "),
        protocol.space,
        protocol.steps,
        protocol.lambda_lpips,
        protocol.loss,
        protocol.lambda_mse,
        protocol.device,
        protocol.batch,
    )
}

/// Mean and standard error.
fn table_of(lines: &[Line]) -> String {
    let mut header = vec!["category", "images", "rank"];
    header.extend(Metric::ALL.map(Metric::name));
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            let estimates = line.estimates.iter();
            let cells = estimates.map(|cell| cell.estimate.text(cell.metric.digits()));
            let first = [
                line.category.clone(),
                line.images.to_string(),
                line.rank.to_string(),
            ];
            first.into_iter().chain(cells).collect()
        })
        .collect();
    format!("{}\n", table::markdown(&header, &rows))
}

fn text_of(claims: &[Claim]) -> String {
    let mut text = String::new();
    for claim in claims {
        let images = claim
            .comparisons
            .last()
            .map_or(ALL_IMAGES, |last| last.images.as_str());
        let of_all: Vec<_> = claim
            .comparisons
            .iter()
            .filter(|comparison| comparison.images == images)
            .collect();
        let held = of_all
            .iter()
            .filter(|comparison| comparison.verdict == Some(Verdict::Confirmed))
            .count();
        let verdict = match claim.verdict {
            Some(verdict) => format!(
                "**{}** ({held} of {} comparisons hold)",
                verdict.text(),
                of_all.len()
            ),
            None => "not tested, for lack of ranks or images".to_owned(),
        };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "- \"{}\": {verdict}", claim.text);
    }
    text + "\n"
}

/// Differences between ranks and what they say of the claims.
fn comparisons_of(claims: &[Claim]) -> String {
    let rows: Vec<Vec<String>> = claims
        .iter()
        .flat_map(|claim| claim.comparisons.iter().map(move |c| (claim, c)))
        .map(|(claim, comparison)| {
            let digits = comparison.metric.digits();
            let (mean, interval) = match &comparison.difference {
                Some(found) => (
                    format!("{:+.digits$}", found.mean),
                    format!("{:+.digits$} to {:+.digits$}", found.low, found.high),
                ),
                None => ("-".to_owned(), "-".to_owned()),
            };
            vec![
                claim.text.to_owned(),
                comparison.images.clone(),
                comparison.metric.name().to_owned(),
                format!("{} - {}", comparison.rank, comparison.against),
                mean,
                interval,
                comparison.verdict.map_or("-", Verdict::text).to_owned(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = [
        "claim",
        "images",
        "metric",
        "ranks",
        "mean difference",
        "95 % interval",
        "verdict",
    ];
    format!("{}\n", table::markdown(&header, &rows))
}

/// What percentile intervals of few images are worth.
fn caution(results: &[CategoryResults]) -> String {
    const FEW: usize = 20;
    let least = results.iter().map(CategoryResults::images).min();
    match least {
        Some(least) if least < FEW => format!(
            "Of fewer than {FEW} images bootstrap intervals are too narrow, so verdicts of {least} are no more than a hint.\n\n"
        ),
        _ => String::new(),
    }
}

/// How smooth the ways are.
fn interpolations_of(ways: &[Way], frames: u16, bootstrap: &Bootstrap) -> String {
    let mut categories: Vec<&str> = ways.iter().map(|way| way.category.as_str()).collect();
    categories.dedup();
    let mut rows = Vec::new();
    for category in categories {
        let of = |kind: Kind, value: fn(&Way) -> f64| -> Vec<f64> {
            let ways = ways.iter();
            ways.filter(|way| way.category == category && way.kind == kind)
                .map(value)
                .collect()
        };
        let length: fn(&Way) -> f64 = |way| way.smoothness.perceptual_path_length;
        let evenness: fn(&Way) -> f64 = |way| way.smoothness.largest_step_over_mean;
        let lengths = Kind::ALL.map(|kind| of(kind, length));
        let differences = lengths[1].iter().zip(&lengths[0]).map(|(r, f)| r - f);
        let interval = bootstrap.interval(&[differences.collect()]);
        for (kind, lengths) in Kind::ALL.into_iter().zip(&lengths) {
            let text = |values: &[f64], digits| {
                Estimate::of(values).map_or("-".to_owned(), |found| found.text(digits))
            };
            let difference = match (kind, &interval) {
                (Kind::Random, Some(found)) => format!(
                    "{:+.3} ({:+.3} to {:+.3})",
                    found.mean, found.low, found.high
                ),
                _ => "-".to_owned(),
            };
            rows.push(vec![
                category.to_owned(),
                kind.name().to_owned(),
                lengths.len().to_string(),
                text(lengths, 3),
                difference,
                text(&of(kind, evenness), 2),
            ]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let header = [
        "interpolations",
        "model",
        "pairs",
        "path length",
        "random - rank 1 (95 %)",
        "largest / mean step",
    ];
    format!(
        "{}\nOf {frames} frames, LPIPS of the loss's network from frame to frame; smaller is smoother.\n",
        table::markdown(&header, &rows)
    )
}
