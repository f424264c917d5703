use std::path::Path;

use ndarray::{Array1, Array2, ArrayView2, s};

use crate::dense::{check_dimension, check_finite};
use crate::stored::{StoredArrays, Writer};
use crate::{MeanCovariance, StatsError, SymmetricEigen};

const KIND: &str = "principal components";

/// Principal components from a mean and covariance: the features themselves are not needed again.
///
/// Each component's entry of the largest magnitude is positive, so that the same statistics give the same directions.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    mean: Array1<f64>,
    /// `[k, d]`, orthonormal rows, largest variance first.
    components: Array2<f64>,
    /// `[k]`.
    variances: Array1<f64>,
    total_variance: f64,
}

impl Pca {
    /// The `count` directions of the largest variance.
    ///
    /// # Errors
    /// When `count` is not between 1 and the dimension, or the eigen-decomposition fails.
    pub fn fit(statistics: &MeanCovariance, count: usize) -> Result<Self, StatsError> {
        let dimension = statistics.dimension();
        if count == 0 || count > dimension {
            return Err(StatsError::InvalidComponentCount {
                found: count,
                dimension,
            });
        }
        let eigen = SymmetricEigen::new(statistics.covariance())?;
        let components = eigen.vectors().slice(s![.., ..count]);
        Ok(Self {
            mean: statistics.mean().clone(),
            components: components.t().as_standard_layout().into_owned(),
            // A variance is never negative, but rounding may say so.
            variances: eigen.values().slice(s![..count]).mapv(|v| v.max(0.0)),
            total_variance: statistics.covariance().diag().sum(),
        })
    }

    /// The same with the first `count` components only.
    ///
    /// # Errors
    /// When `count` is not between 1 and the number of components.
    pub fn truncated(&self, count: usize) -> Result<Self, StatsError> {
        let present = self.variances.len();
        if count == 0 || count > present {
            return Err(StatsError::InvalidComponentCount {
                found: count,
                dimension: present,
            });
        }
        Ok(Self {
            mean: self.mean.clone(),
            components: self.components.slice(s![..count, ..]).to_owned(),
            variances: self.variances.slice(s![..count]).to_owned(),
            total_variance: self.total_variance,
        })
    }

    /// The mean that is taken off, `[d]`.
    pub fn mean(&self) -> &Array1<f64> {
        &self.mean
    }

    /// Orthonormal directions as rows, `[k, d]`, largest variance first.
    pub fn components(&self) -> &Array2<f64> {
        &self.components
    }

    /// Variance along each component, `[k]`, with the ddof of the statistics.
    pub fn explained_variance(&self) -> &Array1<f64> {
        &self.variances
    }

    /// Standard deviation along each component, `[k]`.
    pub fn stdev(&self) -> Array1<f64> {
        self.variances.mapv(f64::sqrt)
    }

    /// Share of each component in the variance of all `d` dimensions, `[k]`; zero where there is no variance at all.
    pub fn explained_variance_ratio(&self) -> Array1<f64> {
        if self.total_variance > 0.0 {
            &self.variances / self.total_variance
        } else {
            Array1::zeros(self.variances.len())
        }
    }

    /// Coordinates `components (x - mean)` of each row of `[n, d]`, as `[n, k]`.
    ///
    /// # Errors
    /// When the dimension differs or a number is not finite.
    pub fn transform<T: Copy + Into<f64>>(
        &self,
        rows: ArrayView2<'_, T>,
    ) -> Result<Array2<f64>, StatsError> {
        check_dimension("a feature", rows.ncols(), self.mean.len())?;
        check_finite("a feature", rows)?;
        Ok((rows.mapv(|v| -> f64 { v.into() }) - &self.mean).dot(&self.components.t()))
    }

    /// The points `mean + coordinates components` of `[n, k]` coordinates, as `[n, d]`.
    ///
    /// # Errors
    /// When there are not as many coordinates as components.
    pub fn inverse_transform(
        &self,
        coordinates: ArrayView2<'_, f64>,
    ) -> Result<Array2<f64>, StatsError> {
        check_dimension(
            "a row of coordinates",
            coordinates.ncols(),
            self.components.nrows(),
        )?;
        Ok(coordinates.dot(&self.components) + &self.mean)
    }

    /// Writes f64 safetensors (`mean`, `components`, `variances`, `total_variance`) atomically.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), StatsError> {
        let mut file = Writer::default();
        file.vector("mean", &self.mean);
        file.matrix("components", &self.components);
        file.vector("variances", &self.variances);
        file.vector("total_variance", &Array1::from_elem(1, self.total_variance));
        file.write(path.as_ref(), KIND)
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// When the file cannot be read, or its tensors are not those of one fit.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, StatsError> {
        let names = ["mean", "components", "variances", "total_variance"];
        let file = StoredArrays::read(path.as_ref(), KIND, &names)?;
        let mean = file.vector("mean", None)?;
        let variances = file.vector("variances", None)?;
        let components = file.matrix("components", variances.len(), mean.len())?;
        let total_variance = file.vector("total_variance", Some(1))?[0];
        if variances.is_empty() || variances.len() > mean.len() {
            return Err(file.malformed(format!(
                "{} components of dimension {}, expected at least one and no more than dimensions",
                variances.len(),
                mean.len()
            )));
        }
        if let Some(negative) = variances.iter().find(|v| **v < 0.0) {
            return Err(file.malformed(format!("a variance is {negative}, expected at least zero")));
        }
        Ok(Self {
            mean,
            components,
            variances,
            total_variance,
        })
    }
}
