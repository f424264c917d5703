use cubecl::prelude::*;

use crate::tile::{LANES, Tile};

/// Adds the product of one piece of both factors, `[depth, rows]` and `[depth, columns]` in vectors, to a unit's sums `[unit rows, unit columns]`.
///
/// A unit's rows and columns lie in parts of [`LANES`] each, as many units apart as there are, so that neighbouring units read neighbouring vectors.
#[cube]
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its arguments one by one"
)]
pub(crate) fn multiply(
    rows: &Shared<[Vector<f32, Const<4>>]>,
    columns: &Shared<[Vector<f32, Const<4>>]>,
    sums: &mut Array<Vector<f32, Const<4>>>,
    first_row: usize,
    first_column: usize,
    #[comptime] row_pitch: usize,
    #[comptime] column_pitch: usize,
    #[comptime] tile: Tile,
) {
    let row_parts = comptime!(tile.unit_rows / LANES);
    let column_parts = comptime!(tile.unit_columns / LANES);
    let units_down = comptime!(tile.rows / tile.unit_rows);
    let units_across = comptime!(tile.columns / tile.unit_columns);
    #[unroll]
    for depth in 0..comptime!(tile.depth) {
        let mut row_values = Array::<Vector<f32, Const<4>>>::new(row_parts);
        let mut column_values = Array::<Vector<f32, Const<4>>>::new(column_parts);
        #[unroll]
        for part in 0..row_parts {
            row_values[part] = rows[first_row + depth * row_pitch + part * units_down];
        }
        #[unroll]
        for part in 0..column_parts {
            column_values[part] =
                columns[first_column + depth * column_pitch + part * units_across];
        }
        #[unroll]
        for row in 0..comptime!(tile.unit_rows) {
            let value = Vector::<f32, Const<4>>::new(
                row_values[comptime!(row / LANES)].extract(comptime!(row % LANES)),
            );
            #[unroll]
            for part in 0..column_parts {
                let sum = comptime!(row * column_parts + part);
                sums[sum] = fma(value, column_values[part], sums[sum]);
            }
        }
    }
}
