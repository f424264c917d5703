use cubecl::prelude::*;

use crate::tile::{LANES, Tile};

/// Adds the product of one piece of both factors, `[K, M]` and `[K, N]` in vectors, to a unit's sums
/// `[unit M, unit N]`.
///
/// Those lie in parts of [`LANES`] each, as many units apart as there are, so that neighboring units read neighboring
/// vectors.
#[cube]
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its arguments one by one"
)]
pub(crate) fn multiply(
    left: &Shared<[Vector<f32, Const<4>>]>,
    right: &Shared<[Vector<f32, Const<4>>]>,
    sums: &mut Array<Vector<f32, Const<4>>>,
    first_m: usize,
    first_n: usize,
    #[comptime] m_pitch: usize,
    #[comptime] n_pitch: usize,
    #[comptime] tile: Tile,
) {
    let m_parts = comptime!(tile.unit_m / LANES);
    let n_parts = comptime!(tile.unit_n / LANES);
    let units_down = comptime!(tile.m / tile.unit_m);
    let units_across = comptime!(tile.n / tile.unit_n);
    #[unroll]
    for k in 0..comptime!(tile.k) {
        let mut m_values = Array::<Vector<f32, Const<4>>>::new(m_parts);
        let mut n_values = Array::<Vector<f32, Const<4>>>::new(n_parts);
        #[unroll]
        for part in 0..m_parts {
            m_values[part] = left[first_m + k * m_pitch + part * units_down];
        }
        #[unroll]
        for part in 0..n_parts {
            n_values[part] = right[first_n + k * n_pitch + part * units_across];
        }
        #[unroll]
        for i in 0..comptime!(tile.unit_m) {
            let value = Vector::<f32, Const<4>>::new(
                m_values[comptime!(i / LANES)].extract(comptime!(i % LANES)),
            );
            #[unroll]
            for part in 0..n_parts {
                let sum = comptime!(i * n_parts + part);
                sums[sum] = fma(value, n_values[part], sums[sum]);
            }
        }
    }
}
