//! Scores that can be computed by hand.

use feature_stats::{MeanCovariance, Ridge};
use ndarray::{Array2, array};
use retrieval_gaussian::{
    Index, IndexBuilder, IndexSettings, Query, RetrievalError, RetrievalMethod, SearchOptions,
};

/// Factors, means and features are f32, and so are the sums over them.
const SINGLE: f64 = 1e-5;

const RIDGE: f64 = 1.0;

/// One model with mean (3, 0), covariance diag(3, 1), and two samples.
fn index() -> Index {
    let settings = IndexSettings::new(2).with_ridge(Ridge::new(RIDGE).unwrap());
    let mut builder = IndexBuilder::new(settings).unwrap();
    let statistics = MeanCovariance::new(array![3.0, 0.0], array![[3.0, 0.0], [0.0, 1.0]]).unwrap();
    let samples = array![[1.0f32, 0.0], [0.0, 1.0]];
    builder
        .add_with_samples("model", &statistics, samples.view())
        .unwrap();
    builder.build().unwrap()
}

fn score(query: &Query, options: &SearchOptions) -> f64 {
    index().search(query, options).unwrap().models[0].score
}

fn close(what: &str, found: f64, expected: f64) {
    assert!(
        (found - expected).abs() <= SINGLE * expected.abs().max(1.0),
        "{what}: {found} instead of {expected}"
    );
}

/// log N((x, y); (3, 0), diag(4, 2))
fn density(x: f64, y: f64) -> f64 {
    -std::f64::consts::TAU.ln() - 0.5 * 8f64.ln() - 0.5 * ((x - 3.0).powi(2) / 4.0 + y * y / 2.0)
}

#[test]
fn each_method_gives_its_formula() {
    let query = Query::feature(&[3.0, 4.0]);
    let with = |method| SearchOptions::new(method);
    close(
        "density",
        score(&query, &with(RetrievalMethod::GaussianDensity)),
        density(3.0, 4.0),
    );
    // q-hat = (0.6, 0.8).
    close(
        "first moment",
        score(&query, &with(RetrievalMethod::FirstMoment)),
        0.6f64.exp(),
    );
    let spread = 0.36 * 3.0 + 0.64;
    let both = 100.0 * 1.8 + 0.5 * 1e4 * spread;
    close(
        "both moments",
        score(&query, &with(RetrievalMethod::FirstAndSecondMoment)),
        both,
    );
    // log((e^60 + e^80) / 2)
    close(
        "monte carlo",
        score(&query, &with(RetrievalMethod::MonteCarlo)),
        80.0 - 2f64.ln() + (-20f64).exp(),
    );
}

#[test]
fn temperatures_that_overflow_the_published_form_do_not_here() {
    let query = Query::feature(&[3.0, 4.0]);
    let with = |method, inverse_temperature| SearchOptions {
        inverse_temperature,
        ..SearchOptions::new(method)
    };
    let t = 1e5;
    close(
        "monte carlo",
        score(&query, &with(RetrievalMethod::MonteCarlo, t)),
        0.8 * t - 2f64.ln(),
    );
    close(
        "its limit",
        score(&query, &with(RetrievalMethod::MonteCarlo, f64::INFINITY)),
        0.8,
    );
    let spread = 0.36 * 3.0 + 0.64;
    close(
        "the spread",
        score(
            &query,
            &with(RetrievalMethod::FirstAndSecondMoment, f64::INFINITY),
        ),
        spread,
    );
    for t in [0.0, -1.0, f64::NAN] {
        let error = index()
            .search(&query, &with(RetrievalMethod::MonteCarlo, t))
            .unwrap_err();
        assert!(
            matches!(error, RetrievalError::InvalidSetting { .. }),
            "{error}"
        );
    }
}

#[test]
fn several_images_score_their_mean_and_combinations_their_weighted_sum() {
    let options = SearchOptions::new(RetrievalMethod::GaussianDensity);
    let set = Query::feature_set(array![[3.0f32, 4.0], [1.0, 0.0]].view());
    let mean = (density(3.0, 4.0) + density(1.0, 0.0)) / 2.0;
    close("set", score(&set, &options), mean);
    let combination = Query::combination([
        (2.0, set),
        (
            -0.5,
            Query::combination([(3.0, Query::feature(&[0.0, 0.0]))]),
        ),
    ]);
    close(
        "combination",
        score(&combination, &options),
        2.0 * mean - 1.5 * density(0.0, 0.0),
    );
}

