//! Interpolation, easing, loops and smoothness.

use ganspace::{Easing, GanspaceError, Interpolation, Path, even_times, smoothness};
use ndarray::{Array1, Array2, array};
use testkit::seeded;

const LAYERS: usize = 3;
const W_DIM: usize = 4;

/// Values of order 1 in f32.
const SINGLE: f32 = 1e-6;

fn latent(name: &str) -> Array2<f32> {
    Array2::from_shape_vec((LAYERS, W_DIM), seeded(name, LAYERS * W_DIM, 1.0)).unwrap()
}

fn about(center: f32) -> Interpolation {
    Interpolation::Spherical {
        center: Array1::from_elem(W_DIM, center),
    }
}

#[track_caller]
fn assert_same(found: &Array2<f32>, expected: &Array2<f32>) {
    let worst = (found - expected)
        .iter()
        .fold(0.0f32, |m, d| m.max(d.abs()));
    assert!(worst <= SINGLE, "off by {worst:e}");
}

#[test]
fn linear_interpolation_is_the_weighted_mean() {
    let (a, b) = (latent("a"), latent("b"));
    let found = Interpolation::Linear.between(&a, &b, 0.25).unwrap();
    assert_same(&found, &(&a * 0.75 + &b * 0.25));
}

#[test]
fn spherical_interpolation_turns_at_an_even_rate() {
    // A right angle about (1, 1), lengths 2 and 4: a third of the way is 30 degrees, length 8/3.
    let center = Interpolation::Spherical {
        center: array![1.0, 1.0],
    };
    let (a, b) = (array![[3.0, 1.0f32]], array![[1.0, 5.0f32]]);
    let found = center.between(&a, &b, 1.0 / 3.0).unwrap();
    let (sine, cosine) = std::f32::consts::FRAC_PI_6.sin_cos();
    let length = 8.0 / 3.0;
    assert_same(
        &found,
        &array![[1.0 + length * cosine, 1.0 + length * sine]],
    );
}

#[test]
fn spherical_interpolation_keeps_the_distance_from_the_center() {
    let center = about(0.5);
    let unit = |name| {
        let mut latent = latent(name);
        for mut row in latent.rows_mut() {
            let length = row.dot(&row).sqrt();
            row.mapv_inplace(|v| v / length * 3.0 + 0.5);
        }
        latent
    };
    let (a, b) = (unit("on a sphere"), unit("on it too"));
    for t in [0.1, 0.5, 0.8] {
        let between = center.between(&a, &b, t).unwrap();
        for row in between.rows() {
            let from_center = row.mapv(|v| v - 0.5);
            assert!((from_center.dot(&from_center).sqrt() - 3.0).abs() < 3.0 * SINGLE);
        }
        assert_same(&between, &center.between(&b, &a, 1.0 - t).unwrap());
    }
}

#[test]
fn parallel_and_opposite_latents_are_joined_by_a_line() {
    let center = about(0.0);
    let a = latent("a line");
    for factor in [2.0, -1.0, 0.0] {
        let b = &a * factor;
        let found = center.between(&a, &b, 0.25).unwrap();
        assert_same(&found, &(&a * (0.75 + 0.25 * factor)));
    }
    assert_same(&center.between(&a, &a, 0.3).unwrap(), &a);
    // Nearly parallel ones go on evenly from there.
    let near = &a + &(latent("aside") * 1e-3);
    let middle = center.between(&a, &near, 0.5).unwrap();
    assert_same(&middle, &((&a + &near) / 2.0));
}

#[test]
fn paths_begin_and_end_exactly() {
    let latents = vec![latent("a"), latent("b"), latent("c")];
    for easing in Easing::ALL {
        for interpolation in [Interpolation::Linear, about(0.1)] {
            let path = Path::new(latents.clone(), interpolation, easing).unwrap();
            assert_eq!(path.at(0.0), latents[0]);
            assert_eq!(path.at(0.5), latents[1]);
            assert_eq!(path.at(1.0), latents[2]);
            assert_eq!(path.at(7.0), latents[2]);
            let path = path.closed();
            assert_eq!(path.at(1.0), latents[0]);
            assert_eq!(path.at(0.0), latents[0]);
            assert_same(&path.at(1.0 / 3.0), &latents[1]);
        }
    }
}

#[test]
fn frames_are_evenly_spaced_and_a_loop_shows_none_twice() {
    let path = Path::new(
        vec![latent("a"), latent("b")],
        Interpolation::Linear,
        Easing::Linear,
    )
    .unwrap();
    assert_eq!(path.times(5).unwrap(), [0.0, 0.25, 0.5, 0.75, 1.0]);
    let there_and_back = path.clone().closed();
    assert!(there_and_back.is_closed());
    assert_eq!(there_and_back.times(4).unwrap(), [0.0, 0.25, 0.5, 0.75]);
    assert_same(&there_and_back.at(0.75), &path.at(0.5));
    assert!(matches!(
        path.times(1).unwrap_err(),
        GanspaceError::TooFew {
            found: 1,
            required: 2,
            ..
        }
    ));
}

