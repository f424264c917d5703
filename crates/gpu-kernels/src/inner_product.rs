use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use crate::join::join;
use crate::limits::addressable;
use crate::tile::{UNITS, cubes_wanted};

/// Rows up to this length are a unit's work.
const SHORT: usize = 64;

/// Values of a row that are worth a cube of their own.
const SHORTEST_PART: usize = 8 * UNITS;

/// Inner products of the rows of two `f32` tensors `[shape, ..]`, where all further sizes make up a row.
///
/// # Panics
/// When the tensors have other shapes than each other, or their first sizes are not those of `shape`.
pub fn rows_dot(a: CubeTensor, b: CubeTensor, shape: &[usize]) -> CubeTensor {
    assert!(
        a.meta.shape() == b.meta.shape() && a.meta.shape().iter().zip(shape).all(|(a, b)| a == b),
        "rows of two tensors {:?} and {:?}, {shape:?} of them",
        a.meta.shape(),
        b.meta.shape()
    );
    let (a, b) = (into_contiguous(a), into_contiguous(b));
    let client = a.client.clone();
    let rows: usize = shape.iter().product();
    let length = addressable(a.meta.num_elements()) / rows.max(1);
    let empty = |shape: &[usize]| {
        empty_device_contiguous_dtype(client.clone(), a.device.clone(), shape.into(), a.dtype)
    };
    let y = empty(shape);
    if length <= SHORT {
        let cube_dim = CubeDim::new(&client, rows);
        // SAFETY: units past the last row end first.
        unsafe {
            short_kernel::launch_unchecked(
                &client,
                calculate_cube_count_elemwise(&client, rows, cube_dim),
                cube_dim,
                a.into_buffer_arg(),
                b.into_buffer_arg(),
                y.clone().into_buffer_arg(),
                rows,
                length,
            );
        }
        return y;
    }
    let parts = (cubes_wanted(&client) / rows.max(1))
        .min(length / SHORTEST_PART)
        .max(1);
    let target = if parts > 1 {
        empty(&[parts, rows])
    } else {
        y.clone()
    };
    let cube_dim = CubeDim::new_1d(UNITS as u32);
    // SAFETY: cubes past the last part end first, and a part ends where its row does.
    unsafe {
        long_kernel::launch_unchecked(
            &client,
            calculate_cube_count_elemwise(&client, parts * rows * UNITS, cube_dim),
            cube_dim,
            a.into_buffer_arg(),
            b.into_buffer_arg(),
            target.clone().into_buffer_arg(),
            parts * rows,
            rows,
            length,
            length.div_ceil(parts),
        );
    }
    if parts > 1 {
        join(target, None, None, &y, parts, rows, 1);
    }
    y
}

/// A unit for each row.
#[cube(launch_unchecked)]
fn short_kernel(a: &[f32], b: &[f32], y: &mut [f32], rows: usize, length: usize) {
    if ABSOLUTE_POS >= rows {
        terminate!();
    }
    let start = ABSOLUTE_POS * length;
    let mut sum = 0.0f32;
    for i in 0..length {
        sum = fma(a[start + i], b[start + i], sum);
    }
    y[ABSOLUTE_POS] = sum;
}

/// A cube for each part of each row: `y` `[parts, rows]`.
#[cube(launch_unchecked)]
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its arguments one by one"
)]
fn long_kernel(
    a: &[f32],
    b: &[f32],
    y: &mut [f32],
    cubes: usize,
    rows: usize,
    length: usize,
    part: usize,
) {
    if CUBE_POS >= cubes {
        terminate!();
    }
    let unit = UNIT_POS as usize;
    let start = CUBE_POS % rows * length;
    let begin = CUBE_POS / rows * part;
    let mut end = begin + part;
    if end > length {
        end = length;
    }
    let mut sum = 0.0f32;
    let mut i = begin + unit;
    while i < end {
        sum = fma(a[start + i], b[start + i], sum);
        i += UNITS;
    }
    let mut sums = Shared::<[f32]>::new_slice(UNITS);
    sums[unit] = sum;
    #[unroll]
    for halving in 0..comptime!(UNITS.ilog2()) {
        let half = comptime!(UNITS >> (halving + 1));
        sync_cube();
        if unit < half {
            let sum = sums[unit] + sums[unit + half];
            sums[unit] = sum;
        }
    }
    if unit == 0 {
        y[CUBE_POS] = sums[0];
    }
}
