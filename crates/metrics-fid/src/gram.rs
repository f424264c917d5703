//! Products and distances of all pairs of features, in f64 and a block at a time, so that memory does not grow with the
//! square of the sets.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, get_global_parallelism};
use ndarray::{Array1, ArrayView1, ArrayView2, Axis};

use crate::MetricsError;

/// Rows of a block: its products take 8 MiB, and as much time to make as to read.
const BLOCK: usize = 1024;

/// A squared distance that is this small a part of the squared norms is taken from the differences, as the norms
/// cancel. Others keep ten digits.
const CANCELLATION: f64 = 1e-6;

/// What is done with the pairs of a set with itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pairs {
    /// Every feature of one set with every feature of the other.
    Between,
    /// Within one set, given twice: each pair once, `i < j`.
    Within,
}

/// Hands `x_i . y_j` to `visit(i, j, product)`.
pub(crate) fn for_each_product(
    x: ArrayView2<'_, f32>,
    y: ArrayView2<'_, f32>,
    pairs: Pairs,
    mut visit: impl FnMut(usize, usize, f64),
) {
    for_each_block(
        x,
        y,
        pairs,
        |i, _| f64::from(i),
        |a, b| {
            let products = products(&a.values, &b.values, x.ncols());
            each_pair(a, b, pairs, |i, j| {
                visit(a.first + i, b.first + j, products[(i, j)]);
            });
        },
    );
}

/// Hands `|x_i - y_j|^2` to `visit(i, j, distance)`. That of equal features is exactly 0.
pub(crate) fn for_each_squared_distance(
    x: ArrayView2<'_, f32>,
    y: ArrayView2<'_, f32>,
    pairs: Pairs,
    mut visit: impl FnMut(usize, usize, f64),
) {
    let dimension = x.ncols();
    // About a common center the norms are as small as they can be, and so is what cancels.
    let center: Array1<f64> =
        x.fold_axis(Axis(0), 0.0, |sum: &f64, v| sum + f64::from(*v)) / x.nrows().max(1) as f64;
    for_each_block(
        x,
        y,
        pairs,
        |value, column| f64::from(value) - center[column],
        |a, b| {
            let products = products(&a.values, &b.values, dimension);
            let [squares_a, squares_b] = [a, b].map(|block| block.squares(dimension));
            each_pair(a, b, pairs, |i, j| {
                let norms = squares_a[i] + squares_b[j];
                let mut distance = norms - 2.0 * products[(i, j)];
                if distance < CANCELLATION * norms {
                    distance = squared_difference(x.row(a.first + i), y.row(b.first + j));
                }
                visit(a.first + i, b.first + j, distance);
            });
        },
    );
}

/// Rows of a set, widened to f64.
struct Block {
    first: usize,
    rows: usize,
    /// `[rows, dimension]`, row-major.
    values: Vec<f64>,
}

impl Block {
    fn new(set: ArrayView2<'_, f32>, first: usize, widen: &impl Fn(f32, usize) -> f64) -> Self {
        let rows = BLOCK.min(set.nrows() - first);
        let values = (first..first + rows)
            .flat_map(|row| set.row(row).into_iter().enumerate())
            .map(|(column, value)| widen(*value, column))
            .collect();
        Self {
            first,
            rows,
            values,
        }
    }

    fn squares(&self, dimension: usize) -> Vec<f64> {
        self.values
            .chunks_exact(dimension)
            .map(|row| row.iter().map(|value| value * value).sum())
            .collect()
    }
}

fn for_each_block(
    x: ArrayView2<'_, f32>,
    y: ArrayView2<'_, f32>,
    pairs: Pairs,
    widen: impl Fn(f32, usize) -> f64,
    mut visit: impl FnMut(&Block, &Block),
) {
    for first in (0..x.nrows()).step_by(BLOCK) {
        let a = Block::new(x, first, &widen);
        let start = match pairs {
            Pairs::Between => 0,
            Pairs::Within => first,
        };
        for second in (start..y.nrows()).step_by(BLOCK) {
            visit(&a, &Block::new(y, second, &widen));
        }
    }
}

fn each_pair(a: &Block, b: &Block, pairs: Pairs, mut visit: impl FnMut(usize, usize)) {
    // Products are stored by columns.
    for j in 0..b.rows {
        let end = match pairs {
            Pairs::Within if a.first == b.first => j,
            _ => a.rows,
        };
        for i in 0..end {
            visit(i, j);
        }
    }
}

fn products(a: &[f64], b: &[f64], dimension: usize) -> Mat<f64> {
    let view = |values| MatRef::from_row_major_slice(values, values.len() / dimension, dimension);
    let (a, b): (MatRef<'_, f64>, MatRef<'_, f64>) = (view(a), view(b));
    let mut products = Mat::zeros(a.nrows(), b.nrows());
    matmul(
        &mut products,
        Accum::Replace,
        a,
        b.transpose(),
        1.0,
        get_global_parallelism(),
    );
    products
}

fn squared_difference(x: ArrayView1<'_, f32>, y: ArrayView1<'_, f32>) -> f64 {
    x.iter()
        .zip(y)
        .map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2))
        .sum()
}

/// Finite features of one dimension, at least `required` in each set.
pub(crate) fn check_sets(
    what: &'static str,
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    required: usize,
) -> Result<(), MetricsError> {
    if a.ncols() != b.ncols() || a.ncols() == 0 {
        return Err(MetricsError::WrongDimension {
            found: b.ncols(),
            expected: a.ncols().max(1),
        });
    }
    let found = a.nrows().min(b.nrows());
    if found < required {
        return Err(MetricsError::TooFewImages {
            what,
            found,
            required,
        });
    }
    for set in [a, b] {
        if let Some((index, value)) = set.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(MetricsError::NonFinite {
                what: "feature value",
                index,
                value: f64::from(*value),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn set(name: &str, rows: usize, offset: f32) -> Array2<f32> {
        let values = testkit::seeded(name, rows * 3, 1.0);
        Array2::from_shape_vec((rows, 3), values).unwrap() + offset
    }

    #[test]
    fn every_pair_is_visited_once_over_the_edges_of_blocks() {
        let x = set("x", BLOCK + 5, 0.0);
        let y = set("y", 7, 0.0);
        let mut seen = Array2::<u8>::zeros((x.nrows(), y.nrows()));
        for_each_product(x.view(), y.view(), Pairs::Between, |i, j, product| {
            seen[[i, j]] += 1;
            let expected = x.row(i).mapv(f64::from).dot(&y.row(j).mapv(f64::from));
            assert!((product - expected).abs() < 1e-14 * (1.0 + expected.abs()));
        });
        assert!(seen.iter().all(|count| *count == 1));
        let mut seen = Array2::<u8>::zeros((x.nrows(), x.nrows()));
        for_each_product(x.view(), x.view(), Pairs::Within, |i, j, _| {
            seen[[i, j]] += 1
        });
        assert!(
            seen.indexed_iter()
                .all(|((i, j), count)| *count == u8::from(i < j))
        );
    }

    #[test]
    fn distances_far_from_the_origin_keep_their_digits() {
        let mut x = set("x", 6, 1e4);
        let copy = x.row(0).to_owned();
        x.row_mut(5).assign(&copy);
        for_each_squared_distance(x.view(), x.view(), Pairs::Within, |i, j, distance| {
            let expected = squared_difference(x.row(i), x.row(j));
            assert!((distance - expected).abs() <= 1e-9 * expected);
            assert_eq!(distance == 0.0, (i, j) == (0, 5));
        });
    }
}