#[test]
fn a_model_scores_the_expectation_over_its_features() {
    let options = SearchOptions::new(RetrievalMethod::GaussianDensity);
    // tr(diag(4, 2)^-1 [[2, 1], [1, 1]]) = 2/4 + 1/2
    let statistics = MeanCovariance::new(array![1.0, 1.0], array![[2.0, 1.0], [1.0, 1.0]]).unwrap();
    close(
        "outside",
        score(&Query::statistics(statistics), &options),
        density(1.0, 1.0) - 0.5,
    );
    // Of the index: tr(diag(4, 2)^-1 diag(3, 1)) = 3/4 + 1/2
    close(
        "inside",
        score(&Query::model("model"), &options),
        density(3.0, 0.0) - 0.5 * 1.25,
    );
    let cosine = score(
        &Query::model("model"),
        &SearchOptions::new(RetrievalMethod::FirstMoment),
    );
    close("its own mean", cosine, 1f64.exp());
}

#[test]
fn a_feature_of_zeros_is_no_error() {
    let options = SearchOptions::new(RetrievalMethod::FirstMoment);
    close("cosine", score(&Query::feature(&[0.0, 0.0]), &options), 1.0);
}

#[test]
fn queries_that_do_not_fit_are_refused() {
    let index = index();
    let options = SearchOptions::new(RetrievalMethod::GaussianDensity);
    let refused = |query: Query| index.search(&query, &options).unwrap_err();
    assert!(matches!(
        refused(Query::feature(&[1.0])),
        RetrievalError::WrongDimension {
            found: 1,
            expected: 2,
            ..
        }
    ));
    assert!(matches!(
        refused(Query::feature(&[1.0, f32::NAN])),
        RetrievalError::NonFinite { index: 1, .. }
    ));
    assert!(matches!(
        refused(Query::model("dogs")),
        RetrievalError::UnknownModel { count: 1, .. }
    ));
    assert!(matches!(
        refused(Query::combination([])),
        RetrievalError::EmptyQuery
    ));
    let none = Query::feature_set(Array2::<f32>::zeros((0, 2)).view());
    assert!(matches!(refused(none), RetrievalError::EmptyQuery));
    let infinite = Query::combination([(f64::INFINITY, Query::feature(&[0.0, 0.0]))]);
    assert!(matches!(
        refused(infinite),
        RetrievalError::NonFinite { .. }
    ));
    let other = MeanCovariance::new(array![0.0], array![[1.0]]).unwrap();
    assert!(matches!(
        refused(Query::statistics(other)),
        RetrievalError::WrongDimension { found: 1, .. }
    ));
}

#[test]
fn monte_carlo_needs_samples() {
    let mut builder = IndexBuilder::new(IndexSettings::new(1)).unwrap();
    let statistics = MeanCovariance::new(array![0.0], array![[1.0]]).unwrap();
    builder.add("bare", &statistics).unwrap();
    let index = builder.build().unwrap();
    let options = SearchOptions::new(RetrievalMethod::MonteCarlo);
    let error = index.search(&Query::feature(&[1.0]), &options).unwrap_err();
    assert!(
        matches!(&error, RetrievalError::NoSamples { model } if model == "bare"),
        "{error}"
    );
}

#[test]
fn models_that_cannot_be_kept_are_refused() {
    let mut builder = IndexBuilder::new(IndexSettings::new(2).with_ridge(Ridge::NONE)).unwrap();
    let good = MeanCovariance::new(array![0.0, 0.0], Array2::eye(2)).unwrap();
    builder.add("a", &good).unwrap();
    assert!(matches!(
        builder.add("a", &good),
        Err(RetrievalError::DuplicateModel { .. })
    ));
    let long = "x".repeat(2000);
    for name in ["", "two\nlines", &long] {
        assert!(matches!(
            builder.add(name, &good),
            Err(RetrievalError::InvalidName { .. })
        ));
    }
    let singular = MeanCovariance::new(array![0.0, 0.0], array![[1.0, 1.0], [1.0, 1.0]]).unwrap();
    assert!(matches!(
        builder.add("b", &singular),
        Err(RetrievalError::Statistics { .. })
    ));
    let other = MeanCovariance::new(array![0.0], array![[1.0]]).unwrap();
    assert!(matches!(
        builder.add("b", &other),
        Err(RetrievalError::Statistics { .. })
    ));
    assert_eq!(builder.len(), 1);

    let half = IndexSettings::new(1)
        .with_precision(retrieval_gaussian::IndexPrecision::F16)
        .with_ridge(Ridge::NONE);
    let narrow = MeanCovariance::new(array![0.0], array![[1e-12]]).unwrap();
    // 1 / sqrt(1e-12) is beyond 65504.
    let error = IndexBuilder::new(half)
        .unwrap()
        .add("narrow", &narrow)
        .unwrap_err();
    assert!(
        matches!(error, RetrievalError::DoesNotFit { .. }),
        "{error}"
    );
    for dimension in [0, 5000, 1 << 20] {
        assert!(matches!(
            IndexBuilder::new(IndexSettings::new(dimension)),
            Err(RetrievalError::InvalidSetting { .. })
        ));
    }
}
