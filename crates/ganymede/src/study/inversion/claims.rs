//! The paper's claims against what was measured.

use serde::Serialize;

use super::metric::Metric;
use super::results::CategoryResults;
use crate::statistics::{Bootstrap, Interval};
use crate::study::verdict::{Sign, Verdict};

/// What the paper says, as comparisons that all have to hold: a claim of all of them needs no correction for their
/// number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// In words.
    pub text: &'static str,
    /// For all images together; none where nothing could be compared.
    pub verdict: Option<Verdict>,
    /// Of each category, and of all images where there are several.
    pub comparisons: Vec<Comparison>,
}

/// One metric at two ranks, image by image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The category, or `all`.
    pub images: String,
    /// What is compared.
    pub metric: Metric,
    /// The worse of the two ranks.
    pub rank: usize,
    /// The better of them.
    pub against: usize,
    /// Mean over the images of the value at `rank` less that at `against`; none for too few images.
    pub difference: Option<Interval>,
    /// What the claim says of the difference.
    pub expected: Sign,
    /// None where there is no difference.
    pub verdict: Option<Verdict>,
}

/// All categories together.
pub const ALL_IMAGES: &str = "all";

/// Judges both claims.
pub fn judge(categories: &[CategoryResults], ranks: &[usize], bootstrap: &Bootstrap) -> Vec<Claim> {
    let best = match ranks {
        [1, others @ ..] => others
            .iter()
            .flat_map(|rank| Metric::ALL.map(|metric| (metric, *rank, 1)))
            .collect(),
        _ => Vec::new(),
    };
    let grows = ranks
        .windows(2)
        .map(|pair| (Metric::WPlusDistance, pair[1], pair[0]))
        .collect();
    [
        ("rank 1 is best in every metric", best),
        ("the distance grows with the rank", grows),
    ]
    .map(|(text, pairs)| claim(text, &pairs, categories, ranks, bootstrap))
    .into()
}

fn claim(
    text: &'static str,
    pairs: &[(Metric, usize, usize)],
    categories: &[CategoryResults],
    ranks: &[usize],
    bootstrap: &Bootstrap,
) -> Claim {
    let mut scopes: Vec<(String, &[CategoryResults])> = categories
        .iter()
        .map(|category| (category.name.clone(), std::slice::from_ref(category)))
        .collect();
    if categories.len() > 1 {
        scopes.push((ALL_IMAGES.to_owned(), categories));
    }
    let comparisons: Vec<Comparison> = scopes
        .iter()
        .flat_map(|(images, categories)| {
            pairs.iter().map(move |(metric, rank, against)| {
                compare(
                    images,
                    categories,
                    ranks,
                    (*metric, *rank, *against),
                    bootstrap,
                )
            })
        })
        .collect();
    let mut claim = Claim {
        text,
        verdict: None,
        comparisons,
    };
    // The last scope is that of all images, also where there is one category.
    claim.verdict = claim.scopes().last().and_then(|whole| whole.verdict);
    claim
}

/// A claim for some of the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// The category, or `all`.
    pub images: &'a str,
    /// None where one of the comparisons could not be made.
    pub verdict: Option<Verdict>,
    /// Comparisons that are confirmed.
    pub confirmed: usize,
    pub comparisons: usize,
}

impl Claim {
    /// The claim for each category, and last for all images together where there are several.
    pub(super) fn scopes(&self) -> Vec<Scope<'_>> {
        self.comparisons
            .chunk_by(|a, b| a.images == b.images)
            .map(|part| {
                let verdicts: Vec<Option<Verdict>> = part.iter().map(|c| c.verdict).collect();
                let confirmed = verdicts
                    .iter()
                    .filter(|verdict| **verdict == Some(Verdict::Confirmed));
                Scope {
                    images: &part[0].images,
                    verdict: together(&verdicts),
                    confirmed: confirmed.count(),
                    comparisons: part.len(),
                }
            })
            .collect()
    }
}

/// What all verdicts say; where they differ the claim is not confirmed.
fn together(verdicts: &[Option<Verdict>]) -> Option<Verdict> {
    let (first, others) = verdicts.split_first()?;
    let verdicts_are_there = verdicts.iter().all(Option::is_some);
    let equal = others.iter().all(|other| other == first);
    match (verdicts_are_there, equal) {
        (false, _) => None,
        (true, true) => *first,
        (true, false) => Some(Verdict::NotConfirmed),
    }
}

