use ndarray::{Array1, Array2, ArrayView1, ArrayView2, s};

use crate::principal_components::{PrincipalComponents, check_rows};
use crate::sample_checks::check_finite;
use crate::{Edit, GanspaceError, LayerRange};

/// Unit directions in W with the distance that one standard deviation is along each.
#[derive(Clone, Debug, PartialEq)]
pub struct LatentDirections {
    /// `[w_dim]`.
    pub(crate) mean: Array1<f64>,
    /// `[k, w_dim]`.
    pub(crate) directions: Array2<f64>,
    /// `[k]`.
    pub(crate) stdev: Array1<f64>,
    /// `[k]`.
    pub(crate) explained_variance_ratio: Array1<f64>,
}

impl LatentDirections {
    /// The principal components of sampled `w` themselves (what GANSpace does for StyleGAN).
    pub fn of_latents(components: PrincipalComponents) -> Self {
        Self {
            stdev: components.stdev(),
            explained_variance_ratio: components.explained_variance_ratio(),
            mean: components.mean,
            directions: components.components,
        }
    }

    /// Features of `w`.
    pub fn w_dim(&self) -> usize {
        self.mean.len()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.stdev.len()
    }

    /// The mean of the sampled `w`, `[w_dim]`.
    pub fn mean(&self) -> &Array1<f64> {
        &self.mean
    }

    /// Unit vectors as rows, `[k, w_dim]`; the entry of the largest magnitude of each is positive.
    ///
    /// They are orthogonal for components of `w`, not for those regressed from activations.
    pub fn directions(&self) -> &Array2<f64> {
        &self.directions
    }

    /// How far `w` goes along each for one standard deviation of the component, `[k]`.
    pub fn stdev(&self) -> &Array1<f64> {
        &self.stdev
    }

    /// Share of the component in the variance of what it is a component of, of `w` or of the activations, `[k]`.
    pub fn explained_variance_ratio(&self) -> &Array1<f64> {
        &self.explained_variance_ratio
    }

    /// How far the rows of w `[n, w_dim]` lie from the mean along each direction, in its standard deviations: `[n, k]`;
    /// 0 where a direction has no spread.
    ///
    /// # Errors
    /// When the dimension differs or a number is not finite.
    pub fn coordinates<T: Copy + Into<f64>>(
        &self,
        w: ArrayView2<'_, T>,
    ) -> Result<Array2<f64>, GanspaceError> {
        let w = check_rows("a latent", w, self.w_dim())?;
        let per_stdev = self
            .stdev
            .mapv(|stdev| if stdev > 0.0 { stdev.recip() } else { 0.0 });
        Ok((w - &self.mean).dot(&self.directions.t()) * &per_stdev)
    }

    /// The edit that moves `layers` along a component, counted from 0.
    ///
    /// # Errors
    /// When there is no such component.
    pub fn edit(&self, component: usize, layers: LayerRange) -> Result<Edit, GanspaceError> {
        if component >= self.count() {
            return Err(GanspaceError::UnknownComponent {
                found: component,
                available: self.count(),
            });
        }
        Ok(Edit {
            direction: self.directions.row(component).to_owned(),
            stdev: self.stdev[component],
            layers,
        })
    }

    /// The edit that moves `layers` along a mixture of the first components: strength 1 is the sum of `weights` times
    /// one standard deviation of each.
    ///
    /// # Errors
    /// When there are no or more weights than components, one is not finite, or the sum is no direction.
    pub fn mixture(
        &self,
        weights: ArrayView1<'_, f64>,
        layers: LayerRange,
    ) -> Result<Edit, GanspaceError> {
        let count = weights.len();
        if count == 0 || count > self.count() {
            return Err(GanspaceError::WrongSize {
                what: "a mixture",
                unit: "weights",
                found: count,
                expected: self.count(),
            });
        }
        check_finite("a weight of a mixture", weights.iter().copied())?;
        let steps = &weights * &self.stdev.slice(s![..count]);
        let step = steps.dot(&self.directions.slice(s![..count, ..]));
        let stdev = step.dot(&step).sqrt();
        if !(stdev.is_finite() && stdev > 0.0) {
            return Err(GanspaceError::NoSpread {
                what: "latents along a mixture",
                value: stdev,
            });
        }
        Ok(Edit {
            direction: step / stdev,
            stdev,
            layers,
        })
    }
}
