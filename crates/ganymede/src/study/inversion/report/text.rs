//! What the study found, in words.

use std::fmt::Write;

use super::super::claims::{Claim, Scope};
use super::super::interpolations::{Kind, Way};
use super::super::plan::Plan;
use super::super::results::CategoryResults;
use super::json::Protocol;
use crate::invert::{OptimizerChoice, StartChoice};
use crate::markdown;
use crate::statistics::{Bootstrap, Estimate};
use crate::study::verdict::Verdict;

pub fn introduction(plan: &Plan, protocol: &Protocol, results: &[CategoryResults]) -> String {
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
        "{}. {} models of {} pixels, ranked by Gaussian density: {}. Inverted into {} from {} in {} steps{}; loss {} LPIPS ({}) + {} MSE; device {}, \
         {} images together.\n\n",
        categories.join(", "),
        plan.models.len(),
        protocol.resolution,
        protocol.models.join(", "),
        protocol.space,
        match protocol.start {
            StartChoice::Sampled => "the best of random latents",
            StartChoice::Mean => "the mean latent",
            StartChoice::Regressed => "a regression",
        },
        protocol.steps,
        match protocol.optimizer {
            OptimizerChoice::Adam => "",
            OptimizerChoice::Lbfgs => " of L-BFGS",
        },
        protocol.lambda_lpips,
        protocol.loss,
        protocol.lambda_mse,
        protocol.device,
        protocol.batch,
    )
}

/// The verdict on each claim for all images together, and where there are several categories for each of them.
pub fn claims(claims: &[Claim]) -> String {
    let mut text = String::new();
    for claim in claims {
        let scopes = claim.scopes();
        let said = match scopes.split_last() {
            Some((whole, parts)) if claim.verdict.is_some() => {
                let together = if parts.is_empty() {
                    ""
                } else {
                    "of all images together "
                };
                let parts: String = parts
                    .iter()
                    .map(|part| format!("; of {} {}", part.images, verdict(part)))
                    .collect();
                format!(
                    "{together}**{}{parts}",
                    verdict(whole).replacen(" (", "** (", 1)
                )
            }
            _ => "not tested, for lack of ranks or images".to_owned(),
        };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "- \"{}\": {said}", claim.text);
    }
    text + "\n"
}

/// Such as `confirmed (8 of 8 comparisons hold)`.
fn verdict(scope: &Scope<'_>) -> String {
    let verdict = scope.verdict.map_or("not tested", Verdict::text);
    format!(
        "{verdict} ({} of {} comparisons hold)",
        scope.confirmed, scope.comparisons
    )
}

/// Differences between ranks and what they say of the claims.
pub fn comparisons(claims: &[Claim]) -> String {
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
    format!("{}\n", markdown::table(&header, &rows))
}

/// What percentile intervals of few images are worth.
pub fn caution(results: &[CategoryResults]) -> String {
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
pub fn interpolations(ways: &[Way], frames: u16, bootstrap: &Bootstrap) -> String {
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
        markdown::table(&header, &rows)
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::claims::Comparison;
    use super::super::super::metric::Metric;
    use super::*;
    use crate::study::verdict::Sign;

    fn comparison(images: &str, verdict: Verdict) -> Comparison {
        Comparison {
            images: images.to_owned(),
            metric: Metric::Psnr,
            rank: 2,
            against: 1,
            difference: None,
            expected: Sign::Negative,
            verdict: Some(verdict),
        }
    }

    #[test]
    fn a_verdict_says_of_which_images_it_holds() {
        let mut claim = Claim {
            text: "rank 1 is best",
            verdict: Some(Verdict::Confirmed),
            comparisons: vec![
                comparison("cats", Verdict::NotConfirmed),
                comparison("dogs", Verdict::Confirmed),
                comparison("all", Verdict::Confirmed),
            ],
        };
        assert_eq!(
            claims(std::slice::from_ref(&claim)),
            "- \"rank 1 is best\": of all images together **confirmed** (1 of 1 comparisons hold); of cats not confirmed (0 of 1 comparisons hold); \
             of dogs confirmed (1 of 1 comparisons hold)\n\n"
        );
        claim.comparisons.truncate(1);
        claim.verdict = Some(Verdict::NotConfirmed);
        assert_eq!(
            claims(&[claim]),
            "- \"rank 1 is best\": **not confirmed** (0 of 1 comparisons hold)\n\n"
        );
    }
}
