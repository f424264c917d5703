//! Layer ranges, edits along directions, and random directions.

use feature_stats::{Ddof, Moments};
use ganspace::{
    Edit, GanspaceError, LatentDirections, LayerRange, PrincipalComponents, apply_edits,
};
use ndarray::{Array2, s};
use testkit::seeded;

use crate::samples;

const W_DIM: usize = 6;
const LAYERS: usize = 5;

fn directions() -> LatentDirections {
    let mut moments = Moments::new(W_DIM);
    moments.add_rows(samples("w", 100, W_DIM).view()).unwrap();
    let statistics = moments.mean_covariance(Ddof::Sample).unwrap();
    LatentDirections::of_latents(PrincipalComponents::fit(&statistics, 4).unwrap())
}

fn edit(component: usize, layers: &str) -> Edit {
    directions()
        .edit(component, layers.parse().unwrap())
        .unwrap()
}

fn latent() -> Array2<f32> {
    Array2::from_shape_vec((LAYERS, W_DIM), seeded("latent", LAYERS * W_DIM, 1.0)).unwrap()
}

#[test]
fn an_edit_moves_its_layers_by_standard_deviations() {
    let (before, mut after) = (latent(), latent());
    let edit = edit(1, "1-3");
    edit.apply(&mut after, -2.5).unwrap();
    for layer in 0..LAYERS {
        let moved = (&after.row(layer) - &before.row(layer)).mapv(f64::from);
        if (1..=3).contains(&layer) {
            let along = moved.dot(edit.direction());
            // Latents are f32.
            assert!((along + 2.5 * edit.stdev()).abs() < 1e-5, "{along}");
            assert!((moved.dot(&moved).sqrt() - along.abs()).abs() < 1e-5);
        } else {
            assert_eq!(before.row(layer), after.row(layer));
        }
    }
}

#[test]
fn strength_0_changes_no_bit() {
    let mut after = latent();
    edit(0, "all").apply(&mut after, 0.0).unwrap();
    assert_eq!(after, latent());
}

#[test]
fn edits_at_once_add_up_in_any_order() {
    let (first, second) = (edit(0, "0-2"), edit(2, "2-4"));
    let mut together = latent();
    apply_edits(&[(&first, 1.5), (&second, -3.0)], &mut together).unwrap();
    let mut reversed = latent();
    apply_edits(&[(&second, -3.0), (&first, 1.5)], &mut reversed).unwrap();
    let mut one_by_one = latent();
    first.apply(&mut one_by_one, 1.5).unwrap();
    second.apply(&mut one_by_one, -3.0).unwrap();
    // One rounding to f32 more or less.
    for other in [reversed, one_by_one] {
        assert!((&together - &other).iter().all(|d| d.abs() < 1e-6));
    }
    assert_ne!(together.slice(s![2, ..]), latent().slice(s![2, ..]));
}

#[test]
fn an_edit_that_cannot_be_applied_changes_nothing() {
    let mut latent_of_five = latent();
    let fine = edit(0, "all");
    let beyond = edit(1, "3-5");
    let error = apply_edits(&[(&fine, 1.0), (&beyond, 1.0)], &mut latent_of_five).unwrap_err();
    assert_eq!(
        error.to_string(),
        "layers 3-5 were asked for; these latents have layers 0 to 4"
    );
    assert!(matches!(
        fine.apply(&mut latent_of_five, f64::INFINITY),
        Err(GanspaceError::InvalidNumber { position: 0, .. })
    ));
    assert_eq!(latent_of_five, latent());
    assert!(matches!(
        fine.apply(&mut Array2::zeros((LAYERS, W_DIM + 1)), 1.0),
        Err(GanspaceError::WrongSize {
            found: 7,
            expected: 6,
            ..
        })
    ));
    assert!(matches!(
        directions().edit(4, LayerRange::ALL),
        Err(GanspaceError::UnknownComponent {
            found: 4,
            available: 4
        })
    ));
}

#[test]
fn a_random_direction_is_a_step_of_the_same_length() {
    let edit = edit(0, "1-2");
    let mut numbers = seeded("normal", 100, 1.0).into_iter().map(f64::from);
    let random = edit.in_random_direction(|| numbers.next().unwrap());
    assert_eq!(random.stdev(), edit.stdev());
    assert_eq!(random.layers(), edit.layers());
    let length = random.direction().dot(random.direction()).sqrt();
    assert!((length - 1.0).abs() < 1e-12);
    let another = edit.in_random_direction(|| numbers.next().unwrap());
    assert!(random.direction().dot(another.direction()).abs() < 0.99);
    // A source that begins with zeros has no direction at first.
    let mut count = 0;
    let late = edit.in_random_direction(|| {
        count += 1;
        if count <= W_DIM { 0.0 } else { 2.0 }
    });
    assert!((late.direction()[0] - 1.0 / (W_DIM as f64).sqrt()).abs() < 1e-12);
}

#[test]
fn layer_ranges_are_read_and_written() {
    for (text, rows) in [("0-2", 0..3), ("4", 4..5), ("all", 0..5), ("3-4", 3..5)] {
        let range: LayerRange = text.parse().unwrap();
        assert_eq!(range.rows(LAYERS).unwrap(), rows, "{text}");
        assert_eq!(range.to_string(), text);
    }
    assert_eq!(
        " 1 - 3 ".parse::<LayerRange>().unwrap(),
        LayerRange::new(1, 3).unwrap()
    );
    for text in [
        "",
        "-",
        "3-1",
        "1-2-3",
        "a",
        "1-",
        "-1",
        "1.5",
        "99999999999999999999",
    ] {
        let error = text.parse::<LayerRange>().unwrap_err();
        assert!(
            matches!(error, GanspaceError::InvalidLayers { .. }),
            "{text}"
        );
    }
    let most = LayerRange::new(0, usize::MAX).unwrap();
    assert!(most.rows(LAYERS).is_err());
    assert!(LayerRange::ALL.rows(0).is_err());
}
