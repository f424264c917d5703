//! Components ranked by an attribute: closed forms and what is refused.

use ganspace::{EffectTrials, GanspaceError, LinearScore, associations, effects};
use ndarray::{Array1, Array2, Axis, array, concatenate};
use testkit::seeded;

use crate::samples;

/// Two coordinates without correlation, mean 0 and deviation 1, and one that is constant.
fn coordinates() -> Array2<f64> {
    array![
        [1.0, 1.0, 5.0],
        [1.0, -1.0, 5.0],
        [-1.0, 1.0, 5.0],
        [-1.0, -1.0, 5.0]
    ]
}

#[test]
fn a_linear_score_is_shared_out_among_components() {
    let coordinates = coordinates();
    let score = coordinates.dot(&array![-3.0, 4.0, 0.0]) * 20.0 + 7.0;
    let found = associations(coordinates.view(), &score.to_vec()).unwrap();
    let order: Vec<usize> = found.iter().map(|a| a.component).collect();
    assert_eq!(order, [1, 0, 2]);
    for (association, correlation, exclusivity) in [
        (found[0], 0.8, 0.64),
        (found[1], -0.6, 0.36),
        (found[2], 0.0, 0.0),
    ] {
        assert!((association.correlation - correlation).abs() < 1e-12);
        assert!((association.exclusivity - exclusivity).abs() < 1e-12);
    }
}

#[test]
fn correlation_does_not_depend_on_units() {
    let coordinates = samples("coordinates of scores", 50, 4);
    let noise = samples("noise", 50, 1);
    let score = (coordinates.dot(&array![0.1, 1.0, 0.0, -2.0]) + noise.column(0)).to_vec();
    let found = associations(coordinates.view(), &score).unwrap();
    let other_units: Vec<f64> = score.iter().map(|v| 1e6 - 1e-3 * v).collect();
    let again = associations((&coordinates * 30.0 - 4.0).view(), &other_units).unwrap();
    for (a, b) in found.iter().zip(&again) {
        assert_eq!(a.component, b.component);
        // 1e6 takes seven of the digits.
        assert!((a.correlation + b.correlation).abs() < 1e-6);
    }
    let shares: f64 = found.iter().map(|a| a.exclusivity).sum();
    assert!((shares - 1.0).abs() < 1e-12);
}

#[test]
fn scores_that_cannot_be_ranked_by_are_refused() {
    let view = coordinates();
    let refused = |scores: &[f64]| associations(view.view(), scores).unwrap_err();
    assert!(matches!(
        refused(&[1.0, 2.0]),
        GanspaceError::WrongSize {
            found: 2,
            expected: 4,
            ..
        }
    ));
    assert!(matches!(refused(&[0.1; 4]), GanspaceError::NoSpread { .. }));
    assert!(matches!(
        refused(&[1.0, f64::NAN, 0.0, 0.0]),
        GanspaceError::InvalidNumber { position: 1, .. }
    ));
}

/// Two samples, strength 2: scores of deviation 5.
const SCORES: [f64; 2] = [10.0, 20.0];

fn random() -> EffectTrials {
    EffectTrials {
        score_change: array![[2.0, -4.0], [2.0, -4.0]],
        movement: array![[2.0, 1.0], [4.0, 5.0]],
    }
}

#[test]
fn effects_are_changes_per_standard_deviation() {
    let trials = EffectTrials {
        score_change: array![[1.0, -20.0, 0.0], [1.0, -40.0, 0.0]],
        movement: array![[0.5, 6.0, 0.0], [1.5, 6.0, 0.0]],
    };
    let found = effects(&SCORES, &trials, &random(), 2.0).unwrap();
    let order: Vec<usize> = found.iter().map(|effect| effect.component).collect();
    assert_eq!(order, [1, 0, 2]);
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}");
    // 30 of score over 4 standard deviations of the component, in units of 5.
    near(found[0].strength, -1.5);
    near(found[0].consistency, 30.0 / 1000f64.sqrt());
    near(found[0].movement, 1.5);
    // Random directions: |2| + |-4| of score for 3 + 3 of movement; this one: 30 for 6.
    near(found[0].exclusivity, 5.0);
    near(found[0].rank(), 7.5);
    near(found[1].strength, 0.05);
    near(found[1].consistency, 1.0);
    near(found[1].exclusivity, 1.0);
    // What moves nothing is no division by zero.
    assert_eq!(found[2].strength, 0.0);
    assert_eq!(found[2].exclusivity, 0.0);
    assert_eq!(found[2].consistency, 0.0);
}

#[test]
fn random_directions_are_as_exclusive_as_themselves() {
    let found = effects(&SCORES, &random(), &random(), 1.0).unwrap();
    let strength: f64 = found.iter().map(|e| e.strength.abs()).sum();
    let movement: f64 = found.iter().map(|e| e.movement).sum();
    let by_movement: f64 = found.iter().map(|e| e.exclusivity * e.movement).sum();
    assert!((by_movement / movement - 1.0).abs() < 1e-12);
    assert!(strength > 0.0);
}

