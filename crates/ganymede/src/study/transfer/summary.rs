//! What the runs of one source say together.

use serde::Serialize;

use crate::transfer::distance::{Measurement, best};

/// Distances of all seeds after the same number of images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Thousands of images.
    pub kimg: f64,
    /// Of the seeds.
    pub mean: f64,
    /// Of the seeds.
    pub least: f64,
    /// Of the seeds.
    pub greatest: f64,
}

impl Point {
    /// Of the distances of the seeds.
    pub(super) fn of(kimg: f64, distances: &[f64]) -> Self {
        Self {
            kimg,
            mean: mean(distances.iter().copied()),
            least: distances.iter().copied().fold(f64::INFINITY, f64::min),
            greatest: distances.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// The mean curve of a source's runs and what is read off it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Runs with measurements.
    pub seeds: usize,
    /// As far as the shortest of its runs goes.
    pub curve: Vec<Point>,
    /// Of the source as it is.
    pub start: f64,
    /// Mean over the seeds of each one's least distance.
    pub best: f64,
    /// Half of the range of these.
    pub best_spread: f64,
    /// Mean at the end of the curve.
    pub end: f64,
    /// Mean of the curve over all images shown: low where a source converges early.
    pub average: f64,
    /// Mean over the seeds of the distance to the training images where the distance to the reference is least.
    pub training_at_best: f64,
}

impl Summary {
    /// Of the measurements of each seed; none where no seed has any.
    pub fn of(runs: &[Vec<Measurement>]) -> Option<Self> {
        let runs: Vec<&Vec<Measurement>> = runs.iter().filter(|run| !run.is_empty()).collect();
        let shortest = runs.iter().map(|run| run.len()).min()?;
        let curve: Vec<Point> = (0..shortest)
            .map(|index| {
                let distances: Vec<f64> =
                    runs.iter().map(|run| run[index].frechet_distance).collect();
                Point::of(runs[0][index].kimg, &distances)
            })
            .collect();
        let bests: Vec<&Measurement> = runs.iter().filter_map(|run| best(run)).collect();
        let least = |value: fn(&Measurement) -> f64| bests.iter().map(move |m| value(m));
        let distances = || least(|m| m.frechet_distance);
        let range = distances().fold(f64::NEG_INFINITY, f64::max)
            - distances().fold(f64::INFINITY, f64::min);
        Some(Self {
            seeds: runs.len(),
            start: curve[0].mean,
            best: mean(distances()),
            best_spread: range / 2.0,
            end: curve[curve.len() - 1].mean,
            average: average(&curve),
            training_at_best: mean(least(|m| m.frechet_distance_training)),
            curve,
        })
    }

    /// The least that the mean curve comes to.
    pub fn least_mean(&self) -> f64 {
        let means = self.curve.iter().map(|point| point.mean);
        means.fold(f64::INFINITY, f64::min)
    }

    /// Thousands of images until the mean curve, with straight lines between its points, comes down to a level; none
    /// where it does not.
    pub fn kimg_to(&self, level: f64) -> Option<f64> {
        kimg_to(&self.curve, level)
    }
}

pub(super) fn kimg_to(curve: &[Point], level: f64) -> Option<f64> {
    let first = curve.first()?;
    if first.mean <= level {
        return Some(first.kimg);
    }
    curve.windows(2).find_map(|pair| {
        let [a, b] = pair else { return None };
        (b.mean <= level).then(|| {
            let share = (a.mean - level) / (a.mean - b.mean);
            a.kimg + share * (b.kimg - a.kimg)
        })
    })
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count)
}

/// The curve's integral by straight lines over its length; its value where it is one point.
pub(super) fn average(curve: &[Point]) -> f64 {
    let (first, last) = (&curve[0], &curve[curve.len() - 1]);
    let length = last.kimg - first.kimg;
    if length <= 0.0 {
        return first.mean;
    }
    let area: f64 = curve
        .windows(2)
        .map(|pair| (pair[1].kimg - pair[0].kimg) * (pair[0].mean + pair[1].mean) / 2.0)
        .sum();
    area / length
}

/// The least distance that the mean curves of all sources come down to: the one by which their speeds can be compared.
pub fn common_level<'a>(summaries: impl Iterator<Item = &'a Summary>) -> Option<f64> {
    summaries.map(Summary::least_mean).reduce(f64::max)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    fn run(distances: &[f64]) -> Vec<Measurement> {
        let measured = distances
            .iter()
            .enumerate()
            .map(|(index, distance)| Measurement {
                iteration: index as u64,
                kimg: index as f64,
                frechet_distance: *distance,
                frechet_distance_training: distance / 2.0,
                resampled: Vec::new(),
                measuring_seconds: None,
            });
        measured.collect()
    }

    #[test]
    fn the_mean_curve_ends_where_the_shortest_run_does() {
        let summary =
            Summary::of(&[run(&[10.0, 6.0, 4.0]), run(&[10.0, 8.0]), Vec::new()]).unwrap();
        assert_eq!(summary.seeds, 2);
        let means: Vec<f64> = summary.curve.iter().map(|point| point.mean).collect();
        assert_eq!(means, [10.0, 7.0]);
        let point = &summary.curve[1];
        assert_eq!((point.least, point.greatest), (6.0, 8.0));
        assert_eq!((summary.start, summary.end), (10.0, 7.0));
        // Each seed's own best: 4 and 8.
        assert_eq!((summary.best, summary.best_spread), (6.0, 2.0));
        assert_eq!(summary.training_at_best, 3.0);
        assert_eq!(summary.average, 8.5);
        assert!(Summary::of(&[Vec::new()]).is_none());
    }

    #[test]
    fn a_level_is_reached_between_two_measurements() {
        let summary = Summary::of(&[run(&[10.0, 6.0, 6.5, 2.0])]).unwrap();
        assert_eq!(summary.kimg_to(12.0), Some(0.0));
        assert_eq!(summary.kimg_to(8.0), Some(0.5));
        assert_eq!(summary.kimg_to(6.0), Some(1.0));
        assert_eq!(summary.kimg_to(1.0), None);
        let slow = Summary::of(&[run(&[9.0, 9.0, 5.0, 5.5])]).unwrap();
        let level = common_level([&summary, &slow].into_iter()).unwrap();
        assert_eq!(level, 5.0);
        assert_eq!(slow.kimg_to(level), Some(2.0));
    }
}
