//! Mixtures of directions: closed forms, the best of all, and what is refused.

use feature_stats::{Ddof, Moments};
use ganspace::{
    GanspaceError, LatentDirections, LayerRange, PrincipalComponents, exclusive_mixture,
};
use ndarray::{Array1, Array2, array};
use testkit::seeded;

use crate::{assert_near, samples};

/// Far more than f64 rounds in a system of five, far less than any weight.
const ROUNDING: f64 = 1e-9;

#[test]
fn independent_side_effects_divide_the_weights() {
    let side_effects = Array2::from_diag(&array![1.0, 4.0, 2.0]);
    let change = array![1.0, 1.0, -3.0];
    let found = exclusive_mixture(change.view(), side_effects.view(), 0.0).unwrap();
    let expected: Array1<f64> = array![1.0, 0.25, -1.5];
    let length = expected.dot(&expected).sqrt();
    assert_near("mixture", &found, &(expected / length), ROUNDING);
    // With a ridge far above all side effects only the change counts.
    let found = exclusive_mixture(change.view(), side_effects.view(), 1e12).unwrap();
    assert_near("ridge", &found, &(&change / 11f64.sqrt()), ROUNDING);
}

#[test]
fn what_two_directions_do_alike_is_taken_out() {
    // Both move the background by 3; the first moves the attribute besides.
    let side_effects = array![[10.0, 9.0], [9.0, 9.0]];
    let found = exclusive_mixture(array![1.0, 0.0].view(), side_effects.view(), 0.0).unwrap();
    let expected = array![0.5f64.sqrt(), -(0.5f64.sqrt())];
    assert_near("difference", &found, &expected, ROUNDING);
}

#[test]
fn no_other_mixture_is_more_exclusive() {
    let effects = samples("side effects", 40, 5);
    let side_effects = effects.t().dot(&effects) / 40.0;
    let change = Array1::from(seeded("changes", 5, 1.0)).mapv(f64::from);
    let exclusivity = |m: &Array1<f64>| change.dot(m).powi(2) / m.dot(&side_effects.dot(m));
    let best = exclusive_mixture(change.view(), side_effects.view(), 0.0).unwrap();
    assert!((best.dot(&best) - 1.0).abs() < ROUNDING && change.dot(&best) > 0.0);
    for number in 0..200 {
        let other = seeded(&format!("mixture {number}"), 5, 1.0);
        let other = Array1::from(other).mapv(f64::from);
        assert!(exclusivity(&other) <= exclusivity(&best) * (1.0 + ROUNDING));
    }
}

#[test]
fn one_step_of_a_mixture_is_the_sum_of_its_components_steps() {
    let mut moments = Moments::new(5);
    moments.add_rows(samples("w", 50, 5).view()).unwrap();
    let statistics = moments.mean_covariance(Ddof::Sample).unwrap();
    let components = PrincipalComponents::fit(&statistics, 4).unwrap();
    let directions = LatentDirections::of_latents(components);
    let layers = LayerRange::new(1, 2).unwrap();
    let edit = directions
        .mixture(array![0.5, -2.0].view(), layers)
        .unwrap();
    let mut found = Array2::zeros((3, 5));
    edit.apply(&mut found, 1.5).unwrap();
    let mut expected = Array2::zeros((3, 5));
    for (component, weight) in [(0, 0.5), (1, -2.0)] {
        let edit = directions.edit(component, layers).unwrap();
        edit.apply(&mut expected, 1.5 * weight).unwrap();
    }
    // Latents are f32 of size 20.
    let difference = (found - expected).mapv(f64::from);
    assert_near("steps", &difference, &Array2::zeros((3, 5)), 1e-5);

    let refused = |weights: Array1<f64>| directions.mixture(weights.view(), layers).unwrap_err();
    for (weights, unit) in [(array![], 0), (Array1::ones(5), 5)] {
        assert!(matches!(
            refused(weights),
            GanspaceError::WrongSize { found, .. } if found == unit
        ));
    }
    assert!(matches!(
        refused(array![1.0, f64::INFINITY]),
        GanspaceError::InvalidNumber { position: 1, .. }
    ));
    assert!(matches!(
        refused(array![0.0, 0.0]),
        GanspaceError::NoSpread { .. }
    ));
}

#[test]
fn mixtures_of_nothing_are_refused() {
    let one = array![[1.0, 0.0], [0.0, 1.0]];
    let refused = |change: Array1<f64>, effects: &Array2<f64>, ridge: f64| {
        exclusive_mixture(change.view(), effects.view(), ridge).unwrap_err()
    };
    assert!(matches!(
        refused(array![1.0], &one, 0.1),
        GanspaceError::WrongSize { found: 2, .. }
    ));
    assert!(matches!(
        refused(array![1.0, 1.0], &Array2::ones((2, 3)), 0.1),
        GanspaceError::WrongSize { .. }
    ));
    assert!(matches!(
        refused(array![1.0, f64::NAN], &one, 0.1),
        GanspaceError::InvalidNumber { position: 1, .. }
    ));
    for (change, effects) in [
        (array![0.0, 0.0], &one),
        (array![1.0, 0.0], &Array2::zeros((2, 2))),
        (array![1.0, 0.0], &(&one * f64::NAN)),
    ] {
        assert!(matches!(
            refused(change, effects, 0.1),
            GanspaceError::NoSpread { .. }
        ));
    }
    // Two directions that do the same, without a ridge.
    assert!(matches!(
        refused(array![1.0, 0.0], &Array2::ones((2, 2)), 0.0),
        GanspaceError::Stats(_)
    ));
}
