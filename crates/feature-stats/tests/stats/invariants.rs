//! What holds for any data: seeded features, correlated, far from zero.

use feature_stats::{Ddof, Gaussian, Moments, Pca, Ridge, SymmetricEigen};
use ndarray::{Array1, Array2, Axis, s};
use testkit::seeded;

const ROWS: usize = 1500;
const DIMENSION: usize = 37;

/// Double rounding times the number of additions, with a margin.
const ROUNDING: f64 = 1e-11;

fn features() -> Array2<f32> {
    let independent =
        Array2::from_shape_vec((ROWS, DIMENSION), seeded("features", ROWS * DIMENSION, 1.0))
            .unwrap();
    let mixing = Array2::from_shape_vec(
        (DIMENSION, DIMENSION),
        seeded("mixing", DIMENSION * DIMENSION, 0.3),
    )
    .unwrap();
    independent.dot(&mixing) + 5.0
}

fn worst(difference: &Array2<f64>) -> f64 {
    difference.iter().fold(0.0, |m, v| m.max(v.abs()))
}

/// Two passes in f64, term by term.
fn slow_covariance(rows: &Array2<f32>) -> (Array1<f64>, Array2<f64>) {
    let rows = rows.mapv(f64::from);
    let mean = rows.mean_axis(Axis(0)).unwrap();
    let mut covariance = Array2::zeros((rows.ncols(), rows.ncols()));
    for row in rows.rows() {
        for i in 0..row.len() {
            for j in 0..row.len() {
                covariance[[i, j]] += (row[i] - mean[i]) * (row[j] - mean[j]);
            }
        }
    }
    (mean, covariance / (rows.nrows() - 1) as f64)
}

#[test]
fn packed_moments_are_the_same_moments() {
    let mut moments = Moments::new(DIMENSION);
    moments.add_rows(features().view()).unwrap();
    let (mean, packed) = (moments.mean().to_vec(), moments.packed_scatter());
    assert_eq!(packed.len(), DIMENSION * (DIMENSION + 1) / 2);
    let same = Moments::from_packed(moments.count(), mean.clone(), &packed).unwrap();
    let [found, expected] = [&same, &moments].map(|m| m.mean_covariance(Ddof::Sample).unwrap());
    assert_eq!(found, expected);
    let mut infinite = packed;
    infinite[7] = f64::INFINITY;
    let message = Moments::from_packed(3, mean, &infinite)
        .unwrap_err()
        .to_string();
    assert!(message.contains("inf"), "{message}");
}

#[test]
fn batches_of_any_size_agree_with_two_passes() {
    let rows = features();
    let (mean, covariance) = slow_covariance(&rows);
    for batch in [1, 13, 512, ROWS] {
        let mut moments = Moments::new(DIMENSION);
        for chunk in rows.axis_chunks_iter(Axis(0), batch) {
            moments.add_rows(chunk).unwrap();
        }
        let found = moments.mean_covariance(Ddof::Sample).unwrap();
        assert!(
            worst(&(found.covariance() - &covariance)) < ROUNDING,
            "batches of {batch}"
        );
        assert!(
            (found.mean() - &mean).iter().all(|v| v.abs() < ROUNDING),
            "batches of {batch}"
        );
    }
}

#[test]
fn merged_streams_agree_with_one() {
    let rows = features();
    let mut whole = Moments::new(DIMENSION);
    whole.add_rows(rows.view()).unwrap();
    let mut merged = Moments::new(DIMENSION);
    for (start, end) in [(900, ROWS), (0, 0), (0, 1), (1, 900)] {
        let mut part = Moments::new(DIMENSION);
        part.add_rows(rows.slice(s![start..end, ..])).unwrap();
        merged.merge(&part).unwrap();
    }
    assert_eq!(merged.count(), whole.count());
    let (a, b) = (
        merged.mean_covariance(Ddof::Population).unwrap(),
        whole.mean_covariance(Ddof::Population).unwrap(),
    );
    assert!(worst(&(a.covariance() - b.covariance())) < ROUNDING);
}

#[test]
fn features_in_any_layout_give_the_same() {
    let rows = features();
    let columns_first = rows.t().as_standard_layout().into_owned();
    let (mut a, mut b) = (Moments::new(DIMENSION), Moments::new(DIMENSION));
    a.add_rows(rows.view()).unwrap();
    b.add_rows(columns_first.t()).unwrap();
    let (a, b) = (
        a.mean_covariance(Ddof::Sample).unwrap(),
        b.mean_covariance(Ddof::Sample).unwrap(),
    );
    assert!(worst(&(a.covariance() - b.covariance())) < ROUNDING);
}

