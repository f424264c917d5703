use serde::{Deserialize, Serialize};
use stylegan2_ops::Filter;

use crate::StyleGan2Error;
use crate::resample_filter::MAX_TAPS;

/// The option `resample_filter`: taps that are scaled to sum 1.
///
/// A list is used along both axes, a list of lists is a two-dimensional filter, and `null` in JSON is no filtering.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ResampleTaps {
    /// One-dimensional taps; the filter is their outer product.
    Separable(Vec<f32>),
    /// Rows of a two-dimensional filter.
    Rows(Vec<Vec<f32>>),
    /// The single tap 1.
    Identity,
}

impl Default for ResampleTaps {
    /// StyleGAN2's `[1, 3, 3, 1]`.
    fn default() -> Self {
        Self::Separable(vec![1.0, 3.0, 3.0, 1.0])
    }
}

impl ResampleTaps {
    /// The filter with its taps scaled to sum 1, as the official `setup_filter`.
    ///
    /// # Errors
    /// When there are no taps or more than 64 along an axis, rows differ in length, a tap is not finite, or the sum is
    /// zero.
    pub fn filter(&self) -> Result<Filter, StyleGan2Error> {
        let invalid = |found: &str| {
            StyleGan2Error::invalid(
                "resample_filter",
                found,
                format!("1 to {MAX_TAPS} finite numbers along each axis whose sum is not zero"),
            )
        };
        let (rows, columns, taps) = match self {
            Self::Identity => (1, 1, vec![1.0]),
            Self::Separable(taps) => (1, taps.len(), taps.clone()),
            Self::Rows(rows) => {
                let columns = rows.first().map_or(0, Vec::len);
                if rows.iter().any(|row| row.len() != columns) {
                    return Err(invalid("a list of rows of different lengths"));
                }
                (rows.len(), columns, rows.concat())
            }
        };
        if taps.is_empty() {
            return Err(invalid("an empty list"));
        }
        if rows > MAX_TAPS || columns > MAX_TAPS {
            return Err(invalid(&format!("a list of {rows}x{columns} numbers")));
        }
        let sum: f32 = taps.iter().sum();
        if !sum.is_finite() || sum == 0.0 {
            return Err(invalid(&format!("a list of sum {sum}")));
        }
        Ok(match self {
            Self::Separable(taps) => Filter::normalized_outer(taps),
            _ => Filter::new(rows, columns, taps.iter().map(|tap| tap / sum).collect()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_official_option_is_understood() {
        let parse = |json: &str| serde_json::from_str::<ResampleTaps>(json).map(|t| t.filter());
        let separable = parse("[1, 3, 3, 1]").expect("a list").expect("valid");
        assert_eq!(
            separable.taps()[..4],
            [1.0, 3.0, 3.0, 1.0].map(|t| t / 64.0)
        );
        let rows = parse("[[1, 3], [1, 3]]").expect("rows").expect("valid");
        assert_eq!(rows.taps(), [0.125, 0.375, 0.125, 0.375]);
        let identity = parse("null").expect("null").expect("valid");
        assert_eq!(identity.taps(), [1.0]);
    }

    #[test]
    fn impossible_filters_are_errors() {
        for taps in [
            ResampleTaps::Separable(vec![]),
            ResampleTaps::Separable(vec![1.0, -1.0]),
            ResampleTaps::Separable(vec![f32::NAN]),
            ResampleTaps::Separable(vec![1.0; MAX_TAPS + 1]),
            ResampleTaps::Rows(vec![vec![1.0], vec![1.0, 2.0]]),
            ResampleTaps::Rows(vec![vec![]]),
        ] {
            let error = taps.filter().expect_err("must be refused").to_string();
            assert!(error.contains("resample_filter"), "{error}");
        }
    }
}
