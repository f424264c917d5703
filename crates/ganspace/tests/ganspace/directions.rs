//! Principal components, exact and incremental, and the regression of activations to latents.

use feature_stats::{Ddof, Moments};
use ganspace::{
    GanspaceError, IncrementalPca, LatentDirections, LatentRegression, PrincipalComponents,
};
use ndarray::{Array2, Axis, array, s};

use crate::{assert_near, samples};

/// Sums of some hundred products in f64.
const ROUNDING: f64 = 1e-9;

fn exact(rows: &Array2<f64>, count: usize) -> PrincipalComponents {
    let mut moments = Moments::new(rows.ncols());
    moments.add_rows(rows.view()).unwrap();
    PrincipalComponents::fit(&moments.mean_covariance(Ddof::Sample).unwrap(), count).unwrap()
}

fn incremental(rows: &Array2<f64>, count: usize, batch: usize) -> PrincipalComponents {
    let mut pca = IncrementalPca::new(rows.ncols(), count).unwrap();
    for batch in rows.axis_chunks_iter(Axis(0), batch) {
        pca.partial_fit(batch).unwrap();
    }
    assert_eq!(pca.samples(), rows.nrows() as u64);
    pca.components().unwrap()
}

#[track_caller]
fn assert_same(found: &PrincipalComponents, expected: &PrincipalComponents, tolerance: f64) {
    assert_near("mean", found.mean(), expected.mean(), tolerance);
    assert_near(
        "components",
        found.components(),
        expected.components(),
        tolerance,
    );
    assert_near("stdev", &found.stdev(), &expected.stdev(), tolerance);
    assert_near(
        "ratio",
        &found.explained_variance_ratio(),
        &expected.explained_variance_ratio(),
        tolerance,
    );
}

#[test]
fn one_incremental_batch_is_exact() {
    let rows = samples("one batch", 200, 7);
    assert_same(&incremental(&rows, 4, 200), &exact(&rows, 4), ROUNDING);
}

#[test]
fn incremental_batches_are_exact_when_nothing_is_forgotten() {
    // Three dimensions of variance in a space of nine, far from the origin.
    let spread = samples("in a subspace", 150, 3);
    let axes = samples("axes", 3, 9);
    let rows = spread.dot(&axes) + 1000.0;
    // One dimension more than there is variance: what a batch's mean adds lies in the same space.
    let found = incremental(&rows, 4, 23);
    assert_same(
        &incremental(&rows, 3, 23),
        &exact(&rows, 3),
        // The offset takes three digits.
        1e3 * ROUNDING,
    );
    assert!(found.explained_variance()[3] < ROUNDING);
}

#[test]
fn incremental_components_keep_the_leading_directions() {
    let rows = samples("leading", 600, 12);
    let (found, expected) = (incremental(&rows, 6, 60), exact(&rows, 6));
    for component in 0..2 {
        let cosine = found
            .components()
            .row(component)
            .dot(&expected.components().row(component));
        // What is forgotten is the smaller half of the variance.
        assert!(cosine > 0.95, "component {component}: {cosine}");
    }
    let product = found.components().dot(&found.components().t());
    assert_near("orthonormal", &product, &Array2::eye(6), ROUNDING);
    let total = found.explained_variance_ratio().sum();
    assert!(total < 1.0, "{total}");
}

#[test]
fn shares_of_all_components_add_up_to_one() {
    let rows = samples("shares", 40, 5);
    for found in [incremental(&rows, 5, 8), exact(&rows, 5)] {
        assert!((found.explained_variance_ratio().sum() - 1.0).abs() < ROUNDING);
    }
}

#[test]
fn a_refused_batch_changes_nothing() {
    let rows = samples("refused", 60, 5);
    let mut pca = IncrementalPca::new(5, 3).unwrap();
    let error = pca.partial_fit(rows.slice(s![..2, ..])).unwrap_err();
    assert!(matches!(
        error,
        GanspaceError::TooFew {
            found: 2,
            required: 3,
            ..
        }
    ));
    assert!(matches!(
        pca.components().unwrap_err(),
        GanspaceError::TooFew { found: 0, .. }
    ));
    pca.partial_fit(rows.slice(s![..30, ..])).unwrap();
    let mut damaged = rows.slice(s![30.., ..]).to_owned();
    damaged[[4, 2]] = f64::NAN;
    assert!(pca.partial_fit(damaged.view()).is_err());
    assert!(pca.partial_fit(rows.slice(s![30.., ..4])).is_err());
    // A later batch may be smaller than the number of components, and empty.
    pca.partial_fit(rows.slice(s![..0, ..])).unwrap();
    pca.partial_fit(rows.slice(s![30..31, ..])).unwrap();
    let expected = {
        let mut pca = IncrementalPca::new(5, 3).unwrap();
        pca.partial_fit(rows.slice(s![..30, ..])).unwrap();
        pca.partial_fit(rows.slice(s![30..31, ..])).unwrap();
        pca.components().unwrap()
    };
    assert_eq!(pca.components().unwrap(), expected);
    for count in [0, 6] {
        assert!(matches!(
            IncrementalPca::new(5, count),
            Err(GanspaceError::InvalidComponentCount { dimension: 5, .. })
        ));
    }
}