#[test]
fn trials_that_cannot_be_compared_are_refused() {
    let still = EffectTrials {
        score_change: array![[0.0]],
        movement: array![[0.0]],
    };
    assert!(matches!(
        effects(&SCORES, &random(), &still, 1.0).unwrap_err(),
        GanspaceError::NoSpread { .. }
    ));
    let empty = EffectTrials {
        score_change: Array2::zeros((0, 3)),
        movement: Array2::zeros((0, 3)),
    };
    assert!(matches!(
        effects(&SCORES, &empty, &random(), 1.0).unwrap_err(),
        GanspaceError::TooFew { found: 0, .. }
    ));
    let negative = EffectTrials {
        movement: array![[2.0, 1.0], [4.0, -5.0]],
        ..random()
    };
    assert!(matches!(
        effects(&SCORES, &negative, &random(), 1.0).unwrap_err(),
        GanspaceError::InvalidNumber { position: 3, .. }
    ));
    let narrow = EffectTrials {
        movement: array![[2.0], [4.0]],
        ..random()
    };
    assert!(matches!(
        effects(&SCORES, &random(), &narrow, 1.0).unwrap_err(),
        GanspaceError::WrongSize {
            unit: "columns",
            ..
        }
    ));
    for strength in [0.0, -1.0, f64::NAN] {
        assert!(effects(&SCORES, &random(), &random(), strength).is_err());
    }
}

fn features(name: &str, rows: usize, shift: f64) -> Array2<f64> {
    let values = seeded(name, rows * 8, 1.0).into_iter().map(f64::from);
    let mut rows = Array2::from_shape_vec((rows, 8), values.collect()).unwrap();
    rows.column_mut(3).mapv_inplace(|v| v + shift);
    // A feature that is always the same must not matter.
    rows.column_mut(5).fill(2.0);
    rows
}

#[test]
fn a_score_of_one_feature_is_half_way_at_zero() {
    let (with, without) = (array![[4.0], [6.0]], array![[0.0], [2.0]]);
    let score = LinearScore::fit(with.view(), without.view()).unwrap();
    // Pooled deviation sqrt(2), and the median of all, sqrt(2) again: weight 4 / 8.
    let found = score.scores(array![[3.0], [5.0], [1.0]].view()).unwrap();
    let expected = Array1::from_vec(vec![0.0, 1.0, -1.0]);
    assert!((found - expected).iter().all(|d| d.abs() < 1e-12));
}

#[test]
fn images_with_and_without_are_told_apart_where_features_show_it() {
    let (with, without) = (features("with", 12, 6.0), features("without", 9, 0.0));
    let score = LinearScore::fit(with.view(), without.view()).unwrap();
    assert!(score.scores(with.view()).unwrap().iter().all(|s| *s > 0.0));
    assert!(
        score
            .scores(without.view())
            .unwrap()
            .iter()
            .all(|s| *s < 0.0)
    );
    let accuracy = LinearScore::leave_one_out_accuracy(with.view(), without.view()).unwrap();
    assert_eq!(accuracy, 1.0);
    let reversed = LinearScore::fit(without.view(), with.view()).unwrap();
    let (there, back) = (
        score.scores(with.view()).unwrap(),
        reversed.scores(with.view()).unwrap(),
    );
    assert!((there + back).iter().all(|d| d.abs() < 1e-12));
}

#[test]
fn accuracy_on_images_that_were_left_out_is_chance_without_an_attribute() {
    let (with, without) = (features("a", 60, 0.0), features("b", 60, 0.0));
    let accuracy = LinearScore::leave_one_out_accuracy(with.view(), without.view()).unwrap();
    // Three standard deviations of the share of 120 tosses.
    assert!((accuracy - 0.5).abs() < 0.14, "{accuracy}");
    // On the images that it was fitted on, the score looks better than it is.
    let score = LinearScore::fit(with.view(), without.view()).unwrap();
    let all = concatenate![Axis(0), with, without];
    let scores = score.scores(all.view()).unwrap();
    let right = scores
        .iter()
        .enumerate()
        .filter(|(i, s)| (**s > 0.0) == (*i < 60))
        .count();
    assert!(right as f64 / 120.0 > accuracy);
}

#[test]
fn too_few_images_are_refused_with_their_number() {
    let (many, one) = (features("many", 5, 1.0), features("one", 1, 0.0));
    let error = LinearScore::fit(many.view(), one.view()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "1 images without the attribute were given, expected at least 2"
    );
    let two = features("two", 2, 0.0);
    assert!(LinearScore::fit(many.view(), two.view()).is_ok());
    assert!(LinearScore::leave_one_out_accuracy(many.view(), two.view()).is_err());
    assert!(matches!(
        LinearScore::fit(many.view(), many.view()).unwrap_err(),
        GanspaceError::NoSpread { .. }
    ));
}
