//! Directions, edits, attributes and paths: closed forms, invariants, files, golden values.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has to say so by panicking"
)]

mod attributes;
mod directions;
mod edit_files;
mod edits;
mod golden;
mod mixtures;
mod paths;

use ndarray::{Array2, ArrayBase, Data, Dimension};
use testkit::seeded;

/// Seeded rows `[n, d]` whose columns have standard deviations `d, d - 1, ..., 1`.
fn samples(name: &str, rows: usize, columns: usize) -> Array2<f64> {
    let values = seeded(name, rows * columns, 1.0);
    let values: Vec<f64> = values.into_iter().map(f64::from).collect();
    let mut samples = Array2::from_shape_vec((rows, columns), values).unwrap();
    for (index, mut column) in samples.columns_mut().into_iter().enumerate() {
        column *= (columns - index) as f64;
    }
    samples
}

#[track_caller]
fn assert_near<D: Dimension>(
    what: &str,
    found: &ArrayBase<impl Data<Elem = f64>, D>,
    expected: &ArrayBase<impl Data<Elem = f64>, D>,
    tolerance: f64,
) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let worst = found
        .iter()
        .zip(expected)
        .map(|(f, e)| (f - e).abs())
        .fold(0.0, f64::max);
    assert!(worst <= tolerance, "{what}: off by {worst:e}");
}
