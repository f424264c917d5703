use feature_stats::{Ddof, MeanCovariance, Moments};
use ndarray::{ArrayView2, Axis};

use crate::gram::check_sets;
use crate::random::Random;
use crate::{FrechetReference, MetricsError};

/// How the distance of infinitely many images is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extrapolation {
    /// Numbers of images at which the distance is measured.
    pub points: usize,
    /// The smallest is the whole set divided by this.
    pub range: usize,
    /// Seed of the subsets.
    pub seed: u32,
}

impl Default for Extrapolation {
    /// 15 numbers of images from a tenth of the set to all of it, the paper's 5000 to 50000.
    fn default() -> Self {
        Self {
            points: 15,
            range: 10,
            seed: 0,
        }
    }
}

/// A Fréchet distance as a function of the number of generated images.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExtrapolatedDistance {
    /// Where the line meets infinitely many images. For sets that are hardly different it may be below zero by the
    /// spread of the points.
    pub distance: f64,
    /// What one image more in 1 / images adds.
    pub slope: f64,
    /// Numbers of images, ascending, each with the distance of that many.
    pub points: Vec<(usize, f64)>,
}

/// FID-infinity (Chong and Forsyth, "Effectively unbiased FID and inception score and where to find them", 2020): the
/// Fréchet distance of `generated` `[images, dimension]` from the reference, freed of the bias of few images.
///
/// The distance of `n` images is too large by about `slope / n`; it is measured for random subsets of several sizes,
/// and a straight line in `1 / n` is followed to 0. The larger the set is than the dimension, the better the line fits.
/// What the reference's own images are too few for stays in the value.
///
/// # Errors
/// When the dimensions differ, a number is not finite, there are fewer than two points, or the smallest subset has
/// fewer than two images.
pub fn extrapolated_frechet_distance(
    generated: ArrayView2<'_, f32>,
    reference: &MeanCovariance,
    extrapolation: Extrapolation,
) -> Result<ExtrapolatedDistance, MetricsError> {
    let Extrapolation {
        points,
        range,
        seed,
    } = extrapolation;
    if points < 2 || range < 2 {
        return Err(MetricsError::InvalidSetting {
            what: "the points and range of an extrapolation",
            found: format!("{points} and {range}"),
            expected: "at least 2 each".to_owned(),
        });
    }
    // Two images for the smallest covariance, and a new number of images for every point.
    let required = (2 * range).max(points + 1);
    check_sets("FID-infinity", generated, generated, required)?;
    let reference = FrechetReference::new(reference)?;
    let largest = generated.nrows();
    let smallest = largest / range;
    let mut random = Random::new(seed);
    let measured = (0..points)
        .map(|point| {
            let count = smallest + (largest - smallest) * point / (points - 1);
            let subset = generated.select(Axis(0), &random.choose(largest, count));
            let mut moments = Moments::new(generated.ncols());
            moments.add_rows(subset.view())?;
            let statistics = moments.mean_covariance(Ddof::Sample)?;
            Ok((count, reference.distance(&statistics)?))
        })
        .collect::<Result<Vec<_>, MetricsError>>()?;
    let (distance, slope) = line(measured.iter().map(|(n, d)| (1.0 / *n as f64, *d)));
    Ok(ExtrapolatedDistance {
        distance,
        slope,
        points: measured,
    })
}

/// Intercept and slope of the least-squares line.
fn line(points: impl Iterator<Item = (f64, f64)> + Clone) -> (f64, f64) {
    let count = points.clone().count() as f64;
    let mean_x = points.clone().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.clone().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = points
        .clone()
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum();
    let variance: f64 = points.map(|(x, _)| (x - mean_x).powi(2)).sum();
    let slope = covariance / variance;
    (mean_y - slope * mean_x, slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_on_a_line_give_it_back() {
        let (intercept, slope) = line([0.5, 0.1, 0.02].map(|x| (x, 3.0 - 2.0 * x)).into_iter());
        assert!((intercept - 3.0).abs() < 1e-14 && (slope + 2.0).abs() < 1e-14);
    }
}
