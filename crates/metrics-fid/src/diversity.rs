use crate::MetricsError;
use crate::random::Random;

/// Pairs of different images out of `count`, `i < j`: all of them where there are no more than `at_most`, else as many
/// drawn by the seed, none twice.
pub fn image_pairs(count: usize, at_most: usize, seed: u32) -> Vec<(usize, usize)> {
    let all = count * count.saturating_sub(1) / 2;
    if all <= at_most {
        return (0..all).map(pair).collect();
    }
    let mut chosen = Random::new(seed).choose(all, at_most);
    chosen.sort_unstable();
    chosen.into_iter().map(pair).collect()
}

/// The pair at `index` of (0, 1), (0, 2), (1, 2), (0, 3), ...
fn pair(index: usize) -> (usize, usize) {
    // j (j - 1) / 2 pairs come before the first with j; the root may be off by one.
    let mut j = ((2.0 * index as f64 + 0.25).sqrt() + 0.5) as usize;
    while j * (j - 1) / 2 > index {
        j -= 1;
    }
    while (j + 1) * j / 2 <= index {
        j += 1;
    }
    (index - j * (j - 1) / 2, j)
}

/// Mean perceptual distance between the images of a set.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Diversity {
    /// Mean over the pairs.
    pub mean: f64,
    /// Standard deviation over the pairs, with divisor `pairs - 1`; 0 for one pair.
    pub std: f64,
    /// Number of pairs.
    pub pairs: usize,
}

/// Diversity of a set: the mean of the distances of its pairs, which the caller measures (with LPIPS it is the LPIPS
/// diversity of the few-shot literature, such as Ojha et al., 2021). [`image_pairs`] says of which images.
///
/// # Errors
/// When there is no distance or one is not finite.
///
/// ```
/// use metrics_fid::{diversity, image_pairs};
///
/// let images = [0.0, 1.0, 3.0f64];
/// let distances: Vec<f64> = image_pairs(3, 100, 0)
///     .into_iter()
///     .map(|(i, j)| (images[i] - images[j]).abs())
///     .collect();
/// assert_eq!(diversity(&distances)?.mean, 2.0);
/// # Ok::<(), metrics_fid::MetricsError>(())
/// ```
pub fn diversity(distances: &[f64]) -> Result<Diversity, MetricsError> {
    check_distances("diversity", distances)?;
    let pairs = distances.len();
    let mean = distances.iter().sum::<f64>() / pairs as f64;
    let squares: f64 = distances.iter().map(|d| (d - mean).powi(2)).sum();
    let std = (squares / pairs.saturating_sub(1).max(1) as f64).sqrt();
    Ok(Diversity { mean, std, pairs })
}

/// At least one distance, all finite.
pub(crate) fn check_distances(what: &'static str, distances: &[f64]) -> Result<(), MetricsError> {
    if distances.is_empty() {
        return Err(MetricsError::TooFewImages {
            what,
            found: 0,
            required: 2,
        });
    }
    match distances.iter().enumerate().find(|(_, d)| !d.is_finite()) {
        None => Ok(()),
        Some((index, value)) => Err(MetricsError::NonFinite {
            what: "distance",
            index,
            value: *value,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_up() {
        assert_eq!(
            image_pairs(4, 6, 0),
            [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
        );
        assert_eq!(image_pairs(1, 10, 0), []);
        // The last pair of a set whose pairs no f32 could count.
        let count = 100_000usize;
        let last = count * (count - 1) / 2 - 1;
        assert_eq!(pair(last), (count - 2, count - 1));
        assert_eq!(pair(last - (count - 2)), (0, count - 1));
    }

    #[test]
    fn drawn_pairs_are_different_ones() {
        let pairs = image_pairs(20, 50, 1);
        assert_eq!(pairs.len(), 50);
        assert!(pairs.iter().all(|(i, j)| i < j && *j < 20));
        assert!(pairs.windows(2).all(|two| two[0] != two[1]));
        assert_ne!(pairs, image_pairs(20, 50, 2));
    }
}
