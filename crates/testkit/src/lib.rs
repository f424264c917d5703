//! Reference files, seeded values and gradient checks for this workspace's tests.

mod allocation;
mod devices;
mod finite_difference;
mod golden;
mod seeded;

pub use allocation::{Counting, peak_of};
pub use devices::devices;
pub use finite_difference::assert_gradient;
pub use golden::{Golden, reference_path};
pub use seeded::{reference_salt, seeded};

/// Relative L2 error `|actual - expected| / |expected|`, computed in f64.
///
/// Where `expected` is all zero, the absolute norm of `actual` is returned instead.
///
/// # Panics
/// When the lengths differ.
///
/// ```
/// assert_eq!(testkit::relative_l2(&[3.0, 4.0], &[3.0, 4.0]), 0.0);
/// assert!((testkit::relative_l2(&[3.0, 5.0], &[3.0, 4.0]) - 0.2).abs() < 1e-12);
/// ```
pub fn relative_l2(actual: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(
        actual.len(),
        expected.len(),
        "relative_l2 compares slices of one length"
    );
    let difference: f64 = actual
        .iter()
        .zip(expected)
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
        .sum();
    let norm: f64 = expected.iter().map(|b| f64::from(*b).powi(2)).sum();
    if norm == 0.0 {
        difference.sqrt()
    } else {
        (difference / norm).sqrt()
    }
}

/// Asserts that [`relative_l2`] is at most `tolerance`; NaN fails.
///
/// # Panics
/// When the error is larger, naming `what`, the error and the tolerance.
#[track_caller]
pub fn assert_close(what: &str, actual: &[f32], expected: &[f32], tolerance: f64) {
    let error = relative_l2(actual, expected);
    assert!(
        error <= tolerance,
        "{what}: relative L2 error {error:.3e} is above {tolerance:.1e}"
    );
}
