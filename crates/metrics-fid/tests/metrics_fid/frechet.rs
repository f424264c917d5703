//! The Fréchet distance where it is known, and what it is invariant to.

use feature_stats::{MeanCovariance, SymmetricEigen};
use metrics_fid::{FrechetReference, MetricsError, frechet_distance, frechet_terms};
use ndarray::{Array1, Array2, Axis, array};

use crate::golden::{cloud, statistics};

fn diagonal(mean: f64, variances: &[f64]) -> MeanCovariance {
    MeanCovariance::new(
        Array1::from_elem(variances.len(), mean),
        Array2::from_diag(&Array1::from_vec(variances.to_vec())),
    )
    .unwrap()
}

#[test]
fn diagonal_covariances_have_their_sum_of_squares() {
    // |mu_a - mu_b|^2 = 3 (0.5 + 1)^2, and (sigma_a - sigma_b)^2 in each dimension: 1, 4, 0.
    let a = diagonal(0.5, &[1.0, 9.0, 0.0]);
    let b = diagonal(-1.0, &[4.0, 1.0, 0.0]);
    let terms = frechet_terms(&a, &b).unwrap();
    // A few roundings of numbers near 10.
    assert!((terms.mean - 6.75).abs() < 1e-14);
    assert!((terms.covariance - 5.0).abs() < 1e-13);
    assert_eq!(terms.distance(), frechet_distance(&a, &b).unwrap());
}

#[test]
fn rotated_ellipses_have_their_known_distance() {
    // In two dimensions tr((A B)^1/2)^2 = tr(A B) + 2 sqrt(det A det B), by Cayley and Hamilton.
    let a = array![[2.0, 1.0], [1.0, 3.0]];
    let b = array![[5.0, -2.0], [-2.0, 1.0]];
    let product = a.dot(&b);
    let determinants = (2.0 * 3.0 - 1.0) * (5.0 * 1.0 - 4.0);
    let root = (product.diag().sum() + 2.0 * f64::sqrt(determinants)).sqrt();
    let expected = 5.0 + 6.0 - 2.0 * root;
    let zero = Array1::zeros(2);
    let a = MeanCovariance::new(zero.clone(), a).unwrap();
    let b = MeanCovariance::new(zero, b).unwrap();
    assert!((frechet_distance(&a, &b).unwrap() - expected).abs() < 1e-13);
}

#[test]
fn points_and_lines_need_no_epsilon() {
    // Between points it is the squared distance; between segments at a right angle nothing of the spreads is shared.
    let point = |x: f64| MeanCovariance::new(array![x, 0.0], Array2::zeros((2, 2))).unwrap();
    assert_eq!(frechet_distance(&point(0.0), &point(3.0)).unwrap(), 9.0);
    let across = diagonal(0.0, &[4.0, 0.0]);
    let along = diagonal(0.0, &[0.0, 9.0]);
    assert!((frechet_distance(&across, &along).unwrap() - 13.0).abs() < 1e-13);
    let spread = frechet_distance(&point(0.0), &across).unwrap();
    assert!((spread - 4.0).abs() < 1e-14);
}

#[test]
fn it_is_symmetric_and_zero_for_equals_only() {
    let a = statistics(&cloud("a", 30, 64, 1.0));
    let b = statistics(&cloud("b", 50, 64, 1.0));
    let found = frechet_distance(&a, &b).unwrap();
    assert!(found > 1.0);
    let reversed = frechet_distance(&b, &a).unwrap();
    // Deficient ranks: what rounding leaves of a zero variance is 1e-16 of the largest, its root 1e-8.
    assert!(
        (found - reversed).abs() < 1e-7 * found,
        "{found} {reversed}"
    );
    let same = frechet_distance(&a, &a).unwrap();
    assert!((0.0..1e-9).contains(&same), "{same}");
}

#[test]
fn it_scales_with_the_square_and_ignores_rotations() {
    let rows = [cloud("a", 200, 12, 1.0), cloud("b", 180, 12, 1.3)];
    let base = frechet_distance(&statistics(&rows[0]), &statistics(&rows[1])).unwrap();
    for scale in [1e-6f32, 1e4] {
        let [a, b] = [0, 1].map(|i| statistics(&(&rows[i] * scale)));
        let found = frechet_distance(&a, &b).unwrap() / f64::from(scale).powi(2);
        // The scaled features are rounded to f32.
        assert!((found / base - 1.0).abs() < 1e-6, "{found} {base}");
    }
    let symmetric = {
        let x = cloud("rotation", 12, 12, 1.0).mapv(f64::from);
        &x + &x.t()
    };
    let rotation = SymmetricEigen::new(&symmetric).unwrap().vectors().clone();
    let origin = cloud("origin", 1, 12, 5.0)
        .mapv(f64::from)
        .index_axis_move(Axis(0), 0);
    let [a, b] = [0, 1].map(|i| {
        statistics(&rows[i])
            .affine(rotation.view(), &origin)
            .unwrap()
    });
    let found = frechet_distance(&a, &b).unwrap();
    assert!((found / base - 1.0).abs() < 1e-12, "{found} {base}");
}

/// `|mu_a - mu_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2)` as it is written.
fn by_symmetric_roots(a: &MeanCovariance, b: &MeanCovariance) -> f64 {
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
fn it_is_what_the_formula_says() {
    // Above and below the dimension from which eigenvalues of a square are tried; the last with fewer features than
    // dimensions.
    for (count, dimension, tolerance) in [(300, 24, 1e-12), (900, 600, 1e-10), (100, 600, 1e-6)] {
        let a = statistics(&cloud("a", count, dimension, 1.0));
        let b = statistics(&cloud("b", count + 7, dimension, 1.5));
        let found = frechet_distance(&a, &b).unwrap();
        let expected = by_symmetric_roots(&a, &b);
        assert!(
            (found / expected - 1.0).abs() < tolerance,
            "{count} x {dimension}: {found} instead of {expected}"
        );
    }
}

#[test]
fn a_reference_gives_what_single_distances_give() {
    let a = statistics(&cloud("a", 40, 20, 1.0));
    let reference = FrechetReference::new(&a).unwrap();
    for name in ["b", "c"] {
        let other = statistics(&cloud(name, 60, 20, 1.0));
        assert_eq!(
            reference.distance(&other).unwrap(),
            frechet_distance(&a, &other).unwrap()
        );
    }
}

#[test]
fn other_dimensions_and_indefinite_matrices_are_refused() {
    let a = diagonal(0.0, &[1.0, 1.0]);
    let b = diagonal(0.0, &[1.0]);
    assert!(matches!(
        frechet_distance(&a, &b),
        Err(MetricsError::WrongDimension {
            found: 1,
            expected: 2
        })
    ));
    let negative = diagonal(0.0, &[1.0, -0.5]);
    assert!(matches!(
        frechet_distance(&a, &negative),
        Err(MetricsError::Stats(_))
    ));
}
