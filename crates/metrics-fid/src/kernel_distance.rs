use ndarray::{ArrayView2, Axis};

use crate::MetricsError;
use crate::gram::{Pairs, check_sets, for_each_product};
use crate::random::Random;

const NAME: &str = "KID";

/// The kernel inception distance of two sets of features `[images, dimension]`: the unbiased estimate of the squared
/// maximum mean discrepancy with the kernel `k(x, y) = (x . y / dimension + 1)^3`,
///
/// `sum_{i != j} k(a_i, a_j) / m (m - 1) + sum_{i != j} k(b_i, b_j) / n (n - 1) - 2 sum_{i, j} k(a_i, b_j) / m n`
///
/// (Binkowski et al., "Demystifying MMD GANs", 2018, equation 4), over all images at once. Being unbiased, it may be
/// below zero for sets that are alike. Time grows with the square of the number of images, memory does not.
///
/// # Errors
/// When the dimensions differ, a set has fewer than two images, or a number is not finite.
///
/// ```
/// use ndarray::array;
///
/// // One feature: k(1, 1) = 8, k(2, 2) = 125, k(1, 2) = 27.
/// let a = array![[1.0f32], [1.0]];
/// let b = array![[2.0f32], [2.0]];
/// assert_eq!(metrics_fid::kernel_distance(a.view(), b.view())?, 8.0 + 125.0 - 2.0 * 27.0);
/// # Ok::<(), metrics_fid::MetricsError>(())
/// ```
pub fn kernel_distance(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
) -> Result<f64, MetricsError> {
    check_sets(NAME, a, b, 2)?;
    Ok(unbiased_estimate(a, b))
}

fn unbiased_estimate(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> f64 {
    let (m, n) = (a.nrows() as f64, b.nrows() as f64);
    2.0 * kernel_sum(a, a, Pairs::Within) / (m * (m - 1.0))
        + 2.0 * kernel_sum(b, b, Pairs::Within) / (n * (n - 1.0))
        - 2.0 * kernel_sum(a, b, Pairs::Between) / (m * n)
}

/// Sum of `k - 1`. The ones cancel between the three means, and small features would lose their digits in them.
fn kernel_sum(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, pairs: Pairs) -> f64 {
    let dimension = a.ncols() as f64;
    let mut sum = 0.0;
    for_each_product(a, b, pairs, |_, _, product| {
        let u = product / dimension;
        // (u + 1)^3 - 1
        sum += u * (3.0 + u * (3.0 + u));
    });
    sum
}

/// Random subsets that the distance is averaged over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelSubsets {
    /// How many pairs of subsets.
    pub count: usize,
    /// Images of a subset at most; sets with fewer are taken whole.
    pub size: usize,
    /// Seed of the choice.
    pub seed: u32,
}

impl Default for KernelSubsets {
    /// 100 subsets of 1000 images, as clean-fid and torch-fidelity have it.
    fn default() -> Self {
        Self {
            count: 100,
            size: 1000,
            seed: 0,
        }
    }
}

/// Mean and spread of [`kernel_distance`] over subsets.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct KernelEstimate {
    /// Mean over the subsets.
    pub mean: f64,
    /// Standard deviation over the subsets, with divisor `count` as torch-fidelity has it.
    pub std: f64,
}

/// [`kernel_distance`] averaged over random subsets without repetition, as KID is usually reported.
///
/// Both subsets have the size of the smaller set at most.
///
/// Differs from clean-fid in the generator that draws the subsets, so single draws differ; the mean estimates the same
/// number.
///
/// # Errors
/// As [`kernel_distance`], and when there are no subsets or they have fewer than two images.
pub fn kernel_distance_of_subsets(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    subsets: KernelSubsets,
) -> Result<KernelEstimate, MetricsError> {
    check_sets(NAME, a, b, 2)?;
    if subsets.count == 0 || subsets.size < 2 {
        return Err(MetricsError::InvalidSetting {
            what: "the number and size of subsets",
            found: format!("{} of {}", subsets.count, subsets.size),
            expected: "at least 1 of 2 images".to_owned(),
        });
    }
    let size = subsets.size.min(a.nrows()).min(b.nrows());
    let mut random = Random::new(subsets.seed);
    let values: Vec<f64> = (0..subsets.count)
        .map(|_| {
            let [a, b] = [a, b].map(|set| set.select(Axis(0), &random.choose(set.nrows(), size)));
            unbiased_estimate(a.view(), b.view())
        })
        .collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
    Ok(KernelEstimate {
        mean,
        std: variance.sqrt(),
    })
}
