use faer::MatRef;
use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};

use crate::GanspaceError;
use crate::principal_components::{PrincipalComponents, check_rows, orient};

/// Principal components of samples of a large dimension, batch by batch, without a covariance matrix.
///
/// The algorithm of scikit-learn's `IncrementalPCA`, after Ross, Lim, Lin and Yang, "Incremental learning for robust
/// visual tracking" (2008), which GANSpace uses for activations. Each batch is centered on its own mean and stacked
/// below what is kept, `diag(s) V` of the `k` largest singular values so far, with one more row for the difference of
/// the means; the singular value decomposition of the stack gives the new `s` and `V`. Memory is that of `k` components
/// and one batch.
///
/// What a batch has beyond `k` dimensions is forgotten, so the result is exact only where the samples span no more than
/// that, or come in one batch; the first components are good long before the last.
#[derive(Clone, Debug)]
pub struct IncrementalPca {
    count: usize,
    /// `[d]`.
    mean: Array1<f64>,
    /// `[k, d]`; no rows before the first batch.
    components: Array2<f64>,
    /// `[k]`.
    singular_values: Array1<f64>,
    samples: u64,
    /// Sum of the squared distances from the mean.
    scatter: f64,
}

impl IncrementalPca {
    /// Of no samples yet: `count` components of samples of the given dimension.
    ///
    /// # Errors
    /// When `count` is not between 1 and the dimension.
    pub fn new(dimension: usize, count: usize) -> Result<Self, GanspaceError> {
        if count == 0 || count > dimension {
            return Err(GanspaceError::InvalidComponentCount {
                found: count,
                dimension,
            });
        }
        Ok(Self {
            count,
            mean: Array1::zeros(dimension),
            components: Array2::zeros((0, dimension)),
            singular_values: Array1::zeros(0),
            samples: 0,
            scatter: 0.0,
        })
    }

    /// How many samples have been seen.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Takes a batch of samples, `[n, d]` of f32 or f64.
    ///
    /// A batch of 5 d is scikit-learn's default; GANSpace takes a few times the number of components.
    ///
    /// # Errors
    /// When the dimension differs, a number is not finite, the first batch has fewer samples than there are components,
    /// or the decomposition fails; nothing has been changed then.
    pub fn partial_fit<T: Copy + Into<f64>>(
        &mut self,
        rows: ArrayView2<'_, T>,
    ) -> Result<(), GanspaceError> {
        let rows = check_rows("a batch of samples", rows, self.mean.len())?;
        if self.samples == 0 && rows.nrows() < self.count {
            return Err(GanspaceError::TooFew {
                what: "samples in the first batch",
                found: rows.nrows(),
                required: self.count,
            });
        }
        let Some(batch_mean) = rows.mean_axis(Axis(0)) else {
            return Ok(());
        };
        let (seen, added) = (self.samples as f64, rows.nrows() as f64);
        let total = seen + added;
        let centered = rows - &batch_mean;
        let shift = &self.mean - &batch_mean;
        // The scatter of two groups is that of each and that of their means.
        let weight = seen * added / total;
        let scatter =
            self.scatter + centered.iter().map(|v| v * v).sum::<f64>() + weight * shift.dot(&shift);
        let stack = if self.samples == 0 {
            centered
        } else {
            let kept = &self.components * &self.singular_values.view().insert_axis(Axis(1));
            let correction = (&shift * weight.sqrt()).insert_axis(Axis(0));
            concatenate![Axis(0), kept, centered, correction]
        };
        let (singular_values, components) = right_singular_vectors(stack, self.count)?;
        self.singular_values = singular_values;
        self.components = components;
        self.mean.scaled_add(-added / total, &shift);
        self.samples += added as u64;
        self.scatter = scatter;
        Ok(())
    }

    /// The components of all samples so far; variances have the divisor `n - 1`.
    ///
    /// # Errors
    /// When fewer than two samples have been seen.
    pub fn components(&self) -> Result<PrincipalComponents, GanspaceError> {
        if self.samples < 2 {
            return Err(GanspaceError::TooFew {
                what: "samples",
                found: self.samples as usize,
                required: 2,
            });
        }
        let divisor = (self.samples - 1) as f64;
        Ok(PrincipalComponents {
            mean: self.mean.clone(),
            components: self.components.clone(),
            variances: self.singular_values.mapv(|value| value * value / divisor),
            // Differs from scikit-learn: its total has the divisor n where its components' variances have n - 1. With n - 1 in both the
            // shares of all components add up to 1; they are larger by a factor n / (n - 1).
            total_variance: self.scatter / divisor,
        })
    }
}

/// The `count` largest singular values of a matrix `[rows, d]`, descending, and their right singular vectors as rows
/// `[count, d]`.
fn right_singular_vectors(
    matrix: Array2<f64>,
    count: usize,
) -> Result<(Array1<f64>, Array2<f64>), GanspaceError> {
    let (rows, columns) = matrix.dim();
    let matrix = matrix.as_standard_layout();
    let values = matrix.as_slice().expect("in standard layout");
    let decomposition = MatRef::from_row_major_slice(values, rows, columns)
        .thin_svd()
        .map_err(|_| GanspaceError::NoConvergence { rows, columns })?;
    let (singular, right) = (decomposition.S().column_vector(), decomposition.V());
    let mut vectors = Array2::from_shape_fn((count, columns), |(i, j)| right[(j, i)]);
    vectors.rows_mut().into_iter().for_each(orient);
    Ok((Array1::from_shape_fn(count, |i| singular[i]), vectors))
}
