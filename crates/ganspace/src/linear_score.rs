use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate, s};

use crate::GanspaceError;
use crate::principal_components::check_rows;

/// Images of a kind that have a variance.
const FEWEST: usize = 2;

const WITH: &str = "images with the attribute";
const WITHOUT: &str = "images without the attribute";

/// A linear score of image features that tells images with an attribute from images without it: positive for those with
/// it.
///
/// Diagonal linear discriminant (Dudoit, Fridlyand and Speed, "Comparison of discrimination methods for the
/// classification of tumors", 2002): the difference of the two means, each feature over its pooled variance, which a
/// handful of images is enough for. To every standard deviation the median of all is added, as Tibshirani et al.
/// ("Diagnosis of multiple cancer types by shrunken centroids of gene expression", 2002) do, so that features that
/// happen to be constant do not decide.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearScore {
    /// `[d]`.
    weights: Array1<f64>,
    /// Half way between the means, `[d]`.
    midpoint: Array1<f64>,
}

impl LinearScore {
    /// Fits features `[n, d]` of images with the attribute and `[m, d]` without it.
    ///
    /// # Errors
    /// When there are fewer than two of either, dimensions differ, a number is not finite, or the means are the same.
    pub fn fit<T: Copy + Into<f64>>(
        with: ArrayView2<'_, T>,
        without: ArrayView2<'_, T>,
    ) -> Result<Self, GanspaceError> {
        let dimension = with.ncols();
        let with = check_rows("a feature", with, dimension)?;
        let without = check_rows("a feature", without, dimension)?;
        let (mean_with, scatter_with) = mean_and_scatter(WITH, &with)?;
        let (mean_without, scatter_without) = mean_and_scatter(WITHOUT, &without)?;
        let degrees = (with.nrows() + without.nrows() - 2) as f64;
        let stdev = ((scatter_with + scatter_without) / degrees).mapv(f64::sqrt);
        let shrinkage = median(&stdev);
        let difference = &mean_with - &mean_without;
        let weights = Array1::from_iter(difference.iter().zip(&stdev).map(|(d, s)| {
            let spread = s + shrinkage;
            // Without any spread at all, the difference itself is all there is.
            if spread > 0.0 {
                d / (spread * spread)
            } else {
                *d
            }
        }));
        if weights.iter().all(|weight| *weight == 0.0) {
            return Err(GanspaceError::NoSpread {
                what: "differences of features between images with and without the attribute",
                value: 0.0,
            });
        }
        Ok(Self {
            weights,
            midpoint: (mean_with + mean_without) / 2.0,
        })
    }

    /// Scores of the rows of features `[n, d]`.
    ///
    /// # Errors
    /// When the dimension differs or a number is not finite.
    pub fn scores<T: Copy + Into<f64>>(
        &self,
        features: ArrayView2<'_, T>,
    ) -> Result<Array1<f64>, GanspaceError> {
        let features = check_rows("a feature", features, self.weights.len())?;
        Ok((features - &self.midpoint).dot(&self.weights))
    }

    /// Share of the images, `[n, d]` with and `[m, d]` without the attribute, that a score fitted on all others puts on
    /// the right side, the two kinds weighing the same: 1 is perfect, 0.5 is chance. It says whether the features show
    /// the attribute at all.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and when there are fewer than three of either.
    pub fn leave_one_out_accuracy<T: Copy + Into<f64>>(
        with: ArrayView2<'_, T>,
        without: ArrayView2<'_, T>,
    ) -> Result<f64, GanspaceError> {
        let dimension = with.ncols();
        let with = check_rows("a feature", with, dimension)?;
        let without = check_rows("a feature", without, dimension)?;
        // One that is left out leaves enough for a fit.
        check_enough(WITH, &with, FEWEST + 1)?;
        check_enough(WITHOUT, &without, FEWEST + 1)?;
        let share_right = |rows: &Array2<f64>, is_with: bool| {
            let mut right = 0;
            for left_out in 0..rows.nrows() {
                let rest = without_row(rows, left_out);
                let score = if is_with {
                    Self::fit(rest.view(), without.view())
                } else {
                    Self::fit(with.view(), rest.view())
                }?;
                let score = score.scores(rows.row(left_out).insert_axis(Axis(0)))?[0];
                right += usize::from((score > 0.0) == is_with);
            }
            Ok::<f64, GanspaceError>(right as f64 / rows.nrows() as f64)
        };
        Ok((share_right(&with, true)? + share_right(&without, false)?) / 2.0)
    }
}

fn check_enough(
    what: &'static str,
    rows: &Array2<f64>,
    required: usize,
) -> Result<(), GanspaceError> {
    if rows.nrows() >= required {
        return Ok(());
    }
    Err(GanspaceError::TooFew {
        what,
        found: rows.nrows(),
        required,
    })
}

/// Mean of each column, and its sum of squared distances from that.
fn mean_and_scatter(
    what: &'static str,
    rows: &Array2<f64>,
) -> Result<(Array1<f64>, Array1<f64>), GanspaceError> {
    check_enough(what, rows, FEWEST)?;
    let mean = rows.sum_axis(Axis(0)) / rows.nrows() as f64;
    let scatter = (rows - &mean).mapv(|v| v * v).sum_axis(Axis(0));
    Ok((mean, scatter))
}

fn without_row(rows: &Array2<f64>, row: usize) -> Array2<f64> {
    concatenate![
        Axis(0),
        rows.slice(s![..row, ..]),
        rows.slice(s![row + 1.., ..])
    ]
}

/// The middle value, the upper of two.
fn median(values: &Array1<f64>) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}
