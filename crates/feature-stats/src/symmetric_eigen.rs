use faer::Side;
use ndarray::{Array1, Array2};

use crate::StatsError;
use crate::dense::{check_symmetric, from_faer, mirror_lower, view};

/// How negative an eigenvalue of a covariance may be, relative to the largest: what rounding its entries to f32 can do.
const NEGATIVE_TOLERANCE: f64 = 1e-6;

/// Where an eigenvector comes from.
enum Eigenvector {
    /// A column of the decomposed block.
    OfBlock(usize),
    /// The axis itself.
    Axis(usize),
}

/// Eigen-decomposition `matrix = V diag(values) V^T` of a symmetric matrix, largest eigenvalue first.
#[derive(Clone, Debug, PartialEq)]
pub struct SymmetricEigen {
    values: Array1<f64>,
    vectors: Array2<f64>,
}

impl SymmetricEigen {
    /// Decomposes `matrix`, `[d, d]`.
    ///
    /// The sign of an eigenvector is arbitrary; here the entry of the largest magnitude, the first of equal ones, is positive, so that the same
    /// matrix gives the same vectors. Eigenvalues that coincide share a space of which any basis may be returned.
    ///
    /// # Errors
    /// When the matrix is not square, finite and symmetric, or the iteration does not converge.
    pub fn new(matrix: &Array2<f64>) -> Result<Self, StatsError> {
        check_symmetric("the matrix", matrix.view())?;
        let dimension = matrix.nrows();
        // Axes along which nothing varies, such as a network's silent channels, are eigenvectors of eigenvalue 0 as they are. In the
        // matrix they would be a cluster of zeros so large that the iteration may not converge.
        let kept: Vec<usize> = (0..dimension)
            .filter(|axis| {
                let (row, column) = (matrix.row(*axis), matrix.column(*axis));
                row.iter().chain(column).any(|v| *v != 0.0)
            })
            .collect();
        let block = Array2::from_shape_fn((kept.len(), kept.len()), |(i, j)| {
            matrix[[kept[i], kept[j]]]
        });
        let decomposition = view(&block)
            .self_adjoint_eigen(Side::Lower)
            .map_err(|_| StatsError::NoConvergence { dimension })?;
        // faer sorts upwards.
        let ascending = decomposition.S().column_vector();
        let block_values = (0..kept.len()).map(|i| ascending[kept.len() - 1 - i]);
        let block_vectors = from_faer(decomposition.U().reverse_cols());
        let mut pairs: Vec<(f64, Eigenvector)> = block_values
            .zip((0..kept.len()).map(Eigenvector::OfBlock))
            .collect();
        let silent = (0..dimension).filter(|axis| kept.binary_search(axis).is_err());
        pairs.extend(silent.map(|axis| (0.0, Eigenvector::Axis(axis))));
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));

        let values = pairs.iter().map(|(value, _)| *value).collect();
        let mut vectors = Array2::zeros((dimension, dimension));
        for (mut column, (_, vector)) in vectors.columns_mut().into_iter().zip(&pairs) {
            match vector {
                Eigenvector::Axis(axis) => column[*axis] = 1.0,
                Eigenvector::OfBlock(index) => {
                    for (axis, value) in kept.iter().zip(block_vectors.column(*index)) {
                        column[*axis] = *value;
                    }
                }
            }
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

    /// `V diag(sqrt(values))`, `[d, d]`: a factor `F` with `F F^T` equal to the matrix, also where that has no Cholesky factor.
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
