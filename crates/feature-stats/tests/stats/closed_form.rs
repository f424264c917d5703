//! Values that can be computed by hand.

use feature_stats::{
    Cholesky, Ddof, Gaussian, MeanCovariance, Moments, Pca, Ridge, StatsError, SymmetricEigen,
};
use ndarray::{Array1, Array2, array};

/// Rounding of a few operations in f64.
const EXACT: f64 = 1e-12;

fn close(what: &str, found: &Array2<f64>, expected: &Array2<f64>, tolerance: f64) {
    assert_eq!(found.dim(), expected.dim(), "{what}");
    let worst = (found - expected)
        .iter()
        .fold(0.0f64, |m, v| m.max(v.abs()));
    assert!(worst <= tolerance, "{what}: differs by {worst:e}");
}

#[test]
fn mean_and_covariance_of_three_points() {
    let mut moments = Moments::new(2);
    moments.add_slice(&[0.0, 0.0, 2.0, 0.0, 4.0, 6.0]).unwrap();
    assert_eq!(moments.count(), 3);
    let sample = moments.mean_covariance(Ddof::Sample).unwrap();
    close(
        "mean",
        &sample.mean().clone().insert_axis(ndarray::Axis(0)),
        &array![[2.0, 2.0]],
        EXACT,
    );
    close(
        "ddof 1",
        sample.covariance(),
        &array![[4.0, 6.0], [6.0, 12.0]],
        EXACT,
    );
    let population = moments.mean_covariance(Ddof::Population).unwrap();
    close(
        "ddof 0",
        population.covariance(),
        &array![[8.0 / 3.0, 4.0], [4.0, 8.0]],
        EXACT,
    );
}

#[test]
fn a_mean_far_larger_than_the_spread_loses_nothing() {
    // Variance 1.25 about 1e8: in f64 the squares alone, 1e16, have a spacing of 2. The population variance of 0, 1, 2,
    // 3 is 5/4.
    let rows = Array2::from_shape_fn((4000, 1), |(i, _)| 1e8 + (i % 4) as f64);
    let mut moments = Moments::new(1);
    for chunk in rows.axis_chunks_iter(ndarray::Axis(0), 7) {
        moments.add_rows(chunk).unwrap();
    }
    let variance = moments
        .mean_covariance(Ddof::Population)
        .unwrap()
        .covariance()[[0, 0]];
    // The mean is a double near 1e8, with spacing 1.5e-8; its rounding moves the variance by less than that.
    assert!((variance - 1.25).abs() < 1e-7, "{variance}");
}

#[test]
fn too_few_features_have_no_covariance() {
    let mut moments = Moments::new(3);
    let none = moments.mean_covariance(Ddof::Population).unwrap_err();
    assert!(matches!(
        none,
        StatsError::TooFewSamples {
            found: 0,
            required: 1
        }
    ));
    moments.add_slice(&[1.0, 2.0, 3.0]).unwrap();
    let one = moments.mean_covariance(Ddof::Sample).unwrap_err();
    assert!(matches!(
        one,
        StatsError::TooFewSamples {
            found: 1,
            required: 2
        }
    ));
    assert_eq!(
        moments
            .mean_covariance(Ddof::Population)
            .unwrap()
            .covariance(),
        Array2::<f64>::zeros((3, 3))
    );
}

#[test]
fn features_that_do_not_fit_are_refused_and_change_nothing() {
    let mut moments = Moments::new(2);
    moments.add_slice(&[1.0, 2.0]).unwrap();
    let before = moments.clone();
    let ragged = moments.add_slice(&[1.0, 2.0, 3.0]).unwrap_err();
    assert!(
        matches!(
            ragged,
            StatsError::WrongDimension {
                found: 1,
                expected: 2,
                ..
            }
        ),
        "{ragged}"
    );
    let infinite = moments
        .add_rows(array![[0.0f32, 1.0], [f32::INFINITY, 0.0]].view())
        .unwrap_err();
    assert!(
        matches!(
            infinite,
            StatsError::NonFinite {
                row: 1,
                column: 0,
                ..
            }
        ),
        "{infinite}"
    );
    moments.merge(&Moments::new(3)).unwrap_err();
    assert_eq!(moments, before);
}

#[test]
fn eigenvalues_come_largest_first_with_positive_largest_entries() {
    let eigen = SymmetricEigen::new(&array![[2.0, -1.0], [-1.0, 2.0]]).unwrap();
    let half = 0.5f64.sqrt();
    close(
        "values",
        &eigen.values().clone().insert_axis(ndarray::Axis(0)),
        &array![[3.0, 1.0]],
        EXACT,
    );
    let found = eigen.vectors();
    for column in found.columns() {
        assert!((column[0].abs() - half).abs() < EXACT && (column[1].abs() - half).abs() < EXACT);
    }
    // Entries of equal magnitude: rounding decides which is the larger, so that only the product of the signs is
    // certain.
    assert!(found[[0, 0]] * found[[1, 0]] < 0.0 && found[[0, 1]] * found[[1, 1]] > 0.0);
    let eigen = SymmetricEigen::new(&array![[1.0, 0.2], [0.2, 4.0]]).unwrap();
    assert!(eigen.vectors()[[1, 0]] > 0.9 && eigen.vectors()[[0, 1]] > 0.9);
}

