use ndarray::ArrayView2;

use crate::MetricsError;
use crate::gram::{Pairs, check_sets, for_each_squared_distance};

/// Neighbors that span a ball in Kynkäänniemi et al.'s evaluation.
pub const PRECISION_RECALL_NEIGHBORS: usize = 3;
/// Neighbors that span a ball in Naeem et al.'s evaluation.
pub const DENSITY_COVERAGE_NEIGHBORS: usize = 5;

/// How far a squared distance may be from a squared radius to count as equal: more than rounding of a distance does, so
/// that copies of an image are all inside a ball or all outside.
const EQUAL: f64 = 1e-9;

/// Fidelity and diversity, each in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PrecisionRecall {
    /// The part of the generated images that lie in the manifold of the real ones.
    pub precision: f64,
    /// The part of the real images that lie in the manifold of the generated ones.
    pub recall: f64,
}

/// Improved precision and recall (Kynkäänniemi et al., 2019) of features `[images, dimension]`.
///
/// The manifold of a set is the union of balls around its features, each reaching to the `neighbors`-th nearest other
/// feature of the set; the ball's surface belongs to it. [`PRECISION_RECALL_NEIGHBORS`] is the paper's number.
///
/// # Errors
/// When the dimensions differ, a number is not finite, `neighbors` is 0, or a set has no more images than that.
///
/// ```
/// use metrics_fid::precision_recall;
/// use ndarray::array;
///
/// // Balls around 0, 1 and 3 with radii 1, 1 and 2; around 2, 2.5 and 9 with 0.5, 0.5 and 6.5.
/// let real = array![[0.0f32], [1.0], [3.0]];
/// let generated = array![[2.0f32], [2.5], [9.0]];
/// let found = precision_recall(real.view(), generated.view(), 1)?;
/// assert_eq!(found.precision, 2.0 / 3.0); // 9 is in none
/// assert_eq!(found.recall, 1.0 / 3.0); // only 3
/// # Ok::<(), metrics_fid::MetricsError>(())
/// ```
pub fn precision_recall(
    real: ArrayView2<'_, f32>,
    generated: ArrayView2<'_, f32>,
    neighbors: usize,
) -> Result<PrecisionRecall, MetricsError> {
    let what = "precision and recall";
    check_neighbors(what, real, generated, neighbors)?;
    let real_radii = squared_radii(real, neighbors);
    let generated_radii = squared_radii(generated, neighbors);
    let mut is_precise = vec![false; generated.nrows()];
    let mut is_recalled = vec![false; real.nrows()];
    for_each_squared_distance(real, generated, Pairs::Between, |i, j, distance| {
        let distance = distance * (1.0 - EQUAL);
        is_precise[j] |= distance <= real_radii[i];
        is_recalled[i] |= distance <= generated_radii[j];
    });
    Ok(PrecisionRecall {
        precision: part(&is_precise),
        recall: part(&is_recalled),
    })
}

/// Fidelity and diversity that single outliers do not spoil.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct DensityCoverage {
    /// In how many balls of real images a generated image lies, over the number of neighbors; 1 is expected of equal
    /// distributions, and more is possible.
    pub density: f64,
    /// The part of the real images whose ball holds a generated image, in [0, 1].
    pub coverage: f64,
}

/// Density and coverage (Naeem et al., "Reliable fidelity and diversity metrics for generative models", 2020) of
/// features `[images, dimension]`.
///
/// Balls are those of the real set as in [`precision_recall`], without their surface as in the authors' code.
/// [`DENSITY_COVERAGE_NEIGHBORS`] is the paper's number.
///
/// # Errors
/// As [`precision_recall`].
pub fn density_coverage(
    real: ArrayView2<'_, f32>,
    generated: ArrayView2<'_, f32>,
    neighbors: usize,
) -> Result<DensityCoverage, MetricsError> {
    check_neighbors("density and coverage", real, generated, neighbors)?;
    let radii = squared_radii(real, neighbors);
    let mut inside = 0u64;
    let mut is_covered = vec![false; real.nrows()];
    for_each_squared_distance(real, generated, Pairs::Between, |i, _, distance| {
        if distance < radii[i] * (1.0 - EQUAL) {
            inside += 1;
            is_covered[i] = true;
        }
    });
    Ok(DensityCoverage {
        density: inside as f64 / (neighbors * generated.nrows()) as f64,
        coverage: part(&is_covered),
    })
}

fn check_neighbors(
    what: &'static str,
    real: ArrayView2<'_, f32>,
    generated: ArrayView2<'_, f32>,
    neighbors: usize,
) -> Result<(), MetricsError> {
    if neighbors == 0 {
        return Err(MetricsError::InvalidSetting {
            what: "the number of neighbors",
            found: "0".to_owned(),
            expected: "at least 1".to_owned(),
        });
    }
    check_sets(what, real, generated, neighbors.saturating_add(1))
}

fn part(members: &[bool]) -> f64 {
    members.iter().filter(|member| **member).count() as f64 / members.len() as f64
}

/// For each feature the squared distance of the `neighbors`-th nearest other.
fn squared_radii(set: ArrayView2<'_, f32>, neighbors: usize) -> Vec<f64> {
    let mut nearest = vec![Vec::with_capacity(neighbors + 1); set.nrows()];
    for_each_squared_distance(set, set, Pairs::Within, |i, j, distance| {
        insert(&mut nearest[i], distance, neighbors);
        insert(&mut nearest[j], distance, neighbors);
    });
    nearest
        .into_iter()
        .map(|distances: Vec<f64>| distances[neighbors - 1])
        .collect()
}

/// Keeps the smallest `count` values, ascending.
fn insert(smallest: &mut Vec<f64>, value: f64, count: usize) {
    if smallest.len() == count && value >= smallest[count - 1] {
        return;
    }
    let place = smallest.partition_point(|other| *other <= value);
    smallest.insert(place, value);
    smallest.truncate(count);
}
