//! How far off what is read off the curves may be: a bootstrap over the seeds of the runs and over the images that
//! distances are of.

use serde::Serialize;
use stylegan2::RandomState;

use super::summary::{Point, average, kimg_to};
use crate::statistics::{Interval, quantiles};
use crate::study::verdict::{Sign, Verdict};
use crate::transfer::distance::Measurement;

/// Draws of a bootstrap. Percentiles of 2.5 % stand on 50 of them at either end.
const DRAWS: u32 = 2000;

/// Intervals of 95 % of what a source's mean curve says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Intervals {
    /// Of the mean over the run.
    pub average: Interval,
    /// Of the mean at the end.
    pub end: Interval,
    /// Of the thousands of images to the target's level.
    pub kimg_to_level: Option<KimgInterval>,
}

/// An interval of 95 % of thousands of images; an end is none where the curve does not come so far within the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KimgInterval {
    /// 2.5 % lie below.
    pub low: Option<f64>,
    /// 2.5 % lie above.
    pub high: Option<f64>,
}

/// A source beside the one at the first rank. The paper's claim is that the first converges faster on average: larger
/// values of the other confirm it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// Of the other source.
    pub rank: usize,
    /// Natural logarithm of the ratio of both averages over the run.
    pub average: Interval,
    /// What it says of the claim.
    pub average_verdict: Verdict,
    /// The same of the ends of the run.
    pub end: Interval,
    /// What it says of the claim.
    pub end_verdict: Verdict,
}

/// The runs of a source: a curve for each seed, and how its points spread with other images.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    runs: Vec<Vec<DrawnPoint>>,
}

#[derive(Clone, Debug, PartialEq)]
struct DrawnPoint {
    kimg: f64,
    distance: f64,
    /// What each draw of images makes of it: its distance over the mean of all draws. Distances of draws are larger by
    /// themselves, as fewer different images are in them; ratios take that out and stay positive.
    factors: Vec<f64>,
}

impl DrawnPoint {
    fn of(measurement: &Measurement) -> Self {
        let drawn = &measurement.resampled;
        let mean = drawn.iter().sum::<f64>() / drawn.len().max(1) as f64;
        Self {
            kimg: measurement.kimg,
            distance: measurement.frechet_distance,
            factors: match mean > 0.0 {
                true => drawn.iter().map(|distance| distance / mean).collect(),
                false => Vec::new(),
            },
        }
    }
}

/// A draw: which seeds' runs, and which of the draws of images.
struct Draw {
    runs: Vec<f64>,
    images: f64,
}

impl Draw {
    fn new(seeds: usize, random: &mut RandomState) -> Self {
        Self {
            runs: (0..seeds).map(|_| random.uniform()).collect(),
            images: random.uniform(),
        }
    }
}

fn at<T>(values: &[T], uniform: f64) -> Option<&T> {
    values.get((uniform * values.len() as f64) as usize)
}

impl Curves {
    /// Of the measurements of each seed, as far as the shortest goes; none for fewer than two seeds, of which no spread
    /// can be known.
    pub fn of(runs: &[Vec<Measurement>]) -> Option<Self> {
        let runs: Vec<&Vec<Measurement>> = runs.iter().filter(|run| !run.is_empty()).collect();
        let shortest = runs.iter().map(|run| run.len()).min()?;
        (runs.len() > 1).then(|| Self {
            runs: runs
                .iter()
                .map(|run| run[..shortest].iter().map(DrawnPoint::of).collect())
                .collect(),
        })
    }

    fn drawn(&self, draw: &Draw) -> Vec<Point> {
        let runs: Vec<&Vec<DrawnPoint>> = draw
            .runs
            .iter()
            .filter_map(|uniform| at(&self.runs, *uniform))
            .collect();
        self.mean(&runs, |point| {
            point.distance * at(&point.factors, draw.images).copied().unwrap_or(1.0)
        })
    }