#[test]
fn the_largest_entry_of_a_direction_is_positive() {
    let rows = samples("signs", 100, 6);
    let mirrored = rows.mapv(|v| -v);
    assert_near(
        "components",
        incremental(&mirrored, 6, 100).components(),
        incremental(&rows, 6, 100).components(),
        ROUNDING,
    );
    for row in incremental(&rows, 6, 30).components().rows() {
        let largest = row
            .iter()
            .fold(0.0f64, |m, v| if v.abs() > m.abs() { *v } else { m });
        assert!(largest > 0.0);
    }
}

#[test]
fn coordinates_of_latents_have_mean_0_and_deviation_1() {
    let rows = samples("coordinates", 80, 4) + 3.0;
    let directions = LatentDirections::of_latents(exact(&rows, 4));
    let coordinates = directions.coordinates(rows.view()).unwrap();
    let mut moments = Moments::new(4);
    moments.add_rows(coordinates.view()).unwrap();
    let found = moments.mean_covariance(Ddof::Sample).unwrap();
    assert_near("mean", found.mean(), &ndarray::Array1::zeros(4), ROUNDING);
    assert_near("covariance", found.covariance(), &Array2::eye(4), ROUNDING);
}

#[test]
fn a_rotation_of_the_latents_is_regressed_to_their_own_components() {
    let w = samples("rotated", 300, 3) + 2.0;
    // Orthonormal rows: activations of dimension 4 that are the latents in another place.
    let isometry = array![
        [0.5, 0.5, 0.5, 0.5],
        [0.5, 0.5, -0.5, -0.5],
        [0.5, -0.5, 0.5, -0.5]
    ];
    let activations = w.dot(&isometry) - 7.0;
    let mut regression = LatentRegression::new(exact(&activations, 3), 3);
    // In two parts, as a stream comes.
    regression
        .add(activations.slice(s![..120, ..]), w.slice(s![..120, ..]))
        .unwrap();
    regression
        .add(activations.slice(s![120.., ..]), w.slice(s![120.., ..]))
        .unwrap();
    let found = regression.directions().unwrap();
    let expected = LatentDirections::of_latents(exact(&w, 3));
    assert_near("mean", found.mean(), expected.mean(), ROUNDING);
    assert_near(
        "directions",
        found.directions(),
        expected.directions(),
        ROUNDING,
    );
    assert_near("stdev", found.stdev(), expected.stdev(), ROUNDING);
}

#[test]
fn a_scaled_activation_moves_latents_as_far_as_its_own_deviation() {
    // Activations that are 100 times one coordinate of w, 10 times another, and nothing of the third.
    let w = samples("scaled", 400, 3);
    let activations = w.dot(&array![[0.0, 10.0], [100.0, 0.0], [0.0, 0.0]]);
    let mut regression = LatentRegression::new(exact(&activations, 2), 3);
    regression.add(activations.view(), w.view()).unwrap();
    let found = regression.directions().unwrap();
    let mut moments = Moments::new(3);
    moments.add_rows(w.view()).unwrap();
    let covariance = moments.mean_covariance(Ddof::Sample).unwrap();
    let covariance = covariance.covariance();
    // Both are coordinates of w; what the sample has of covariance with the others belongs to the regression.
    for (component, coordinate) in [(0, 1), (1, 0)] {
        let direction = found.directions().row(component);
        assert!(direction[coordinate] > 0.95, "{direction}");
        let own = covariance[[coordinate, coordinate]].sqrt();
        let ratio = found.stdev()[component] * direction[coordinate] / own;
        assert!((ratio - 1.0).abs() < 0.05, "{ratio}");
    }
}

#[test]
fn activations_that_say_nothing_of_the_latents_are_refused() {
    let activations = samples("activations", 50, 4);
    let components = exact(&activations, 2);
    let mut regression = LatentRegression::new(components.clone(), 3);
    let constant = Array2::<f64>::ones((50, 3));
    regression.add(activations.view(), constant.view()).unwrap();
    assert!(matches!(
        regression.directions().unwrap_err(),
        GanspaceError::NoDirection { component: 0 }
    ));

    let mut regression = LatentRegression::new(components, 3);
    let few = activations.slice(s![..2, ..]);
    assert!(regression.add(few, constant.view()).is_err());
    regression.add(few, constant.slice(s![..2, ..])).unwrap();
    assert!(matches!(
        regression.directions().unwrap_err(),
        GanspaceError::TooFew {
            found: 2,
            required: 3,
            ..
        }
    ));
}
