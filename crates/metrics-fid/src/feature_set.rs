use feature_stats::{Ddof, MeanCovariance, Moments};
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::MetricsError;

/// What is kept of a set of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Keep {
    /// Mean and covariance: enough for the Fréchet distance, in memory that does not grow with the set.
    Moments,
    /// Every feature too, 4 bytes a number: the other measures compare single images.
    Features,
}

/// Features of a set of images, accumulated batch by batch.
#[derive(Clone, Debug)]
pub struct FeatureSet {
    moments: Moments,
    /// Row-major; empty with [`Keep::Moments`].
    rows: Vec<f32>,
    keep: Keep,
}

impl FeatureSet {
    /// Of no image yet.
    pub fn new(dimension: usize, keep: Keep) -> Self {
        Self {
            moments: Moments::new(dimension),
            rows: Vec::new(),
            keep,
        }
    }

    /// Adds features `[images, dimension]`.
    ///
    /// # Errors
    /// When the dimension differs or a number is not finite; nothing has been added then.
    pub fn add_rows(&mut self, rows: ArrayView2<'_, f32>) -> Result<(), MetricsError> {
        self.moments.add_rows(rows)?;
        if self.keep == Keep::Features {
            self.rows.extend(rows.iter());
        }
        Ok(())
    }

    /// Length of a feature vector.
    pub fn dimension(&self) -> usize {
        self.moments.dimension()
    }

    /// Number of images.
    pub fn count(&self) -> u64 {
        self.moments.count()
    }

    /// Number, mean and scatter: they can be saved, gone on with and merged with those of other images.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }

    /// Mean and covariance with divisor `n - 1`, as all tools for the FID have it.
    ///
    /// # Errors
    /// When there are fewer than two images.
    pub fn mean_covariance(&self) -> Result<MeanCovariance, MetricsError> {
        Ok(self.moments.mean_covariance(Ddof::Sample)?)
    }

    /// Features `[images, dimension]` in the order in which they were added; none with [`Keep::Moments`].
    pub fn features(&self) -> Option<ArrayView2<'_, f32>> {
        let count = self.rows.len().checked_div(self.dimension())?;
        (self.keep == Keep::Features).then(|| {
            ArrayView2::from_shape((count, self.dimension()), &self.rows)
                .expect("whole rows were added")
        })
    }

    /// [`features`](Self::features), as an array of their own.
    pub fn into_features(self) -> Option<Array2<f32>> {
        self.features().map(|rows| rows.to_owned())
    }
}