    fn as_measured(&self) -> Vec<Point> {
        self.mean(&self.runs.iter().collect::<Vec<_>>(), |point| {
            point.distance
        })
    }

    fn mean(&self, runs: &[&Vec<DrawnPoint>], distance: impl Fn(&DrawnPoint) -> f64) -> Vec<Point> {
        let first = &self.runs[0];
        (0..first.len())
            .map(|index| {
                let distances: Vec<f64> = runs.iter().map(|run| distance(&run[index])).collect();
                Point::of(first[index].kimg, &distances)
            })
            .collect()
    }

    /// What the curve says, with intervals.
    pub fn intervals(&self, level: Option<f64>, seed: u32) -> Intervals {
        let mut random = RandomState::new(seed);
        let drawn: Vec<Vec<Point>> = (0..DRAWS)
            .map(|_| self.drawn(&Draw::new(self.runs.len(), &mut random)))
            .collect();
        let measured = self.as_measured();
        let interval = |value: fn(&[Point]) -> f64| {
            quantiles(
                value(&measured),
                drawn.iter().map(|curve| value(curve)).collect(),
            )
        };
        Intervals {
            average: interval(average),
            end: interval(end),
            kimg_to_level: level.map(|level| {
                // A curve that never comes down takes longer than any other.
                let kimg = |curve: &[Point]| kimg_to(curve, level).unwrap_or(f64::INFINITY);
                let all = drawn.iter().map(|curve| kimg(curve)).collect();
                let Interval { low, high, .. } = quantiles(kimg(&measured), all);
                let [low, high] = [low, high].map(|end| Some(end).filter(|kimg| kimg.is_finite()));
                KimgInterval { low, high }
            }),
        }
    }
}

fn end(curve: &[Point]) -> f64 {
    curve[curve.len() - 1].mean
}

