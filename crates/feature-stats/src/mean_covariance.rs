use std::path::Path;

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::StatsError;
use crate::dense::{check_dimension, check_finite, check_symmetric, mirror_lower};
use crate::stored::{StoredArrays, Writer};

const KIND: &str = "mean and covariance";

/// Mean `[d]` and covariance `[d, d]` of features: what is kept of a generative model's samples.
#[derive(Clone, Debug, PartialEq)]
pub struct MeanCovariance {
    mean: Array1<f64>,
    covariance: Array2<f64>,
}

impl MeanCovariance {
    /// Takes statistics that were computed elsewhere. The covariance may differ from its transpose by rounding to f32;
    /// its lower triangle counts.
    ///
    /// # Errors
    /// When the dimensions differ, a number is not finite, or the covariance is not symmetric.
    pub fn new(mean: Array1<f64>, covariance: Array2<f64>) -> Result<Self, StatsError> {
        check_finite("the mean", mean.view().insert_axis(Axis(0)))?;
        check_dimension("the covariance", covariance.nrows(), mean.len())?;
        check_symmetric("the covariance", covariance.view())?;
        let mut covariance = covariance.as_standard_layout().into_owned();
        mirror_lower(&mut covariance);
        Ok(Self { mean, covariance })
    }

    /// Dimension of the features.
    pub fn dimension(&self) -> usize {
        self.mean.len()
    }

    /// The mean, `[d]`.
    pub fn mean(&self) -> &Array1<f64> {
        &self.mean
    }

    /// The covariance, `[d, d]`, exactly symmetric.
    pub fn covariance(&self) -> &Array2<f64> {
        &self.covariance
    }

    /// The statistics of `matrix (x - origin)` where these are those of `x`: mean `A (mean - b)`, covariance
    /// `A covariance A^T`.
    ///
    /// `matrix` has shape `[k, d]`, `origin` `[d]`.
    ///
    /// # Errors
    /// When a dimension differs or a number is not finite.
    pub fn affine(
        &self,
        matrix: ArrayView2<'_, f64>,
        origin: &Array1<f64>,
    ) -> Result<Self, StatsError> {
        check_dimension("the matrix's rows", matrix.ncols(), self.dimension())?;
        check_dimension("the origin", origin.len(), self.dimension())?;
        let mean = matrix.dot(&(&self.mean - origin));
        let mut covariance = matrix.dot(&self.covariance).dot(&matrix.t());
        mirror_lower(&mut covariance);
        Self::new(mean, covariance)
    }

    /// Writes f64 safetensors (`mean`, `covariance`) atomically.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), StatsError> {
        let mut file = Writer::default();
        file.vector("mean", &self.mean);
        file.matrix("covariance", &self.covariance);
        file.write(path.as_ref(), KIND)
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// When the file cannot be read, or is anything but a finite mean and a symmetric covariance of one dimension.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, StatsError> {
        let file = StoredArrays::read(path.as_ref(), KIND, &["mean", "covariance"])?;
        let mean = file.vector("mean", None)?;
        let covariance = file.symmetric("covariance", mean.len())?;
        Ok(Self { mean, covariance })
    }
}
