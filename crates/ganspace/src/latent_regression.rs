use feature_stats::{Cholesky, Ddof, MeanCovariance, Moments, Ridge};
use ndarray::{Array1, ArrayView2, Axis, concatenate, s};

use crate::principal_components::{PrincipalComponents, check_rows, orient};
use crate::{GanspaceError, LatentDirections};

/// Carries principal components of activations back to W by linear regression (GANSpace, "Principal components and
/// principal feature directions").
///
/// With `x = V (y - mean)` the coordinates of the activations `y` that `w` gives, `U = argmin sum |U x + c - w|^2`.
/// Column `k` of `U` is how `w` changes on average when coordinate `k` grows by one; made unit length it is the
/// direction, and its length times the standard deviation of the coordinate is how far `w` goes for one standard
/// deviation.
///
/// Samples are streamed: only the covariance of `x` and `w` together is kept.
#[derive(Clone, Debug)]
pub struct LatentRegression {
    components: PrincipalComponents,
    /// Of rows `[x, w]`.
    moments: Moments,
    w_dim: usize,
}

impl LatentRegression {
    /// Of no samples yet, for the components of activations and latents of dimension `w_dim`.
    pub fn new(components: PrincipalComponents, w_dim: usize) -> Self {
        Self {
            moments: Moments::new(components.count() + w_dim),
            components,
            w_dim,
        }
    }

    /// Adds samples: activations `[n, d]`, flattened, and the latents `[n, w_dim]` that gave them.
    ///
    /// # Errors
    /// When there are not as many latents as activations, a dimension differs, or a number is not finite.
    pub fn add<T: Copy + Into<f64>>(
        &mut self,
        activations: ArrayView2<'_, T>,
        w: ArrayView2<'_, T>,
    ) -> Result<(), GanspaceError> {
        if activations.nrows() != w.nrows() {
            return Err(GanspaceError::WrongSize {
                what: "a batch of latents",
                unit: "rows",
                found: w.nrows(),
                expected: activations.nrows(),
            });
        }
        let coordinates = self.components.coordinates(activations)?;
        let w = check_rows("a latent", w, self.w_dim)?;
        self.moments
            .add_rows(concatenate![Axis(1), coordinates, w].view())?;
        Ok(())
    }

    /// The directions in W, in the order of the components.
    ///
    /// # Errors
    /// When there are no more samples than components, two components cannot be told apart in them, or one does not
    /// depend on `w`.
    pub fn directions(&self) -> Result<LatentDirections, GanspaceError> {
        let count = self.components.count();
        if self.moments.count() <= count as u64 {
            return Err(GanspaceError::TooFew {
                what: "samples for the regression to latents",
                found: self.moments.count() as usize,
                required: count + 1,
            });
        }
        let joint = self.moments.mean_covariance(Ddof::Sample)?;
        let covariance = joint.covariance();
        let of_coordinates = MeanCovariance::new(
            joint.mean().slice(s![..count]).to_owned(),
            covariance.slice(s![..count, ..count]).to_owned(),
        )?;
        let inverse_lower = Cholesky::new(&of_coordinates, Ridge::NONE)?.inverse_lower();
        let cross = covariance.slice(s![..count, count..]);
        // Rows of U^T = cov(x, x)^-1 cov(x, w): [k, w_dim].
        let mut directions = inverse_lower.t().dot(&inverse_lower.dot(&cross));
        let mut stdev = Array1::zeros(count);
        for (component, mut row) in directions.rows_mut().into_iter().enumerate() {
            let length = row.dot(&row).sqrt();
            if length == 0.0 || !length.is_finite() {
                return Err(GanspaceError::NoDirection { component });
            }
            row /= length;
            orient(row);
            stdev[component] = length * covariance[[component, component]].sqrt();
        }
        Ok(LatentDirections {
            mean: joint.mean().slice(s![count..]).to_owned(),
            directions,
            stdev,
            explained_variance_ratio: self.components.explained_variance_ratio(),
        })
    }
}
