//! Values of scikit-learn 1.x: `PCA` and `IncrementalPCA(batch_size=250)` of samples of w.

use feature_stats::{Ddof, Moments};
use ganspace::{IncrementalPca, PrincipalComponents};
use ndarray::{Array1, Array2, s};
use testkit::Golden;

use crate::assert_near;

/// Samples in a batch of the reference's incremental components.
const REFERENCE_BATCH: usize = 250;

/// Relative to the largest value: samples and results are stored as f32, and 1e-4 is what is asked for.
const TOLERANCE: f64 = 1e-5;

fn matrix(golden: &Golden, name: &str) -> Array2<f64> {
    let shape = golden.shape(name);
    let values = golden.values(name).into_iter().map(f64::from).collect();
    Array2::from_shape_vec((shape[0], shape[1]), values).unwrap()
}

fn vector(golden: &Golden, name: &str) -> Array1<f64> {
    golden.values(name).into_iter().map(f64::from).collect()
}

fn open() -> Golden {
    Golden::open(
        env!("CARGO_MANIFEST_DIR"),
        "stats/ganspace.expected.safetensors",
    )
}

fn assert_same_components(found: &PrincipalComponents, expected: &Array2<f64>) {
    for (component, (found, expected)) in found
        .components()
        .rows()
        .into_iter()
        .zip(expected.rows())
        .enumerate()
    {
        assert!((found.dot(&found) - 1.0).abs() < 1e-12, "unit length");
        // The sign is free in the reference.
        let sign = found.dot(&expected).signum();
        let what = format!("component {component}");
        assert_near(&what, &(&found * sign), &expected, TOLERANCE);
    }
}

#[test]
fn exact_components_of_latents() {
    let golden = open();
    let w = matrix(&golden, "w");
    let expected = matrix(&golden, "components");
    let mut moments = Moments::new(w.ncols());
    moments.add_rows(w.view()).unwrap();
    // scikit-learn divides by n - 1.
    let statistics = moments.mean_covariance(Ddof::Sample).unwrap();
    let found = PrincipalComponents::fit(&statistics, expected.nrows()).unwrap();
    assert_same_components(&found, &expected);
    let stdev = vector(&golden, "stdev");
    assert_near("stdev", &found.stdev(), &stdev, TOLERANCE * stdev[0]);
    let ratio = vector(&golden, "variance_ratio");
    let found_ratio = found.explained_variance_ratio();
    assert_near("ratio", &found_ratio, &ratio, TOLERANCE);
    let mean = vector(&golden, "mean");
    assert_near("mean", found.mean(), &mean, TOLERANCE);
}

#[test]
fn incremental_components_of_latents() {
    let golden = open();
    let w = matrix(&golden, "w");
    let expected = matrix(&golden, "incremental_components");
    let count = expected.nrows();
    let mut pca = IncrementalPca::new(w.ncols(), count).unwrap();
    let mut first = 0;
    while first < w.nrows() {
        // As scikit-learn cuts batches: a rest smaller than the number of components joins the batch before it.
        let mut end = (first + REFERENCE_BATCH).min(w.nrows());
        if w.nrows() - end < count {
            end = w.nrows();
        }
        pca.partial_fit(w.slice(s![first..end, ..])).unwrap();
        first = end;
    }
    let found = pca.components().unwrap();
    assert_same_components(&found, &expected);
    let stdev = vector(&golden, "incremental_stdev");
    assert_near("stdev", &found.stdev(), &stdev, TOLERANCE * stdev[0]);
    assert_near("mean", found.mean(), &vector(&golden, "mean"), TOLERANCE);
}
