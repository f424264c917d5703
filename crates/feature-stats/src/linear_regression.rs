use std::path::Path;

use ndarray::{Array1, Array2, ArrayView2, s};

use crate::dense::{check_dimension, check_finite};
use crate::stored::{StoredArrays, Writer};
use crate::{Cholesky, MeanCovariance, Ridge, StatsError};

const KIND: &str = "linear regression";

/// Ridge regression of targets from features, from the mean and covariance of both together.
///
/// With `x` of dimension `d` and `y` of dimension `k`, rows `[x, y]` of mean `[m_x, m_y]` and covariance `C`, the
/// prediction is
///
/// ```text
/// y(x) = m_y + C_yx (C_xx + ridge I)^-1 (x - m_x)
/// ```
///
/// which minimizes the mean of `|y(x) - y|^2` plus ridge times the squared coefficients (Hoerl and Kennard 1970). The
/// features themselves are not needed again.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearRegression {
    /// `[d]`
    origin: Array1<f64>,
    /// `[k]`
    intercept: Array1<f64>,
    /// `[d, k]`
    coefficients: Array2<f64>,
}

impl LinearRegression {
    /// Regresses what follows the first `features` dimensions from those.
    ///
    /// # Errors
    /// When there are no features or no targets, or the features' covariance with the ridge is not positive definite.
    pub fn fit(joint: &MeanCovariance, features: usize, ridge: Ridge) -> Result<Self, StatsError> {
        let dimension = joint.dimension();
        if features == 0 || features >= dimension {
            return Err(StatsError::WrongDimension {
                what: "the features with the targets",
                found: dimension,
                expected: features + 1,
            });
        }
        let covariance = joint.covariance();
        let of_features = MeanCovariance::new(
            joint.mean().slice(s![..features]).to_owned(),
            covariance.slice(s![..features, ..features]).to_owned(),
        )?;
        let inverse = Cholesky::new(&of_features, ridge)?.inverse_lower();
        let cross = covariance.slice(s![..features, features..]);
        Ok(Self {
            origin: of_features.mean().clone(),
            intercept: joint.mean().slice(s![features..]).to_owned(),
            coefficients: inverse.t().dot(&inverse.dot(&cross)),
        })
    }

    /// Dimension of the features.
    pub fn features(&self) -> usize {
        self.origin.len()
    }

    /// Dimension of the targets.
    pub fn targets(&self) -> usize {
        self.intercept.len()
    }

    /// Predictions `[n, k]` for features `[n, d]`.
    ///
    /// ```
    /// use feature_stats::{Ddof, LinearRegression, Moments, Ridge};
    /// use ndarray::array;
    ///
    /// // y = 2 x + 1
    /// let mut moments = Moments::new(2);
    /// moments.add_rows(array![[0.0f32, 1.0], [1.0, 3.0], [2.0, 5.0]].view())?;
    /// let line = LinearRegression::fit(&moments.mean_covariance(Ddof::Sample)?, 1, Ridge::NONE)?;
    /// assert!((line.predict(array![[10.0f32]].view())?[[0, 0]] - 21.0).abs() < 1e-12);
    /// # Ok::<(), feature_stats::StatsError>(())
    /// ```
    ///
    /// # Errors
    /// When the dimension differs or a number is not finite.
    pub fn predict<T: Copy + Into<f64>>(
        &self,
        rows: ArrayView2<'_, T>,
    ) -> Result<Array2<f64>, StatsError> {
        check_dimension("a feature", rows.ncols(), self.features())?;
        check_finite("a feature", rows)?;
        let centered = rows.mapv(|v| -> f64 { v.into() }) - &self.origin;
        Ok(centered.dot(&self.coefficients) + &self.intercept)
    }

    /// Writes f64 safetensors (`origin`, `intercept`, `coefficients`) atomically.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), StatsError> {
        let mut file = Writer::default();
        file.vector("origin", &self.origin);
        file.vector("intercept", &self.intercept);
        file.matrix("coefficients", &self.coefficients);
        file.write(path.as_ref(), KIND)
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// When the file cannot be read, or is anything but three finite arrays whose dimensions fit.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, StatsError> {
        let names = ["origin", "intercept", "coefficients"];
        let file = StoredArrays::read(path.as_ref(), KIND, &names)?;
        let origin = file.vector("origin", None)?;
        let intercept = file.vector("intercept", None)?;
        let coefficients = file.matrix("coefficients", origin.len(), intercept.len())?;
        Ok(Self {
            origin,
            intercept,
            coefficients,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use ndarray::{Axis, array, concatenate};
    use testkit::seeded;

    use super::*;
    use crate::{Ddof, Moments};

    fn random(name: &str, rows: usize, columns: usize) -> Array2<f64> {
        let values = seeded(name, rows * columns, 1.0);
        Array2::from_shape_vec((rows, columns), values)
            .unwrap()
            .mapv(f64::from)
    }

    fn joint(x: &Array2<f64>, y: &Array2<f64>) -> MeanCovariance {
        let mut moments = Moments::new(x.ncols() + y.ncols());
        moments
            .add_rows(concatenate![Axis(1), *x, *y].view())
            .unwrap();
        moments.mean_covariance(Ddof::Sample).unwrap()
    }

    #[test]
    fn a_linear_map_is_found_exactly() {
        let (x, map) = (random("x", 40, 4), random("map", 4, 3));
        let y = x.dot(&map) + array![1.0, -2.0, 3.0];
        let found = LinearRegression::fit(&joint(&x, &y), 4, Ridge::NONE).unwrap();
        let unseen = random("unseen", 5, 4);
        let expected = unseen.dot(&map) + array![1.0, -2.0, 3.0];
        let error = found.predict(unseen.view()).unwrap() - expected;
        // f64, of a well-conditioned covariance.
        assert!(error.iter().all(|e| e.abs() < 1e-10), "{error}");
    }

    /// Of one feature the coefficient is cov(x, y) / (var(x) + ridge).
    #[test]
    fn a_ridge_shrinks_as_its_formula_says() {
        let (x, y) = (random("x", 30, 1), random("y", 30, 1));
        let statistics = joint(&x, &y);
        let covariance = statistics.covariance();
        let ridge = 0.7;
        let found = LinearRegression::fit(&statistics, 1, Ridge::new(ridge).unwrap()).unwrap();
        let slope = covariance[[0, 1]] / (covariance[[0, 0]] + ridge);
        let at = |value: f64| found.predict(array![[value]].view()).unwrap()[[0, 0]];
        assert!((at(1.0) - at(0.0) - slope).abs() < 1e-12);
        assert!((at(statistics.mean()[0]) - statistics.mean()[1]).abs() < 1e-12);
    }

    #[test]
    fn files_are_read_as_they_were_written_and_others_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("regression.safetensors");
        let statistics = joint(&random("x", 30, 3), &random("y", 30, 2));
        let found = LinearRegression::fit(&statistics, 3, Ridge::NONE).unwrap();
        found.save(&path).unwrap();
        assert_eq!(LinearRegression::load(&path).unwrap(), found);
        statistics.save(&path).unwrap();
        let error = LinearRegression::load(&path).unwrap_err();
        assert!(error.to_string().contains("linear regression"), "{error}");
        for features in [0, 5, 6] {
            assert!(LinearRegression::fit(&statistics, features, Ridge::NONE).is_err());
        }
    }
}
