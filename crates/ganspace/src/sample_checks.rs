//! Checks on numbers that callers measured.

use ndarray::ArrayView2;

use crate::GanspaceError;

pub(crate) fn check_finite(
    what: &'static str,
    values: impl IntoIterator<Item = f64>,
) -> Result<(), GanspaceError> {
    check(what, values, f64::is_finite, "a finite number")
}

/// Distances: finite and not negative.
pub(crate) fn check_distances(
    what: &'static str,
    values: impl IntoIterator<Item = f64>,
) -> Result<(), GanspaceError> {
    let is_distance = |value: f64| value.is_finite() && value >= 0.0;
    check(what, values, is_distance, "a finite number of at least 0")
}

fn check(
    what: &'static str,
    values: impl IntoIterator<Item = f64>,
    allowed: impl Fn(f64) -> bool,
    expected: &'static str,
) -> Result<(), GanspaceError> {
    match values.into_iter().enumerate().find(|(_, v)| !allowed(*v)) {
        None => Ok(()),
        Some((position, value)) => Err(GanspaceError::InvalidNumber {
            what,
            value,
            position,
            expected,
        }),
    }
}

pub(crate) fn check_rows_alike(
    what: &'static str,
    rows: usize,
    expected: usize,
) -> Result<(), GanspaceError> {
    if rows == expected {
        return Ok(());
    }
    Err(GanspaceError::WrongSize {
        what,
        unit: "rows",
        found: rows,
        expected,
    })
}

pub(crate) fn check_same_shape(
    what: &'static str,
    found: ArrayView2<'_, f64>,
    expected: ArrayView2<'_, f64>,
) -> Result<(), GanspaceError> {
    check_rows_alike(what, found.nrows(), expected.nrows())?;
    if found.ncols() == expected.ncols() {
        return Ok(());
    }
    Err(GanspaceError::WrongSize {
        what,
        unit: "columns",
        found: found.ncols(),
        expected: expected.ncols(),
    })
}

/// Mean and standard deviation (divisor n) of values that differ.
pub(crate) fn mean_and_stdev(
    what: &'static str,
    values: &[f64],
) -> Result<(f64, f64), GanspaceError> {
    if values.len() < 2 {
        return Err(GanspaceError::TooFew {
            what,
            found: values.len(),
            required: 2,
        });
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
    // Rounding leaves a trace of variance in values that are all the same.
    if variance.sqrt() <= f64::EPSILON * mean.abs() * count {
        return Err(GanspaceError::NoSpread { what, value: mean });
    }
    Ok((mean, variance.sqrt()))
}