fn compare(
    images: &str,
    categories: &[CategoryResults],
    ranks: &[usize],
    (metric, rank, against): (Metric, usize, usize),
    bootstrap: &Bootstrap,
) -> Comparison {
    let position = |rank| ranks.iter().position(|r| *r == rank);
    let differences: Option<Vec<Vec<f64>>> = position(rank).zip(position(against)).map(|(a, b)| {
        categories
            .iter()
            .map(|category| {
                let pairs = category.inversions[a].iter().zip(&category.inversions[b]);
                pairs
                    .map(|(a, b)| metric.of(&a.measures) - metric.of(&b.measures))
                    .collect()
            })
            .collect()
    });
    let difference = differences.and_then(|strata| bootstrap.interval(&strata));
    let grows = !metric.larger_is_better();
    let expected = if grows {
        Sign::Positive
    } else {
        Sign::Negative
    };
    Comparison {
        images: images.to_owned(),
        metric,
        rank,
        against,
        verdict: difference.as_ref().map(|found| expected.judge(found)),
        difference,
        expected,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::super::cache::{Kept, Measures};
    use super::*;
    use image_tensor::RgbImage;
    use ndarray::Array2;

    const BOOTSTRAP: Bootstrap = Bootstrap {
        resamples: 1000,
        seed: 0,
    };

    /// Images whose values at each rank are `value(rank) + noise(image)`.
    fn category(
        name: &str,
        ranks: &[usize],
        measures: impl Fn(f64, f64) -> Measures,
    ) -> CategoryResults {
        let kept = |rank: &usize| {
            (0..12)
                .map(|image| Kept {
                    measures: measures(*rank as f64, f64::from(image % 5)),
                    w_plus: Array2::zeros((1, 1)),
                    reconstruction: RgbImage::new(1, 1),
                    seconds: None,
                })
                .collect()
        };
        CategoryResults {
            name: name.to_owned(),
            own_model_first: None,
            inversions: ranks.iter().map(kept).collect(),
        }
    }

    /// Worse in everything from rank to rank, by more than images differ in that.
    fn worse(rank: f64, image: f64) -> Measures {
        Measures {
            lpips_alex: 0.1 * rank + image * (1.0 + 0.01 * rank),
            lpips_vgg: 0.2 * rank + image,
            psnr: 30.0 - rank - 0.1 * image,
            mse: 0.01 * rank * (1.0 + 0.1 * image),
            w_plus_distance: 3.0 * rank + image,
        }
    }

    #[test]
    fn claims_hold_where_every_comparison_holds() {
        let ranks = [1, 10, 15];
        let categories = ["a", "b"].map(|name| category(name, &ranks, worse));
        let claims = judge(&categories, &ranks, &BOOTSTRAP);
        assert_eq!(claims[0].comparisons.len(), 3 * 4 * 2);
        assert_eq!(claims[1].comparisons.len(), 3 * 2);
        for claim in &claims {
            assert_eq!(claim.verdict, Some(Verdict::Confirmed), "{claim:?}");
        }
        let distance = &claims[1].comparisons[5];
        assert_eq!(
            (distance.images.as_str(), distance.rank, distance.against),
            ("all", 15, 10)
        );
        let difference = distance.difference.unwrap();
        // Each image differs by exactly that.
        assert!((difference.mean - 15.0).abs() < 1e-12 && (difference.low - 15.0).abs() < 1e-12);
        // A worse PSNR is a smaller one.
        let psnr = claims[0]
            .comparisons
            .iter()
            .find(|c| c.metric == Metric::Psnr)
            .unwrap();
        assert_eq!(psnr.expected, Sign::Negative);
        assert!(psnr.difference.unwrap().high < 0.0);
    }

    #[test]
    fn one_comparison_that_fails_is_enough() {
        let ranks = [1, 2];
        let no_trend = |rank: f64, image: f64| Measures {
            lpips_vgg: if (image + rank) % 2.0 == 0.0 {
                0.5
            } else {
                0.4
            },
            ..worse(rank, image)
        };
        let claims = judge(&[category("a", &ranks, no_trend)], &ranks, &BOOTSTRAP);
        assert_eq!(claims[0].verdict, Some(Verdict::NotConfirmed));
        assert_eq!(claims[1].verdict, Some(Verdict::Confirmed));
        let better = |rank: f64, image: f64| worse(10.0 - rank, image);
        let claims = judge(&[category("a", &ranks, better)], &ranks, &BOOTSTRAP);
        for claim in &claims {
            assert_eq!(claim.verdict, Some(Verdict::Reversed), "{claim:?}");
        }
    }

    #[test]
    fn nothing_is_judged_without_two_ranks_or_without_rank_1() {
        let claims = judge(&[category("a", &[1], worse)], &[1], &BOOTSTRAP);
        assert!(claims.iter().all(|claim| claim.verdict.is_none()));
        let claims = judge(&[category("a", &[2, 3], worse)], &[2, 3], &BOOTSTRAP);
        assert_eq!(claims[0].verdict, None);
        assert_eq!(claims[1].verdict, Some(Verdict::Confirmed));
        let mut few = category("a", &[1, 2], worse);
        few.inversions.iter_mut().for_each(|kept| kept.truncate(1));
        let claims = judge(&[few], &[1, 2], &BOOTSTRAP);
        assert!(claims.iter().all(|claim| claim.verdict.is_none()));
    }
}
