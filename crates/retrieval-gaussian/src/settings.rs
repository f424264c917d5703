use feature_stats::{MeanCovariance, Pca, Ridge, StatsError};
use ndarray::{Array1, Array2, ArrayView2};

use crate::RetrievalError;

/// Largest dimension of the features as they are scored: a triangle of 34 MB, beyond any pooled feature of a published
/// network.
pub const MAX_DIMENSION: usize = 4096;

/// Largest dimension of the features before the projection.
pub const MAX_INPUT_DIMENSION: usize = 1 << 16;

/// Below this length a vector is divided by it instead, as `torch.nn.functional.normalize` does, so that zero stays
/// zero.
const NORMALIZE_EPSILON: f64 = 1e-12;

/// How an index stores its factors and samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexPrecision {
    /// Scores within 1e-5 or so of f64.
    F32,
    /// Half the memory and, as scoring is bound by reading it, half the time. Each entry of a factor has a relative
    /// error of up to 2^-11.
    F16,
}

/// What all models of an index have in common; kept in its file.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexSettings {
    pub(crate) input_dimension: usize,
    pub(crate) ridge: Ridge,
    pub(crate) precision: IndexPrecision,
    pub(crate) l2_normalize: bool,
    pub(crate) projection: Option<Projection>,
}

/// `components (x - mean)`, in the precision of the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Projection {
    /// `[input_dimension]`.
    pub(crate) mean: Array1<f32>,
    /// `[dimension, input_dimension]`.
    pub(crate) components: Array2<f32>,
}

impl IndexSettings {
    /// Features of the given dimension as they are, the published ridge of 1e-3, f32.
    pub fn new(input_dimension: usize) -> Self {
        Self {
            input_dimension,
            ridge: Ridge::CONTENT_BASED_SEARCH,
            precision: IndexPrecision::F32,
            l2_normalize: false,
            projection: None,
        }
    }

    /// What is added to the diagonal of every model's covariance, after the projection.
    pub fn with_ridge(mut self, ridge: Ridge) -> Self {
        self.ridge = ridge;
        self
    }

    /// How factors and samples are stored.
    pub fn with_precision(mut self, precision: IndexPrecision) -> Self {
        self.precision = precision;
        self
    }

    /// Divide every query feature and sample by its length first. The models' statistics must have been taken of such
    /// features.
    pub fn with_l2_normalization(mut self) -> Self {
        self.l2_normalize = true;
        self
    }

    /// Take features and statistics to the coordinates of principal components, after the normalization.
    ///
    /// The mean and components are rounded to f32. The scores are then those of the projected features, whose origin is
    /// the components' mean: cosines are taken about it.
    ///
    /// # Errors
    /// When the components are of features of another dimension.
    pub fn with_projection(mut self, pca: &Pca) -> Result<Self, RetrievalError> {
        if pca.mean().len() != self.input_dimension {
            return Err(RetrievalError::WrongDimension {
                what: "the projection",
                found: pca.mean().len(),
                expected: self.input_dimension,
            });
        }
        self.projection = Some(Projection {
            mean: pca.mean().mapv(|v| v as f32),
            components: pca.components().mapv(|v| v as f32),
        });
        Ok(self)
    }

    /// Dimension of the features that queries and statistics have.
    pub fn input_dimension(&self) -> usize {
        self.input_dimension
    }

    /// Dimension in which models are scored: the number of components, or that of the input.
    pub fn dimension(&self) -> usize {
        self.projection
            .as_ref()
            .map_or(self.input_dimension, |p| p.components.nrows())
    }

    /// What is added to the diagonal of every covariance.
    pub fn ridge(&self) -> Ridge {
        self.ridge
    }

    /// How factors and samples are stored.
    pub fn precision(&self) -> IndexPrecision {
        self.precision
    }

    /// Whether features are divided by their lengths.
    pub fn l2_normalize(&self) -> bool {
        self.l2_normalize
    }

    pub(crate) fn validate(&self) -> Result<(), RetrievalError> {
        check_dimensions(self.input_dimension, self.dimension())
    }

    /// Features as they are scored, `[n, dimension]`, from `[n, input_dimension]`.
    pub(crate) fn prepare_rows(
        &self,
        rows: ArrayView2<'_, f32>,
    ) -> Result<Array2<f32>, RetrievalError> {
        if rows.ncols() != self.input_dimension {
            return Err(RetrievalError::WrongDimension {
                what: "a feature",
                found: rows.ncols(),
                expected: self.input_dimension,
            });
        }
        if let Some((index, value)) = rows.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(RetrievalError::NonFinite {
                what: "a feature",
                index,
                value: f64::from(*value),
            });
        }
        let mut wide = rows.mapv(f64::from);
        if self.l2_normalize {
            for mut row in wide.rows_mut() {
                let length = row.dot(&row).sqrt().max(NORMALIZE_EPSILON);
                row.mapv_inplace(|v| v / length);
            }
        }
        if let Some(projection) = &self.projection {
            let (mean, components) = projection.wide();
            wide = (wide - mean).dot(&components.t());
        }
        // A product with transposed components lies in column order; scoring reads rows.
        Ok(Array2::from_shape_fn(wide.dim(), |at| wide[at] as f32))
    }

    /// Statistics of features as they are scored, from those of the input.
    pub(crate) fn prepare_statistics(
        &self,
        statistics: &MeanCovariance,
    ) -> Result<MeanCovariance, StatsError> {
        if statistics.dimension() != self.input_dimension {
            return Err(StatsError::WrongDimension {
                what: "the mean",
                found: statistics.dimension(),
                expected: self.input_dimension,
            });
        }
        match &self.projection {
            None => Ok(statistics.clone()),
            Some(projection) => {
                let (mean, components) = projection.wide();
                statistics.affine(components.view(), &mean)
            }
        }
    }
}

/// Refuses dimensions that no index can have.
pub(crate) fn check_dimensions(input: usize, scored: usize) -> Result<(), RetrievalError> {
    if !(1..=MAX_INPUT_DIMENSION).contains(&input) {
        return Err(RetrievalError::InvalidSetting {
            what: "the dimension of the features",
            found: input.to_string(),
            expected: "1 to 65536",
        });
    }
    if !(1..=MAX_DIMENSION).contains(&scored) {
        return Err(RetrievalError::InvalidSetting {
            what: "the dimension of the scored features",
            found: scored.to_string(),
            expected: "1 to 4096; project them on fewer principal components",
        });
    }
    Ok(())
}

impl Projection {
    fn wide(&self) -> (Array1<f64>, Array2<f64>) {
        (self.mean.mapv(f64::from), self.components.mapv(f64::from))
    }
}

/// Each row divided by its length.
pub(crate) fn normalized(row: &[f32]) -> Vec<f32> {
    let length = row
        .iter()
        .map(|v| f64::from(*v).powi(2))
        .sum::<f64>()
        .sqrt();
    let length = length.max(NORMALIZE_EPSILON);
    row.iter()
        .map(|v| (f64::from(*v) / length) as f32)
        .collect()
}
