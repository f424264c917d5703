//! Values of scikit-learn, numpy and pytorch-fid.

use feature_stats::{Ddof, Gaussian, MeanCovariance, Moments, Pca, Ridge, SymmetricEigen};
use ndarray::{Array1, Array2};
use testkit::Golden;

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

fn matrix(golden: &Golden, name: &str) -> Array2<f32> {
    let shape = golden.shape(name);
    Array2::from_shape_vec((shape[0], shape[1]), golden.values(name)).unwrap()
}

fn vector(golden: &Golden, name: &str) -> Array1<f64> {
    golden.values(name).into_iter().map(f64::from).collect()
}

fn statistics(rows: &Array2<f32>, ddof: Ddof) -> MeanCovariance {
    let mut moments = Moments::new(rows.ncols());
    moments.add_rows(rows.view()).unwrap();
    moments.mean_covariance(ddof).unwrap()
}

/// The reference is stored as f32, its inputs too.
const STORED_F32: f64 = 1e-5;

fn close(what: &str, found: &Array1<f64>, expected: &Array1<f64>) {
    let scale = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    assert_eq!(found.len(), expected.len(), "{what}");
    for (f, e) in found.iter().zip(expected) {
        assert!(
            (f - e).abs() <= STORED_F32 * scale,
            "{what}: {f} instead of {e}"
        );
    }
}

#[test]
fn principal_components_of_latents() {
    let golden = Golden::open(FOLDER, "stats/ganspace.expected.safetensors");
    let w = matrix(&golden, "w");
    let components = matrix(&golden, "components");
    // scikit-learn divides by n - 1.
    let pca = Pca::fit(&statistics(&w, Ddof::Sample), components.nrows()).unwrap();
    close("mean", pca.mean(), &vector(&golden, "mean"));
    close("stdev", &pca.stdev(), &vector(&golden, "stdev"));
    close(
        "ratio",
        &pca.explained_variance_ratio(),
        &vector(&golden, "variance_ratio"),
    );
    for (found, expected) in pca.components().rows().into_iter().zip(components.rows()) {
        let expected = expected.mapv(f64::from);
        let cosine = found.dot(&expected) / expected.dot(&expected).sqrt();
        // Signs are free; the angle between directions is the root of twice what is missing.
        assert!(1.0 - cosine.abs() < 1e-8, "{cosine}");
        let largest = found
            .iter()
            .fold(0.0f64, |m, v| if v.abs() > m.abs() { *v } else { m });
        assert!(largest > 0.0);
    }
}

#[test]
fn statistics_and_log_densities_of_models() {
    let golden = Golden::open(FOLDER, "stats/retrieval.expected.safetensors");
    let queries = matrix(&golden, "queries");
    let models = golden
        .names()
        .iter()
        .filter(|n| n.ends_with("/features"))
        .count();
    assert!(models > 0);
    for model in 0..models {
        let name = |part: &str| format!("model{model}/{part}");
        let found = statistics(&matrix(&golden, &name("features")), Ddof::Sample);
        close("mu", found.mean(), &vector(&golden, &name("mu")));
        let flat = found.covariance().flatten().into_owned();
        close("sigma", &flat, &vector(&golden, &name("sigma")));
        let gaussian = Gaussian::new(&found, Ridge::CONTENT_BASED_SEARCH).unwrap();
        let densities = gaussian.log_densities(queries.view()).unwrap();
        close(
            "log density",
            &densities,
            &vector(&golden, &name("gaussian_density")),
        );
    }
}

/// `|mu_a - mu_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2)`, the exact form that the reference used.
fn frechet(a: &MeanCovariance, b: &MeanCovariance) -> f64 {
    let root = SymmetricEigen::new(a.covariance())
        .unwrap()
        .square_root()
        .unwrap();
    let inner = root.dot(b.covariance()).dot(&root);
    let cross = SymmetricEigen::new(&inner).unwrap().square_root().unwrap();
    let difference = a.mean() - b.mean();
    difference.dot(&difference) + a.covariance().diag().sum() + b.covariance().diag().sum()
        - 2.0 * cross.diag().sum()
}

#[test]
fn square_roots_give_the_frechet_distance() {
    let golden = Golden::open(FOLDER, "stats/metrics.inputs.safetensors");
    let text = std::fs::read_to_string(testkit::reference_path(
        FOLDER,
        "stats/metrics.expected.json",
    ))
    .unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = expected.as_object().unwrap();
    assert!(!expected.is_empty());
    for (case, values) in expected {
        let a = statistics(&matrix(&golden, &format!("{case}/a")), Ddof::Sample);
        let b = statistics(&matrix(&golden, &format!("{case}/b")), Ddof::Sample);
        let reference = values["frechet"].as_f64().unwrap();
        let found = frechet(&a, &b);
        // Zero eigenvalues of deficient covariances come out as 1e-16 of the largest; their roots, 1e-8 each, add up.
        let scale = reference.abs() + 1e-2 * a.covariance().diag().sum();
        assert!(
            (found - reference).abs() < 1e-6 * scale,
            "{case}: {found} instead of {reference}"
        );
    }
}