#[test]
fn square_root_of_a_known_matrix_and_of_a_singular_one() {
    let root = array![[2.0, 1.0], [1.0, 3.0]];
    let eigen = SymmetricEigen::new(&root.dot(&root)).unwrap();
    close("root", &eigen.square_root().unwrap(), &root, EXACT);
    let singular = array![[1.0, 2.0], [2.0, 4.0]];
    let root = SymmetricEigen::new(&singular)
        .unwrap()
        .square_root()
        .unwrap();
    // A zero eigenvalue comes out as 1e-16 or so, and its root is 1e-8.
    close("singular", &root.dot(&root), &singular, 1e-7);
    let indefinite = SymmetricEigen::new(&array![[1.0, 0.0], [0.0, -0.5]]).unwrap();
    let error = indefinite.square_root().unwrap_err();
    assert!(
        matches!(error, StatsError::NotPositiveSemidefinite { .. }),
        "{error}"
    );
}

#[test]
fn matrices_that_are_not_symmetric_are_refused() {
    let error = SymmetricEigen::new(&array![[1.0, 0.5], [0.0, 1.0]]).unwrap_err();
    assert!(
        matches!(
            error,
            StatsError::NotSymmetric {
                row: 1,
                column: 0,
                ..
            }
        ),
        "{error}"
    );
    let error = MeanCovariance::new(Array1::zeros(2), Array2::eye(3)).unwrap_err();
    assert!(
        matches!(
            error,
            StatsError::WrongDimension {
                found: 3,
                expected: 2,
                ..
            }
        ),
        "{error}"
    );
    let error = MeanCovariance::new(Array1::zeros(1), array![[f64::NAN]]).unwrap_err();
    assert!(matches!(error, StatsError::NonFinite { .. }), "{error}");
}

#[test]
fn cholesky_of_a_known_matrix_with_a_ridge() {
    let statistics = MeanCovariance::new(Array1::zeros(2), array![[3.0, 2.0], [2.0, 4.0]]).unwrap();
    let cholesky = Cholesky::new(&statistics, Ridge::new(1.0).unwrap()).unwrap();
    close(
        "L",
        cholesky.lower(),
        &array![[2.0, 0.0], [1.0, 2.0]],
        EXACT,
    );
    assert!((cholesky.log_determinant() - 16f64.ln()).abs() < EXACT);
    close(
        "inverse",
        &cholesky.inverse_lower(),
        &array![[0.5, 0.0], [-0.25, 0.5]],
        EXACT,
    );
}

#[test]
fn a_singular_covariance_needs_a_ridge() {
    let statistics = MeanCovariance::new(Array1::zeros(2), array![[1.0, 2.0], [2.0, 4.0]]).unwrap();
    let error = Cholesky::new(&statistics, Ridge::NONE).unwrap_err();
    assert!(
        matches!(error, StatsError::NotPositiveDefinite { dimension: 2, .. }),
        "{error}"
    );
    Cholesky::new(&statistics, Ridge::CONTENT_BASED_SEARCH).unwrap();
    for value in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            Ridge::new(value),
            Err(StatsError::InvalidRidge { .. })
        ));
    }
}

#[test]
fn log_density_of_independent_coordinates_is_a_sum() {
    let variances = [0.5f64, 2.0, 9.0];
    let mean = [1.0f64, -1.0, 0.0];
    let point = [2.0f64, 0.0, 6.0];
    let covariance = Array2::from_diag(&Array1::from_iter(variances));
    let statistics = MeanCovariance::new(Array1::from_iter(mean), covariance).unwrap();
    let gaussian = Gaussian::new(&statistics, Ridge::NONE).unwrap();
    let found = gaussian.log_densities(array![point].view()).unwrap()[0];
    let expected: f64 = (0..3)
        .map(|i| {
            -0.5 * ((std::f64::consts::TAU * variances[i]).ln()
                + (point[i] - mean[i]).powi(2) / variances[i])
        })
        .sum();
    assert!((found - expected).abs() < EXACT, "{found} {expected}");
}

#[test]
fn principal_components_of_a_diagonal_covariance_are_the_axes() {
    let statistics = MeanCovariance::new(
        array![1.0, 2.0, 3.0],
        Array2::from_diag(&array![1.0, 4.0, 5.0]),
    )
    .unwrap();
    let pca = Pca::fit(&statistics, 2).unwrap();
    close(
        "components",
        pca.components(),
        &array![[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]],
        EXACT,
    );
    assert_eq!(pca.explained_variance_ratio(), array![0.5, 0.4]);
    close(
        "coordinates",
        &pca.transform(array![[1.0f32, 4.0, 10.0]].view()).unwrap(),
        &array![[7.0, 2.0]],
        EXACT,
    );
    for count in [0, 4] {
        assert!(matches!(
            Pca::fit(&statistics, count),
            Err(StatsError::InvalidComponentCount { .. })
        ));
    }
}
