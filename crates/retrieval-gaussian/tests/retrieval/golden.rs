//! The published scores, computed in f64 by the reference.

use ndarray::{Array1, Array2};
use retrieval_gaussian::{
    Index, IndexBuilder, IndexSettings, Query, RetrievalMethod, SearchOptions,
};
use testkit::Golden;

/// What the project promises, relative to the score, for an index in f32.
const TOLERANCE: f64 = 1e-4;

fn golden() -> Golden {
    Golden::open(
        env!("CARGO_MANIFEST_DIR"),
        "stats/retrieval.expected.safetensors",
    )
}

fn matrix(golden: &Golden, name: &str) -> Array2<f32> {
    let shape = golden.shape(name);
    Array2::from_shape_vec((shape[0], shape[1]), golden.values(name)).unwrap()
}

fn model_count(golden: &Golden) -> usize {
    golden.names().iter().filter(|n| n.ends_with("/mu")).count()
}

fn index(golden: &Golden) -> Index {
    let dimension = golden.shape("queries")[1];
    let mut builder = IndexBuilder::new(IndexSettings::new(dimension)).unwrap();
    for model in 0..model_count(golden) {
        let name = format!("model{model}");
        let mean: Array1<f64> = golden
            .values(&format!("{name}/mu"))
            .into_iter()
            .map(f64::from)
            .collect();
        let covariance = matrix(golden, &format!("{name}/sigma")).mapv(f64::from);
        let statistics = feature_stats::MeanCovariance::new(mean, covariance).unwrap();
        let samples = matrix(golden, &format!("{name}/features"));
        builder
            .add_with_samples(&name, &statistics, samples.view())
            .unwrap();
    }
    builder.build().unwrap()
}

/// Scores in the f64 that they are stored in: Monte Carlo's go beyond the range of f32.
fn published(golden: &Golden, name: &str) -> Vec<f64> {
    let bytes = std::fs::read(golden.path()).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor(name).unwrap();
    assert_eq!(tensor.dtype(), safetensors::Dtype::F64);
    let (values, _) = tensor.data().as_chunks();
    values.iter().map(|b| f64::from_le_bytes(*b)).collect()
}

#[test]
fn published_scores_in_value_and_order() {
    let golden = golden();
    let index = index(&golden);
    let queries = matrix(&golden, "queries");
    let methods = [
        ("gaussian_density", RetrievalMethod::GaussianDensity),
        ("monte_carlo", RetrievalMethod::MonteCarlo),
        ("first_moment", RetrievalMethod::FirstMoment),
        (
            "first_and_second_moment",
            RetrievalMethod::FirstAndSecondMoment,
        ),
    ];
    for (key, method) in methods {
        // [model][query]
        let expected: Vec<Vec<f64>> = (0..model_count(&golden))
            .map(|model| {
                let scores = published(&golden, &format!("model{model}/{key}")).into_iter();
                match method {
                    RetrievalMethod::MonteCarlo => scores.map(f64::ln).collect(),
                    _ => scores.collect(),
                }
            })
            .collect();
        for (number, query) in queries.rows().into_iter().enumerate() {
            let query = Query::feature(query.as_slice().unwrap());
            let ranking = index.search(&query, &SearchOptions::new(method)).unwrap();
            let mut order: Vec<usize> = (0..expected.len()).collect();
            order.sort_by(|a, b| expected[*b][number].total_cmp(&expected[*a][number]));
            let names: Vec<String> = order.iter().map(|model| format!("model{model}")).collect();
            let found: Vec<&str> = ranking.models.iter().map(|m| m.model.as_str()).collect();
            assert_eq!(found, names, "{key}, query {number}");
            for (ranked, model) in ranking.models.iter().zip(order) {
                let expected = expected[model][number];
                let error = (ranked.score - expected).abs();
                // An absolute error of a logarithm is a relative one of the published score.
                let scale = match method {
                    RetrievalMethod::MonteCarlo => 1.0,
                    _ => expected.abs(),
                };
                assert!(
                    error <= TOLERANCE * scale,
                    "{key}, query {number}, model {model}: {} instead of {expected}",
                    ranked.score
                );
            }
        }
    }
}
