//! What holds for any models: precisions, projections, batches and shortlists agree with the direct computation.

use feature_stats::{Gaussian, Moments, Pca, Ridge};
use ndarray::{Array2, Axis};
use retrieval_gaussian::{
    IndexBuilder, IndexPrecision, IndexSettings, Query, Ranking, RetrievalMethod, SearchOptions,
};

use crate::models::{features, index, statistics};

const DIMENSION: usize = 37;
const MODELS: usize = 70;

const METHODS: [RetrievalMethod; 4] = [
    RetrievalMethod::GaussianDensity,
    RetrievalMethod::MonteCarlo,
    RetrievalMethod::FirstMoment,
    RetrievalMethod::FirstAndSecondMoment,
];

fn queries(count: usize) -> Vec<Query> {
    let rows = (0..count).map(|i| features(&format!("m{i}"), 200, DIMENSION).row(150).to_vec());
    rows.map(|row| Query::feature(&row)).collect()
}

/// Largest difference of two rankings' scores of the same models, relative to the scores' size.
fn difference(a: &Ranking, b: &Ranking) -> f64 {
    assert_eq!(a.models.len(), b.models.len());
    let scale = a.models.iter().fold(1.0f64, |m, r| m.max(r.score.abs()));
    a.models.iter().fold(0.0, |worst, ranked| {
        let other = &b.models[b.position(&ranked.model).unwrap()];
        f64::max(worst, (ranked.score - other.score).abs() / scale)
    })
}

#[test]
fn one_model_s_log_densities_are_those_of_a_search() {
    let settings = IndexSettings::new(DIMENSION).with_precision(IndexPrecision::F16);
    let index = index(settings, 3);
    let rows = features("m1", 200, DIMENSION);
    let found = index.log_densities("m1", rows.view()).unwrap();
    assert_eq!(found.len(), rows.nrows());
    for (row, found) in rows.outer_iter().zip(found) {
        let ranking = index
            .search(
                &Query::feature(&row.to_vec()),
                &SearchOptions::new(RetrievalMethod::GaussianDensity),
            )
            .unwrap();
        let searched = &ranking.models[ranking.position("m1").unwrap()];
        // Features that are scored together may be summed in another order, of 37 squares in f32.
        assert!((found - searched.score).abs() < 1e-4 * searched.score.abs().max(1.0));
    }
    assert!(index.log_densities("m9", rows.view()).is_err());
    let narrow = rows.slice(ndarray::s![.., 1..]);
    assert!(index.log_densities("m1", narrow).is_err());
}

