//! How a packed lower triangular matrix lies in memory: panels of 8 rows, in each the 8 entries of a column side by
//! side.
//!
//! A product with a vector then reads memory once, in order, and keeps 8 sums in one register, with no sum across lanes
//! until the end. Only the 8 x 8 blocks on the diagonal hold zeros that a dense triangle would not: 2.7 % more than
//! `d (d + 1) / 2` at `d` = 256.

/// Rows of a panel: an AVX register of f32, half of an AVX-512 one, two of NEON.
pub(super) const LANES: usize = 8;

/// Columns of each panel of a `dimension` x `dimension` triangle, in order.
pub(super) fn columns(
    dimension: usize,
) -> impl DoubleEndedIterator<Item = usize> + ExactSizeIterator {
    (0..dimension.div_ceil(LANES)).map(move |panel| ((panel + 1) * LANES).min(dimension))
}

/// Numbers in all panels of a `dimension` x `dimension` triangle.
pub fn length(dimension: usize) -> usize {
    columns(dimension).map(|c| c * LANES).sum()
}

/// The panels of a lower triangular matrix, given by its entry at a row and a column.
pub fn pack(dimension: usize, entry: impl Fn(usize, usize) -> f64) -> Vec<f32> {
    let mut packed = Vec::with_capacity(length(dimension));
    for (panel, columns) in columns(dimension).enumerate() {
        for column in 0..columns {
            for row in panel * LANES..(panel + 1) * LANES {
                let inside = row < dimension && column <= row;
                packed.push(if inside {
                    entry(row, column) as f32
                } else {
                    0.0
                });
            }
        }
    }
    packed
}

/// Overwrites `x` by `W^-T x`: back substitution through the panels of `W`, each number read once.
///
/// Where `W` is the inverse of a Cholesky factor `L`, that is `L^T x`.
///
/// # Panics
/// When `x` has fewer than `dimension` elements.
pub fn solve_transposed(dimension: usize, value: impl Fn(usize) -> f64, x: &mut [f64]) {
    let mut end = length(dimension);
    for (panel, columns) in columns(dimension).enumerate().rev() {
        let start = end - columns * LANES;
        let first = panel * LANES;
        let entry = |row: usize, column: usize| value(start + column * LANES + row - first);
        for row in (first..columns).rev() {
            for below in row + 1..columns {
                x[row] -= entry(below, row) * x[below];
            }
            x[row] /= entry(row, row);
        }
        for column in 0..first {
            let update: f64 = (first..columns)
                .map(|row| entry(row, column) * x[row])
                .sum();
            x[column] -= update;
        }
        end = start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(row: usize, column: usize) -> f64 {
        if row == column {
            2.0 + row as f64
        } else {
            ((row * 7 + column * 3) % 11) as f64 - 5.0
        }
    }

    #[test]
    fn lengths_are_those_of_a_triangle_and_the_blocks_on_its_diagonal() {
        assert_eq!(length(8), 64);
        assert_eq!(length(256), 33_792);
        assert_eq!(length(3), 24);
    }

    #[test]
    fn columns_of_a_panel_lie_side_by_side_and_zeros_fill_it() {
        let packed = pack(9, entry);
        // Row 3, column 2 of the first panel; row 8, column 8 of the second, which has one row.
        assert_eq!(packed[2 * LANES + 3], entry(3, 2) as f32);
        assert_eq!(packed[64 + 8 * LANES], 10.0);
        assert_eq!(packed[2 * LANES + 1], 0.0);
        assert!(packed[64 + 8 * LANES + 1..].iter().all(|v| *v == 0.0));
    }

    #[test]
    fn solving_undoes_the_transposed_product() {
        for dimension in [1, 8, 13, 24] {
            let expected: Vec<f64> = (0..dimension).map(|i| i as f64 - 3.5).collect();
            let mut x: Vec<f64> = (0..dimension)
                .map(|column| {
                    (column..dimension)
                        .map(|row| entry(row, column) * expected[row])
                        .sum()
                })
                .collect();
            let packed = pack(dimension, entry);
            solve_transposed(dimension, |i| f64::from(packed[i]), &mut x);
            for (found, expected) in x.iter().zip(&expected) {
                // Double rounding times a condition below 1e4.
                assert!(
                    (found - expected).abs() < 1e-9,
                    "{dimension}: {found} {expected}"
                );
            }
        }
    }
}