/// The sources at other ranks beside the one at the first, over one target or the geometric mean over several.
///
/// Each pair has both sources' curves on one target. Both are drawn alike, as a seed decides latents, augmentation and
/// the order of images of either. None for no pair, and where a distance is zero, which has no ratio.
pub fn compare(rank: usize, pairs: &[[&Curves; 2]], seed: u32) -> Option<Comparison> {
    let measured: Vec<[Vec<Point>; 2]> = pairs
        .iter()
        .map(|pair| pair.map(Curves::as_measured))
        .collect();
    let is_positive = |curve: &Vec<Point>| average(curve) > 0.0 && end(curve) > 0.0;
    if measured.is_empty() || !measured.iter().flatten().all(is_positive) {
        return None;
    }
    let mut random = RandomState::new(seed);
    let draws: Vec<Vec<[Vec<Point>; 2]>> = (0..DRAWS)
        .map(|_| {
            let of_target = |pair: &[&Curves; 2]| {
                let seeds = pair.map(|curves| curves.runs.len());
                let draw = Draw::new(seeds[0].max(seeds[1]), &mut random);
                pair.map(|curves| curves.drawn(&draw))
            };
            pairs.iter().map(of_target).collect()
        })
        .collect();
    let interval = |value: fn(&[Point]) -> f64| {
        let ratio = |targets: &Vec<[Vec<Point>; 2]>| {
            let ratios = targets
                .iter()
                .map(|[first, other]| (value(other) / value(first)).ln());
            ratios.sum::<f64>() / targets.len() as f64
        };
        quantiles(ratio(&measured), draws.iter().map(ratio).collect())
    };
    let (average, end) = (interval(average), interval(end));
    Some(Comparison {
        rank,
        average,
        average_verdict: Sign::Positive.judge(&average),
        end,
        end_verdict: Sign::Positive.judge(&end),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    fn run(distances: &[f64], factors: &[f64]) -> Vec<Measurement> {
        let measured = distances.iter().enumerate().map(|(index, distance)| {
            // Twice as much, as distances of draws are larger.
            let resampled = factors
                .iter()
                .map(|factor| 2.0 * distance * factor)
                .collect();
            Measurement {
                iteration: index as u64,
                kimg: index as f64,
                frechet_distance: *distance,
                frechet_distance_training: *distance,
                resampled,
                measuring_seconds: None,
            }
        });
        measured.collect()
    }

    #[test]
    fn without_any_spread_an_interval_is_its_value() {
        let runs = [run(&[10.0, 6.0, 2.0], &[]), run(&[10.0, 6.0, 2.0], &[])];
        let found = Curves::of(&runs).unwrap().intervals(Some(4.0), 0);
        assert_eq!(
            (found.average.low, found.average.mean, found.average.high),
            (6.0, 6.0, 6.0)
        );
        assert_eq!((found.end.low, found.end.high), (2.0, 2.0));
        let kimg = found.kimg_to_level.unwrap();
        assert_eq!((kimg.low, kimg.high), (Some(1.5), Some(1.5)));
        assert!(Curves::of(&runs[..1]).is_none(), "one seed has no spread");
    }

    #[test]
    fn seeds_spread_as_the_binomial_distribution_and_images_by_their_draws() {
        // Of two seeds both are one of them half of the time.
        let seeds = [run(&[4.0, 2.0], &[]), run(&[4.0, 6.0], &[])];
        let found = Curves::of(&seeds).unwrap().intervals(Some(3.0), 1);
        assert_eq!(
            (found.end.low, found.end.mean, found.end.high),
            (2.0, 4.0, 6.0)
        );
        let kimg = found.kimg_to_level.unwrap();
        assert_eq!((kimg.low, kimg.high), (Some(0.5), None));
        // A quarter less and a quarter more; all points of a curve move together.
        let images = [(); 2].map(|()| run(&[4.0, 4.0], &[0.75, 1.25]));
        let found = Curves::of(&images).unwrap().intervals(None, 1);
        for interval in [found.average, found.end] {
            assert_eq!(
                (interval.low, interval.mean, interval.high),
                (3.0, 4.0, 5.0)
            );
        }
        assert_eq!(found.kimg_to_level, None);
    }

    #[test]
    fn the_claim_is_judged_by_ratios() {
        let twice = |runs: &[Vec<Measurement>]| {
            let doubled = |m: &Measurement| Measurement {
                frechet_distance: 2.0 * m.frechet_distance,
                ..m.clone()
            };
            let runs: Vec<Vec<Measurement>> = runs
                .iter()
                .map(|run| run.iter().map(doubled).collect())
                .collect();
            Curves::of(&runs).unwrap()
        };
        let first = [run(&[4.0, 2.0], &[]), run(&[5.0, 3.0], &[])];
        let (a, b) = (Curves::of(&first).unwrap(), twice(&first));
        // Seeds are drawn alike, so that a source that is twice as far with every seed is so in every draw.
        let found = compare(20, &[[&a, &b]], 3).unwrap();
        for interval in [found.average, found.end] {
            for value in [interval.low, interval.mean, interval.high] {
                assert!((value - 2f64.ln()).abs() < 1e-12, "{interval:?}");
            }
        }
        assert_eq!(found.average_verdict, Verdict::Confirmed);
        let reversed = compare(20, &[[&b, &a]], 3).unwrap();
        assert_eq!(reversed.end_verdict, Verdict::Reversed);
        // Over both targets the geometric mean is 1.
        let both = compare(20, &[[&a, &b], [&b, &a]], 3).unwrap();
        assert!(both.average.mean.abs() < 1e-12);
        assert_eq!(both.average_verdict, Verdict::NotConfirmed);
        assert!(compare(20, &[], 3).is_none());
        let zero = [(); 2].map(|()| run(&[1.0, 0.0], &[]));
        let zero = Curves::of(&zero).unwrap();
        assert!(compare(20, &[[&zero, &a]], 3).is_none());
    }
}
