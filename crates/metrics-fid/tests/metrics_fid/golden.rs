//! Values of the reference implementations in f64.

use feature_stats::{Ddof, MeanCovariance, Moments};
use metrics_fid::{
    PRECISION_RECALL_NEIGHBORS, frechet_distance, kernel_distance, precision_recall,
};
use ndarray::{Array2, s};
use testkit::Golden;

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

/// Seeded features `[count, dimension]`, of standard deviation `std` in the first dimension and less in the others.
pub fn cloud(name: &str, count: usize, dimension: usize, std: f64) -> Array2<f32> {
    let values = testkit::seeded(&format!("cloud/{name}"), count * dimension, std);
    let mut rows = Array2::from_shape_vec((count, dimension), values).unwrap();
    for (index, mut column) in rows.columns_mut().into_iter().enumerate() {
        column /= 1.0 + index as f32 / 4.0;
    }
    rows
}

pub fn statistics(rows: &Array2<f32>) -> MeanCovariance {
    let mut moments = Moments::new(rows.ncols());
    moments.add_rows(rows.view()).unwrap();
    moments.mean_covariance(Ddof::Sample).unwrap()
}

pub struct Case {
    pub name: String,
    pub a: Array2<f32>,
    pub b: Array2<f32>,
    pub expected: serde_json::Value,
}

/// The feature clouds of `stats/metrics.*`.
pub fn cases() -> Vec<Case> {
    let inputs = Golden::open(FOLDER, "stats/metrics.inputs.safetensors");
    let path = testkit::reference_path(FOLDER, "stats/metrics.expected.json");
    let expected: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let rows = |name: String| {
        let shape = inputs.shape(&name);
        Array2::from_shape_vec((shape[0], shape[1]), inputs.values(&name)).unwrap()
    };
    let cases: Vec<Case> = expected
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, expected)| Case {
            name: name.clone(),
            a: rows(format!("{name}/a")),
            b: rows(format!("{name}/b")),
            expected: expected.clone(),
        })
        .collect();
    assert!(!cases.is_empty());
    cases
}

#[test]
fn frechet_distances() {
    for case in cases() {
        let found = frechet_distance(&statistics(&case.a), &statistics(&case.b)).unwrap();
        let expected = case.expected["frechet"].as_f64().unwrap();
        // The reference is exact up to f64 rounding; of equal sets only that remains.
        let tolerance = if case.name.starts_with("same") {
            1e-9
        } else {
            1e-6 * expected
        };
        assert!(
            (found - expected).abs() <= tolerance,
            "{}: {found} instead of {expected}",
            case.name
        );
    }
}

#[test]
fn kernel_distances() {
    for case in cases() {
        // The reference's block is the first rows of both sets, as many as the smaller has.
        let size = case.a.nrows().min(case.b.nrows());
        let [a, b] = [&case.a, &case.b].map(|set| set.slice(s![..size, ..]));
        let found = kernel_distance(a, b).unwrap();
        let expected = case.expected["kid_unbiased_one_block"].as_f64().unwrap();
        // Sums of terms near 1 in the reference, of which those of small features lose their digits: 1e-16 of a million
        // terms' mean.
        let tolerance = 1e-6 * expected.abs() + 1e-14;
        assert!(
            (found - expected).abs() <= tolerance,
            "{}: {found} instead of {expected}",
            case.name
        );
    }
}

#[test]
fn precision_and_recall() {
    for case in cases() {
        let found =
            precision_recall(case.a.view(), case.b.view(), PRECISION_RECALL_NEIGHBORS).unwrap();
        // Counts over the number of images: equal or one image off.
        let expected = |key: &str| case.expected[key].as_f64().unwrap();
        assert!(
            (found.precision - expected("precision_k3")).abs() < 1e-9
                && (found.recall - expected("recall_k3")).abs() < 1e-9,
            "{}: {found:?} instead of {} and {}",
            case.name,
            expected("precision_k3"),
            expected("recall_k3")
        );
    }
}
