//! Means, their standard errors and bootstrap intervals.

use serde::{Deserialize, Serialize};
use stylegan2::RandomState;

/// A mean and how far off it may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Of all values.
    pub mean: f64,
    /// Sample standard deviation over the root of the number of values; none for a single value.
    pub standard_error: Option<f64>,
}

/// A mean with an interval of 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Of all values.
    pub mean: f64,
    /// 2.5 % lie below.
    pub low: f64,
    /// 2.5 % lie above.
    pub high: f64,
}

/// Probability below an interval, and above it.
const TAIL: f64 = 0.025;

impl Estimate {
    /// Of values; none for no values.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self {
            mean,
            standard_error: (values.len() > 1).then(|| (squares / (count - 1.0) / count).sqrt()),
        })
    }

    /// `mean ± standard error`.
    pub fn text(&self, digits: usize) -> String {
        let mean = format!("{:.digits$}", self.mean);
        match self.standard_error {
            Some(error) => format!("{mean} ± {error:.digits$}"),
            None => mean,
        }
    }
}

/// Draws samples with replacement.
#[derive(Clone, Copy, Debug)]
pub struct Bootstrap {
    /// How many samples are drawn.
    pub resamples: u32,
    /// The same seed draws the same samples.
    pub seed: u32,
}

impl Bootstrap {
    /// The percentile interval of the mean of all values (Efron 1979).
    ///
    /// Each stratum is drawn from for itself, with as many values as it has: how many there are of a kind was chosen
    /// and not observed. None where a stratum has fewer than two values, of which no spread can be known.
    pub fn interval(&self, strata: &[Vec<f64>]) -> Option<Interval> {
        if strata.is_empty() || strata.iter().any(|stratum| stratum.len() < 2) {
            return None;
        }
        let count = strata.iter().map(Vec::len).sum::<usize>() as f64;
        let mut random = RandomState::new(self.seed);
        let means: Vec<f64> = (0..self.resamples)
            .map(|_| {
                let mut sum = 0.0;
                for stratum in strata {
                    for _ in stratum {
                        // A uniform number below 1 times a length stays below it, as both have less than 53 bits.
                        let drawn = (random.uniform() * stratum.len() as f64) as usize;
                        sum += stratum[drawn];
                    }
                }
                sum / count
            })
            .collect();
        let mean = strata.iter().flatten().sum::<f64>() / count;
        Some(quantiles(mean, means))
    }
}

/// The percentile interval of a bootstrap's draws.
pub(crate) fn quantiles(mean: f64, mut drawn: Vec<f64>) -> Interval {
    drawn.sort_by(f64::total_cmp);
    Interval {
        mean,
        low: quantile(&drawn, TAIL),
        high: quantile(&drawn, 1.0 - TAIL),
    }
}

/// The quantile of sorted values, linear between two of them.
fn quantile(sorted: &[f64], probability: f64) -> f64 {
    let position = probability * (sorted.len() - 1) as f64;
    let (below, share) = (position as usize, position.fract());
    let above = (below + 1).min(sorted.len() - 1);
    // Equal values first: the difference of two infinities is no number.
    if sorted[below] == sorted[above] {
        return sorted[below];
    }
    sorted[below] + share * (sorted[above] - sorted[below])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    const BOOTSTRAP: Bootstrap = Bootstrap {
        resamples: 20_000,
        seed: 5,
    };

    #[test]
    fn means_and_standard_errors_are_those_of_the_textbook() {
        // Squares around 5: 9 + 1 + 1 + 9 = 20, over 3 for the variance, over 4 for that of the mean.
        let found = Estimate::of(&[2.0, 4.0, 6.0, 8.0]).unwrap();
        assert_eq!(found.mean, 5.0);
        assert!((found.standard_error.unwrap() - (20.0f64 / 12.0).sqrt()).abs() < 1e-15);
        assert_eq!(found.text(2), "5.00 ± 1.29");
        let single = Estimate::of(&[0.125]).unwrap();
        assert_eq!(
            (single.standard_error, single.text(3).as_str()),
            (None, "0.125")
        );
        assert_eq!(Estimate::of(&[]), None);
    }

    #[test]
    fn the_interval_of_zeros_and_ones_is_that_of_the_binomial_distribution() {
        // The mean of 20 drawn with replacement from ten zeros and ten ones is binomial over 20: 6 is the least value
        // that 2.5 % do not reach (P(X <= 5) = 2.07 %, P(X <= 6) = 5.77 %). With 20,000 resamples the first has a
        // standard error of 0.1 %, so 0.43 % are four of them.
        let values: Vec<f64> = (0..20).map(|i| f64::from(i % 2)).collect();
        let found = BOOTSTRAP.interval(&[values]).unwrap();
        assert!((found.mean - 0.5).abs() < 1e-15);
        assert!((found.low - 0.3).abs() < 1e-12, "{found:?}");
        assert!((found.high - 0.7).abs() < 1e-12, "{found:?}");
        // Of two values: 0 and 1 a quarter of the time each.
        let found = BOOTSTRAP.interval(&[vec![0.0, 1.0]]).unwrap();
        assert_eq!((found.low, found.high), (0.0, 1.0));
    }

    #[test]
    fn strata_keep_their_shares() {
        // Within a stratum nothing varies, so the mean cannot, though the strata are far apart.
        let found = BOOTSTRAP.interval(&[vec![0.0; 3], vec![8.0; 9]]).unwrap();
        assert_eq!((found.low, found.mean, found.high), (6.0, 6.0, 6.0));
        let mixed = BOOTSTRAP
            .interval(&[[vec![0.0; 3], vec![8.0; 9]].concat()])
            .unwrap();
        assert!(mixed.low < 5.0 && mixed.high > 7.0, "{mixed:?}");
    }

    #[test]
    fn an_interval_follows_its_values_and_its_seed() {
        let values: Vec<f64> = (0..40).map(|i| f64::from(i * 37 % 41) / 41.0).collect();
        let moved: Vec<f64> = values.iter().map(|v| 2.0 * v + 1.0).collect();
        let [found, moved] =
            [&values, &moved].map(|v| BOOTSTRAP.interval(std::slice::from_ref(v)).unwrap());
        for (a, b) in [
            (found.low, moved.low),
            (found.mean, moved.mean),
            (found.high, moved.high),
        ] {
            // Rounding of sums of 40 values around 1.
            assert!((2.0 * a + 1.0 - b).abs() < 1e-13, "{a} and {b}");
        }
        assert_eq!(
            BOOTSTRAP.interval(std::slice::from_ref(&values)).unwrap(),
            found
        );
        let other = Bootstrap {
            seed: 6,
            ..BOOTSTRAP
        };
        assert_ne!(
            other.interval(std::slice::from_ref(&values)).unwrap(),
            found
        );
        // Forty values are enough for the normal approximation: 1.96 standard errors to each side, of which the
        // bootstrap's are smaller by (39 / 40)^0.5, or 1.3 %; 3 % for the draws.
        let error = Estimate::of(&values).unwrap().standard_error.unwrap();
        for half in [found.mean - found.low, found.high - found.mean] {
            assert!((half / (1.96 * error) - 1.0).abs() < 0.043, "{half}");
        }
    }

    #[test]
    fn a_single_value_has_no_interval() {
        assert_eq!(BOOTSTRAP.interval(&[]), None);
        assert_eq!(BOOTSTRAP.interval(&[vec![1.0]]), None);
        assert_eq!(BOOTSTRAP.interval(&[vec![1.0, 2.0], vec![1.0]]), None);
    }
}