#[test]
fn decomposition_rebuilds_the_covariance() {
    let (_, covariance) = slow_covariance(&features());
    let eigen = SymmetricEigen::new(&covariance).unwrap();
    let vectors = eigen.vectors();
    let rebuilt = (vectors * eigen.values()).dot(&vectors.t());
    assert!(worst(&(rebuilt - &covariance)) < ROUNDING);
    assert!(worst(&(vectors.t().dot(vectors) - Array2::<f64>::eye(DIMENSION))) < ROUNDING);
    assert!(eigen.values().windows(2).into_iter().all(|w| w[0] >= w[1]));
    let root = eigen.square_root().unwrap();
    assert!(worst(&(root.dot(&root) - &covariance)) < ROUNDING);
    let factor = eigen.root_factor().unwrap();
    assert!(worst(&(factor.dot(&factor.t()) - &covariance)) < ROUNDING);
}

#[test]
fn all_components_lose_nothing_and_have_no_covariance() {
    let rows = features();
    let mut moments = Moments::new(DIMENSION);
    moments.add_rows(rows.view()).unwrap();
    let statistics = moments.mean_covariance(Ddof::Sample).unwrap();
    let pca = Pca::fit(&statistics, DIMENSION).unwrap();
    let coordinates = pca.transform(rows.view()).unwrap();
    let back = pca.inverse_transform(coordinates.view()).unwrap();
    assert!(worst(&(back - rows.mapv(f64::from))) < ROUNDING);
    assert!((pca.explained_variance_ratio().sum() - 1.0).abs() < ROUNDING);

    let projected = statistics
        .affine(pca.components().view(), pca.mean())
        .unwrap();
    assert!(projected.mean().iter().all(|v| v.abs() < ROUNDING));
    let diagonal = Array2::from_diag(pca.explained_variance());
    assert!(worst(&(projected.covariance() - &diagonal)) < ROUNDING);
    let (_, of_coordinates) = slow_covariance(&coordinates.mapv(|v| v as f32));
    // The coordinates were rounded to f32.
    assert!(worst(&(of_coordinates - diagonal)) < 1e-4);
}

#[test]
fn density_agrees_with_the_inverse_factor() {
    let rows = features();
    let mut moments = Moments::new(DIMENSION);
    moments.add_rows(rows.view()).unwrap();
    let statistics = moments.mean_covariance(Ddof::Sample).unwrap();
    let gaussian = Gaussian::new(&statistics, Ridge::CONTENT_BASED_SEARCH).unwrap();
    let whiten = gaussian.cholesky().inverse_lower();
    let densities = gaussian.log_densities(rows.view()).unwrap();
    for (row, density) in rows.rows().into_iter().zip(&densities).take(20) {
        let whitened = whiten.dot(&(row.mapv(f64::from) - gaussian.mean()));
        let expected = gaussian.log_normalizer() - 0.5 * whitened.dot(&whitened);
        // The two ways differ by rounding times the condition of the covariance, below 1e5 here.
        assert!(
            (density - expected).abs() < 1e-7 * expected.abs(),
            "{density} {expected}"
        );
    }
}

#[test]
fn axes_along_which_nothing_varies_are_eigenvectors() {
    // Few images of few colors leave most channels of a network silent.
    const AXES: usize = 640;
    const ACTIVE: usize = 58;
    const IMAGES: usize = 19;
    let values = seeded("few", IMAGES * ACTIVE, 1.0);
    let mut rows = Array2::<f32>::zeros((IMAGES, AXES));
    for (index, value) in values.iter().enumerate() {
        let (image, channel) = (index / ACTIVE, index % ACTIVE);
        rows[[image, channel * 11]] = value.max(0.0) * 1e-3f32.powi((channel % 3) as i32);
    }
    let mut moments = Moments::new(AXES);
    moments.add_rows(rows.view()).unwrap();
    let statistics = moments.mean_covariance(Ddof::Sample).unwrap();
    let covariance = statistics.covariance();
    let eigen = SymmetricEigen::new(covariance).unwrap();
    let (values, vectors) = (eigen.values(), eigen.vectors());
    assert!(values.windows(2).into_iter().all(|pair| pair[0] >= pair[1]));
    assert!(worst(&(covariance.dot(vectors) - vectors * values)) < ROUNDING);
    assert!(worst(&(vectors.t().dot(vectors) - Array2::<f64>::eye(AXES))) < ROUNDING);
    let silent = values.iter().filter(|v| **v == 0.0).count();
    assert!(silent >= AXES - ACTIVE, "{silent} exact zeros");

    let mut indefinite = Array2::zeros((3, 3));
    indefinite[[0, 0]] = -2.0;
    indefinite[[2, 2]] = 5.0;
    let eigen = SymmetricEigen::new(&indefinite).unwrap();
    assert_eq!(eigen.values().to_vec(), [5.0, 0.0, -2.0]);
    assert_eq!(eigen.vectors()[[1, 1]], 1.0);

    let nothing = SymmetricEigen::new(&Array2::zeros((3, 3))).unwrap();
    assert!(nothing.values().iter().all(|v| *v == 0.0));
    assert_eq!(nothing.vectors(), &Array2::<f64>::eye(3));
}
