//! ndarray's matrices as faer sees them, and checks on what callers give.

use faer::{MatMut, MatRef};
use ndarray::{Array2, ArrayView2};

use crate::StatsError;

/// How far from symmetric a covariance may be, relative to its largest entry: more than rounding to f32 leaves, less
/// than any mistake.
const SYMMETRY_TOLERANCE: f64 = 1e-6;

/// `matrix` must be in standard layout, as all arrays that this crate makes or keeps are.
pub(crate) fn view(matrix: &Array2<f64>) -> MatRef<'_, f64> {
    let values = matrix.as_slice().expect("kept in standard layout");
    MatRef::from_row_major_slice(values, matrix.nrows(), matrix.ncols())
}

/// As [`view`], to write to.
pub(crate) fn view_mut(matrix: &mut Array2<f64>) -> MatMut<'_, f64> {
    let (rows, columns) = matrix.dim();
    let values = matrix.as_slice_mut().expect("kept in standard layout");
    MatMut::from_row_major_slice_mut(values, rows, columns)
}

pub(crate) fn from_faer(matrix: MatRef<'_, f64>) -> Array2<f64> {
    Array2::from_shape_fn((matrix.nrows(), matrix.ncols()), |(i, j)| matrix[(i, j)])
}

/// Copies the lower triangle over the upper.
pub(crate) fn mirror_lower(matrix: &mut Array2<f64>) {
    for row in 0..matrix.nrows() {
        for column in 0..row {
            matrix[[column, row]] = matrix[[row, column]];
        }
    }
}

pub(crate) fn check_finite<T: Copy + Into<f64>>(
    what: &'static str,
    rows: ArrayView2<'_, T>,
) -> Result<(), StatsError> {
    match rows.indexed_iter().find(|(_, v)| !(**v).into().is_finite()) {
        None => Ok(()),
        Some(((row, column), value)) => Err(StatsError::NonFinite {
            what,
            row,
            column,
            value: (*value).into(),
        }),
    }
}

pub(crate) fn check_dimension(
    what: &'static str,
    found: usize,
    expected: usize,
) -> Result<(), StatsError> {
    if found == expected {
        return Ok(());
    }
    Err(StatsError::WrongDimension {
        what,
        found,
        expected,
    })
}

/// Square, finite and symmetric up to [`SYMMETRY_TOLERANCE`].
pub(crate) fn check_symmetric(
    what: &'static str,
    matrix: ArrayView2<'_, f64>,
) -> Result<(), StatsError> {
    check_dimension(what, matrix.ncols(), matrix.nrows())?;
    check_finite(what, matrix)?;
    let largest = matrix.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let mut worst = (0, 0, 0.0);
    for row in 0..matrix.nrows() {
        for column in 0..row {
            let difference = (matrix[[row, column]] - matrix[[column, row]]).abs();
            if difference > worst.2 {
                worst = (row, column, difference);
            }
        }
    }
    let (row, column, difference) = worst;
    if difference <= SYMMETRY_TOLERANCE * largest {
        return Ok(());
    }
    Err(StatsError::NotSymmetric {
        what,
        row,
        column,
        difference,
    })
}
