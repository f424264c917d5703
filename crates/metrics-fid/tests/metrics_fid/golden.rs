//! Values of the reference implementations in f64.

use feature_stats::{Ddof, MeanCovariance, Moments};
use metrics_fid::frechet_distance;
use ndarray::Array2;
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
