use faer::Side;
use ndarray::{Array1, Array2};

use crate::StatsError;
use crate::dense::{check_symmetric, from_faer, mirror_lower, view};

/// How negative an eigenvalue of a covariance may be, relative to the largest: what rounding its entries to f32 can do.
const NEGATIVE_TOLERANCE: f64 = 1e-6;

/// Eigen-decomposition `matrix = V diag(values) V^T` of a symmetric matrix, largest eigenvalue first.
#[derive(Clone, Debug, PartialEq)]
pub struct SymmetricEigen {
    values: Array1<f64>,
    vectors: Array2<f64>,
}

impl SymmetricEigen {
    /// Decomposes `matrix`, `[d, d]`.
    ///
    /// The sign of an eigenvector is arbitrary; here the entry of the largest magnitude, the first of equal ones, is
    /// positive, so that the same matrix gives the same vectors. Eigenvalues that coincide share a space of which any
    /// basis may be returned.
    ///
    /// # Errors
    /// When the matrix is not square, finite and symmetric, or the iteration does not converge.
    pub fn new(matrix: &Array2<f64>) -> Result<Self, StatsError> {
        check_symmetric("the matrix", matrix.view())?;
        let dimension = matrix.nrows();
        // Axes along which nothing varies, such as a network's silent channels, are eigenvectors of eigenvalue 0 as
        // they are. In the matrix they would be a cluster of zeros so large that faer's iteration may not converge.
        let (active, silent): (Vec<usize>, Vec<usize>) = (0..dimension).partition(|axis| {
            let (row, column) = (matrix.row(*axis), matrix.column(*axis));
            row.iter().chain(column).any(|v| *v != 0.0)
        });
        let block = Array2::from_shape_fn((active.len(), active.len()), |(i, j)| {
            matrix[[active[i], active[j]]]
        });
        let decomposition = view(&block)
            .self_adjoint_eigen(Side::Lower)
            .map_err(|_| StatsError::NoConvergence { dimension })?;
        // faer sorts upwards.
        let block_values: Vec<f64> = decomposition
            .S()
            .column_vector()
            .iter()
            .rev()
            .copied()
            .collect();
        let block_vectors = from_faer(decomposition.U().reverse_cols());

        // The zeros belong before what is negative.
        let before = block_values.partition_point(|value| *value > 0.0);
        let mut values = Array1::zeros(dimension);
        let mut vectors = Array2::zeros((dimension, dimension));
        for (index, value) in block_values.iter().enumerate() {
            let place = if index < before {
                index
            } else {
                index + silent.len()
            };
            values[place] = *value;
            for (axis, entry) in active.iter().zip(block_vectors.column(index)) {
                vectors[[*axis, place]] = *entry;
            }
        }
        for (index, axis) in silent.iter().enumerate() {
            vectors[[*axis, before + index]] = 1.0;
        }
        for mut column in vectors.columns_mut() {
            let largest = column.iter().fold(
                0.0f64,
                |best, v| if v.abs() > best.abs() { *v } else { best },
            );
            if largest < 0.0 {
                column.mapv_inplace(|v| -v);
            }
        }
        Ok(Self { values, vectors })
    }

    /// Eigenvalues, descending, `[d]`.
    pub fn values(&self) -> &Array1<f64> {
        &self.values
    }

    /// Unit eigenvectors as columns, `[d, d]`; column `i` belongs to `values[i]`.
    pub fn vectors(&self) -> &Array2<f64> {
        &self.vectors
    }

    /// The symmetric square root `V diag(sqrt(values)) V^T` of a positive semidefinite matrix.
    ///
    /// Eigenvalues below zero by no more than rounding count as zero.
    ///
    /// # Errors
    /// When an eigenvalue is clearly negative.
    pub fn square_root(&self) -> Result<Array2<f64>, StatsError> {
        let factor = self.root_factor()?;
        let mut root = factor.dot(&self.vectors.t());
        mirror_lower(&mut root);
        Ok(root)
    }

    /// `V diag(sqrt(values))`, `[d, d]`: a factor `F` with `F F^T` equal to the matrix, also where that has no Cholesky
    /// factor.
    ///
    /// # Errors
    /// When an eigenvalue is clearly negative.
    pub fn root_factor(&self) -> Result<Array2<f64>, StatsError> {
        let largest = self.values.first().copied().unwrap_or(0.0);
        let smallest = self.values.last().copied().unwrap_or(0.0);
        if smallest < -NEGATIVE_TOLERANCE * largest.abs() {
            return Err(StatsError::NotPositiveSemidefinite {
                eigenvalue: smallest,
                largest,
            });
        }
        Ok(&self.vectors * &self.values.mapv(|v| v.max(0.0).sqrt()))
    }
}