#[test]
fn queries_together_score_as_they_do_alone() {
    let index = index(IndexSettings::new(DIMENSION), MODELS);
    let queries = queries(11);
    for method in METHODS {
        let options = SearchOptions::new(method);
        let together = index.search_many(&queries, &options).unwrap();
        for (query, ranking) in queries.iter().zip(&together) {
            let alone = index.search(query, &options).unwrap();
            // The order of f32 sums differs.
            assert!(difference(&alone, ranking) < 1e-5, "{method:?}");
            assert!(ranking.models.is_sorted_by(|a, b| a.score >= b.score));
        }
    }
    assert!(
        index
            .search_many(&[], &SearchOptions::new(METHODS[0]))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_query_from_a_model_finds_it() {
    let index = index(IndexSettings::new(DIMENSION), MODELS);
    let options = SearchOptions::new(RetrievalMethod::GaussianDensity);
    for (model, query) in queries(20).iter().enumerate() {
        let ranking = index.search(query, &options).unwrap();
        assert_eq!(ranking.models[0].model, format!("m{model}"));
    }
}

#[test]
fn half_precision_moves_scores_by_little() {
    let single = index(IndexSettings::new(DIMENSION), MODELS);
    let half = index(
        IndexSettings::new(DIMENSION).with_precision(IndexPrecision::F16),
        MODELS,
    );
    assert!(half.size_in_bytes() * 2 < single.size_in_bytes() + 40_000);
    for method in METHODS {
        let options = SearchOptions::new(method);
        for query in queries(5) {
            let (a, b) = (
                single.search(&query, &options).unwrap(),
                half.search(&query, &options).unwrap(),
            );
            // 2^-11 in each entry of a factor, times what the condition of these covariances (below 20) makes of it.
            assert!(
                difference(&a, &b) < 1e-2,
                "{method:?}: {}",
                difference(&a, &b)
            );
            if method == RetrievalMethod::GaussianDensity {
                assert_eq!(a.models[0].model, b.models[0].model);
            }
        }
    }
}

#[test]
fn statistics_come_back_from_the_factor() {
    let index = index(IndexSettings::new(DIMENSION), 3);
    for name in index.names() {
        let expected = statistics(&features(name, 3 * DIMENSION, DIMENSION));
        let found = index.statistics(name).unwrap();
        let worst = (found.covariance() - expected.covariance())
            .iter()
            .fold(0.0f64, |m, v| m.max(v.abs()));
        // f32 rounding of a factor whose condition is below 1e2, times variances below 0.1.
        assert!(worst < 1e-6, "{name}: {worst:e}");
    }
}

#[test]
fn projected_and_normalized_scores_are_those_of_projected_features() {
    let normalize = |rows: Array2<f32>| {
        let lengths = rows
            .map_axis(Axis(1), |r| r.dot(&r).sqrt())
            .insert_axis(Axis(1));
        rows / lengths
    };
    let names: Vec<String> = (0..6).map(|i| format!("m{i}")).collect();
    let all: Vec<Array2<f32>> = names
        .iter()
        .map(|n| normalize(features(n, 111, DIMENSION)))
        .collect();
    let mut moments = Moments::new(DIMENSION);
    for rows in &all {
        moments.add_rows(rows.view()).unwrap();
    }
    let pca = Pca::fit(
        &moments
            .mean_covariance(feature_stats::Ddof::Sample)
            .unwrap(),
        12,
    )
    .unwrap();
    let settings = IndexSettings::new(DIMENSION)
        .with_l2_normalization()
        .with_projection(&pca)
        .unwrap();
    assert_eq!(settings.dimension(), 12);
    let mut builder = IndexBuilder::new(settings).unwrap();
    for (name, rows) in names.iter().zip(&all) {
        builder.add(name, &statistics(rows)).unwrap();
    }
    let index = builder.build().unwrap();

    let raw = features("m2", 200, DIMENSION).row(150).to_owned();
    let options = SearchOptions::new(RetrievalMethod::GaussianDensity);
    let ranking = index
        .search(&Query::feature(raw.as_slice().unwrap()), &options)
        .unwrap();
    let row = normalize(raw.insert_axis(Axis(0)));
    let coordinates = pca.transform(row.view()).unwrap();
    for (name, rows) in names.iter().zip(&all) {
        let projected = pca.transform(rows.view()).unwrap();
        let mut moments = Moments::new(12);
        moments.add_rows(projected.view()).unwrap();
        let statistics = moments
            .mean_covariance(feature_stats::Ddof::Sample)
            .unwrap();
        let gaussian = Gaussian::new(&statistics, Ridge::CONTENT_BASED_SEARCH).unwrap();
        let expected = gaussian.log_densities(coordinates.view()).unwrap()[0];
        let found = ranking.models[ranking.position(name).unwrap()].score;
        // The projection, mean and factor are f32.
        assert!(
            (found - expected).abs() < 1e-4 * expected.abs().max(1.0),
            "{name}: {found} {expected}"
        );
    }
}

#[test]
fn a_shortlist_of_most_models_keeps_the_best_and_its_exact_scores() {
    let index = index(IndexSettings::new(DIMENSION), MODELS);
    let exact = SearchOptions::new(RetrievalMethod::GaussianDensity);
    let short = SearchOptions {
        shortlist: Some(20),
        limit: Some(5),
        ..exact
    };
    for query in queries(10) {
        let (all, few) = (
            index.search(&query, &exact).unwrap(),
            index.search(&query, &short).unwrap(),
        );
        assert_eq!(few.models.len(), 5);
        assert_eq!(few.models[0].model, all.models[0].model);
        for ranked in &few.models {
            let exact = all.models[all.position(&ranked.model).unwrap()].score;
            assert!((ranked.score - exact).abs() < 1e-9);
        }
    }
}

#[test]
fn limits_cut_the_ranking() {
    let index = index(IndexSettings::new(DIMENSION), 9);
    let query = &queries(1)[0];
    let mut options = SearchOptions::new(RetrievalMethod::FirstMoment);
    let all = index.search(query, &options).unwrap();
    for limit in [0, 1, 4, 9, 100] {
        options.limit = Some(limit);
        let some = index.search(query, &options).unwrap();
        assert_eq!(some.models[..], all.models[..limit.min(9)]);
    }
}

#[test]
fn options_are_the_same_after_json_and_what_is_left_out_is_the_default() {
    let options = SearchOptions {
        limit: Some(5),
        inverse_temperature: 20.0,
        ..SearchOptions::new(RetrievalMethod::FirstAndSecondMoment)
    };
    let json = serde_json::to_string(&options).unwrap();
    assert_eq!(
        serde_json::from_str::<SearchOptions>(&json).unwrap(),
        options
    );
    let partial: SearchOptions = serde_json::from_str(r#"{"method": "first_moment"}"#).unwrap();
    assert_eq!(partial, SearchOptions::new(RetrievalMethod::FirstMoment));
    let misspelt = serde_json::from_str::<SearchOptions>(r#"{"limits": 5}"#).unwrap_err();
    assert!(misspelt.to_string().contains("limits"), "{misspelt}");
}
