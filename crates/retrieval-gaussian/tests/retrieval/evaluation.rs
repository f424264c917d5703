//! Accuracy and mean average precision by hand.

use std::collections::BTreeSet;

use retrieval_gaussian::{
    EvaluatedQuery, Evaluation, RankedModel, Ranking, RetrievalError, mean_average_precision,
};

fn ranking(names: &str) -> Ranking {
    let ranked = names.chars().enumerate().map(|(i, name)| RankedModel {
        model: name.to_string(),
        score: -(i as f64),
    });
    Ranking {
        models: ranked.collect(),
    }
}

fn set(names: &str) -> BTreeSet<String> {
    names.chars().map(|c| c.to_string()).collect()
}

#[test]
fn measures_follow_their_definitions() {
    let (first, second) = (ranking("abcdefghijkl"), ranking("bcdefghijkla"));
    let (few, many) = (set("ac"), set("abcdefg"));
    let queries = [
        EvaluatedQuery {
            ranking: &first,
            expected: "a",
            relevant: &few,
        },
        EvaluatedQuery {
            ranking: &second,
            expected: "a",
            relevant: &many,
        },
    ];
    let found = Evaluation::of(&queries).unwrap();
    assert_eq!([found.top_1, found.top_5, found.top_10], [0.5, 0.5, 0.5]);
    // First: (1/1 + 2/3) / 2. Second at 5: all five right of min(5, 7). At 10: six right of seven. All: the seventh
    // comes twelfth.
    let first = (1.0 + 2.0 / 3.0) / 2.0;
    let expected = [
        first + 1.0,
        first + 6.0 / 7.0,
        first + (6.0 + 7.0 / 12.0) / 7.0,
    ];
    for (found, expected) in [found.map_5, found.map_10, found.map_all]
        .into_iter()
        .zip(expected)
    {
        assert!((found - expected / 2.0).abs() < 1e-12, "{found} {expected}");
    }
}

#[test]
fn an_own_model_counts_from_its_rank_on() {
    let ranking = ranking("abcdefghijkl");
    let relevant = set("e");
    let query = [EvaluatedQuery {
        ranking: &ranking,
        expected: "e",
        relevant: &relevant,
    }];
    let found = Evaluation::of(&query).unwrap();
    assert_eq!([found.top_1, found.top_5, found.top_10], [0.0, 1.0, 1.0]);
    assert_eq!(found.map_5, 0.2);
}

#[test]
fn nothing_to_evaluate_is_an_error() {
    assert!(matches!(
        Evaluation::of(&[]),
        Err(RetrievalError::EmptyQuery)
    ));
    let (ranking, relevant) = (ranking("ab"), BTreeSet::new());
    let query = [EvaluatedQuery {
        ranking: &ranking,
        expected: "a",
        relevant: &relevant,
    }];
    let error = mean_average_precision(&query, 5).unwrap_err();
    assert!(
        matches!(error, RetrievalError::Evaluation { query: 0, .. }),
        "{error}"
    );
}