#[test]
fn easings_run_from_0_to_1_and_mirror_themselves() {
    for easing in Easing::ALL {
        assert_eq!(easing.position(0.0), 0.0);
        assert_eq!(easing.position(1.0), 1.0);
        assert_eq!(easing.position(-3.0), 0.0);
        assert_eq!(easing.position(2.0), 1.0);
        let mut before = 0.0;
        for step in 1..=100 {
            let t = f64::from(step) / 100.0;
            let here = easing.position(t);
            assert!(here > before, "{easing:?} at {t}");
            assert!((here + easing.position(1.0 - t) - 1.0).abs() < 1e-12);
            before = here;
        }
    }
}

#[test]
fn easings_start_as_they_say() {
    // Finite differences: the error of the first is of the order of the step, of the second likewise.
    let step = 1e-4;
    for (easing, speed, acceleration) in [
        (Easing::Linear, 1.0, 0.0),
        (Easing::Cosine, 0.0, std::f64::consts::PI.powi(2) / 2.0),
        (Easing::SmoothStep, 0.0, 6.0),
        (Easing::SmootherStep, 0.0, 0.0),
    ] {
        let [first, second] = [step, 2.0 * step].map(|t| easing.position(t));
        assert!((first / step - speed).abs() < 10.0 * step, "{easing:?}");
        let found = (second - 2.0 * first) / (step * step);
        assert!(
            (found - acceleration).abs() < 100.0 * step,
            "{easing:?}: {found}"
        );
    }
}

#[test]
fn latents_that_do_not_fit_are_refused() {
    let refused = |latents: Vec<Array2<f32>>, interpolation| {
        Path::new(latents, interpolation, Easing::Linear).unwrap_err()
    };
    assert!(matches!(
        refused(vec![latent("a")], Interpolation::Linear),
        GanspaceError::TooFew { found: 1, .. }
    ));
    assert!(matches!(
        refused(
            vec![latent("a"), Array2::zeros((LAYERS, 5))],
            Interpolation::Linear
        ),
        GanspaceError::WrongSize {
            unit: "dimensions",
            found: 5,
            expected: 4,
            ..
        }
    ));
    let mut damaged = latent("b");
    damaged[[0, 1]] = f32::NAN;
    assert!(matches!(
        refused(vec![latent("a"), damaged], Interpolation::Linear),
        GanspaceError::InvalidNumber { position: 1, .. }
    ));
    let center = Interpolation::Spherical {
        center: Array1::zeros(3),
    };
    assert!(matches!(
        refused(vec![latent("a"), latent("b")], center),
        GanspaceError::WrongSize {
            found: 3,
            expected: 4,
            ..
        }
    ));
    assert!(
        Interpolation::Linear
            .between(&latent("a"), &Array2::zeros((2, W_DIM)), 0.5)
            .is_err()
    );
}

#[test]
fn path_length_does_not_depend_on_the_number_of_frames() {
    // A distance of second order: the square of the step, along a line of length 3.
    for frames in [5usize, 50] {
        let step = 3.0 / frames as f64;
        let found = smoothness(&vec![step * step; frames]).unwrap();
        assert!((found.perceptual_path_length - 9.0).abs() < 1e-9);
        assert!((found.largest_over_mean - 1.0).abs() < 1e-9);
        assert!((found.mean_step - step * step).abs() < 1e-12);
    }
    let still = smoothness(&[0.0; 4]).unwrap();
    assert_eq!(
        (still.largest_over_mean, still.perceptual_path_length),
        (1.0, 0.0)
    );
    for distances in [vec![], vec![0.1, f64::NAN], vec![0.1, -0.1]] {
        assert!(smoothness(&distances).is_err());
    }
}

#[test]
fn even_times_spend_more_frames_where_more_changes() {
    // Three quarters of the change in the first half.
    let times = even_times(&[3.0, 1.0], 5, false).unwrap();
    let expected = [0.0, 1.0 / 6.0, 2.0 / 6.0, 0.5, 1.0];
    for (found, expected) in times.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{times:?}");
    }
    let closed = even_times(&[3.0, 1.0], 4, true).unwrap();
    assert!(
        closed
            .iter()
            .zip(expected)
            .all(|(f, e)| (f - e).abs() < 1e-12),
        "{closed:?}"
    );
    assert_eq!(even_times(&[0.0; 7], 3, false).unwrap(), [0.0, 0.5, 1.0]);
    // Nothing changes in the last part: its frames are those before it.
    let still = even_times(&[1.0, 0.0], 3, false).unwrap();
    assert!((still[1] - 0.25).abs() < 1e-12);
    assert_eq!(still[2], 1.0);
    assert!(even_times(&[1.0], 1, false).is_err());
    assert!(even_times(&[], 4, false).is_err());
}

#[test]
fn even_times_even_out_an_eased_path() {
    // Positions of a path of even change under an easing that rests at its ends.
    let (easing, measured, frames) = (Easing::Cosine, 400, 20);
    let position = |t: f64| easing.position(t);
    let lengths: Vec<f64> = (0..measured)
        .map(|i| position(f64::from(i + 1) / 400.0) - position(f64::from(i) / 400.0))
        .collect();
    let times = even_times(&lengths, frames, false).unwrap();
    for (index, time) in times.iter().enumerate() {
        let expected = index as f64 / (frames - 1) as f64;
        // Between measured frames the speed counts as constant.
        assert!((position(*time) - expected).abs() < 1e-4);
    }
}
