//! Products of matrices on graphics processors in f32, read along any strides.

use burn::backend::ops::FloatTensorOps;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use crate::join::join;
use crate::limits::{addressable, addressable_by_strides};
use crate::multiplication::multiply;
use crate::tile::{Distribution, LANES, Tile, UNITS};

/// The product of `f32` matrices `[.., m, k]` and `[.., k, n]`, whose leading sizes are equal or 1.
///
/// # Panics
/// When the sizes do not match.
pub fn matrix_product(a: CubeTensor, b: CubeTensor) -> CubeTensor {
    let rank = a.meta.shape().num_dims();
    let (left, right) = (a.meta.shape(), b.meta.shape());
    assert!(
        rank >= 2
            && right.num_dims() == rank
            && left[rank - 1] == right[rank - 2]
            && (0..rank - 2)
                .all(|axis| { left[axis] == right[axis] || left[axis] == 1 || right[axis] == 1 }),
        "matrices {left:?} and {right:?} do not fit"
    );
    let [m, k, n] = [
        a.meta.shape()[rank - 2],
        a.meta.shape()[rank - 1],
        b.meta.shape()[rank - 1],
    ];
    let leading: Vec<usize> = (0..rank - 2)
        .map(|axis| match a.meta.shape()[axis] {
            1 => b.meta.shape()[axis],
            size => size,
        })
        .collect();
    let batch: usize = leading.iter().product();
    let a = Factor::new(a, &leading);
    let b = Factor::new(b, &leading).transposed();
    // Tiles are wider than high.
    let swapped = n < m && n <= Tile::FLAT.rows;
    let (rows, columns) = if swapped { (n, m) } else { (m, n) };
    let client = &a.values.client;
    let distribution = Distribution::choose(client, rows, columns, batch, k);
    let shape: Vec<usize> = leading.into_iter().chain([m, n]).collect();
    let (left, right) = if swapped { (b, a) } else { (a, b) };
    product(
        left,
        right,
        &shape,
        [rows, columns, k],
        swapped,
        distribution,
    )
}

/// A matrix for each element of a batch.
struct Factor {
    values: CubeTensor,
    /// From one matrix to the next; 0 where all are one.
    batch: usize,
    /// Along the result's axis, and along the sum.
    outer: usize,
    depth: usize,
}

impl Factor {
    /// `[leading, outer, depth]`, where sizes of 1 stand for as many as there are.
    fn new(values: CubeTensor, leading: &[usize]) -> Self {
        let rank = leading.len() + 2;
        let own: Vec<usize> = values.meta.shape().iter().copied().collect();
        let strides: Vec<usize> = values.meta.strides().iter().copied().collect();
        // Sizes of 1 have strides without a meaning, which must not be read.
        let axes: Vec<usize> = (0..rank - 2).filter(|axis| own[*axis] > 1).collect();
        let evenly_spaced = own[..rank - 2] == *leading
            && axes
                .windows(2)
                .all(|pair| strides[pair[0]] == strides[pair[1]] * own[pair[1]]);
        let (values, batch) = match axes.last() {
            None => (values, 0),
            Some(last) if evenly_spaced => (values, strides[*last]),
            Some(_) => {
                let shape: Vec<usize> = leading
                    .iter()
                    .copied()
                    .chain(own[rank - 2..].iter().copied())
                    .collect();
                let values = into_contiguous(CubeBackend::float_expand(values, shape.into()));
                (values, own[rank - 2] * own[rank - 1])
            }
        };
        Self {
            batch,
            outer: values.meta.strides()[rank - 2],
            depth: values.meta.strides()[rank - 1],
            values,
        }
    }

    fn transposed(self) -> Self {
        Self {
            outer: self.depth,
            depth: self.outer,
            ..self
        }
    }

    /// Whether neighbours along the result's axis are closer than along the sum.
    fn outer_is_near(&self) -> bool {
        self.outer <= self.depth
    }
}

/// The product `[batch, rows, columns]`, stored transposed where `swapped`.
fn product(
    left: Factor,
    right: Factor,
    shape: &[usize],
    [rows, columns, depth]: [usize; 3],
    swapped: bool,
    Distribution { tile, splits }: Distribution,
) -> CubeTensor {
    let client = left.values.client.clone();
    let device = left.values.device.clone();
    let dtype = left.values.dtype;
    let empty = |shape: &[usize]| {
        empty_device_contiguous_dtype(client.clone(), device.clone(), shape.into(), dtype)
    };
    let count = addressable(shape.iter().product());
    for factor in [&left, &right] {
        addressable_by_strides(&factor.values);
    }
    let y = empty(shape);
    let target = if splits > 1 {
        empty(&[addressable(splits * count)])
    } else {
        y.clone()
    };
    let row_tiles = rows.div_ceil(tile.rows);
    let column_tiles = columns.div_ceil(tile.columns);
    let batch = count / (rows * columns).max(1);
    let cubes = row_tiles * column_tiles * splits * batch;
    let cube_dim = CubeDim::new_1d(UNITS as u32);
    let (row_step, column_step) = if swapped { (1, rows) } else { (columns, 1) };
    let (left_is_near, right_is_near) = (left.outer_is_near(), right.outer_is_near());
    // SAFETY: cubes without work end first; factors are read and the result is written at rows, columns and terms that are compared with their
    // numbers, and matrices lie `batch` apart as `Factor::new` found; loads of columns fill whole tiles, as is asserted of every tile.
    unsafe {
        product_kernel::launch_unchecked(
            &client,
            calculate_cube_count_elemwise(&client, cubes * UNITS, cube_dim),
            cube_dim,
            left.values.into_buffer_arg(),
            right.values.into_buffer_arg(),
            target.clone().into_buffer_arg(),
            SizesLaunch::new(
                cubes,
                row_tiles,
                column_tiles,
                splits,
                rows,
                columns,
                depth,
                count,
                row_step,
                column_step,
            ),
            StridesLaunch::new(left.batch, left.outer, left.depth),
            StridesLaunch::new(right.batch, right.outer, right.depth),
            tile,
            left_is_near,
            right_is_near,
        );
    }
    if splits > 1 {
        join(target, None, None, &y, splits, 1, 1);
    }
    y
}

#[derive(CubeLaunch, CubeType, Clone, Copy)]
struct Sizes {
    /// Cubes that have work.
    cubes: usize,
    row_tiles: usize,
    column_tiles: usize,
    splits: usize,
    rows: usize,
    columns: usize,
    depth: usize,
    /// Values of the result.
    count: usize,
    row_step: usize,
    column_step: usize,
}

#[derive(CubeLaunch, CubeType, Clone, Copy)]
struct Strides {
    batch: usize,
    outer: usize,
    depth: usize,
}

/// `y` `[splits, batch, rows, columns]` gets the product.
#[cube(launch_unchecked)]
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its arguments one by one"
)]
fn product_kernel(
    left: &[f32],
    right: &[f32],
    y: &mut [f32],
    sizes: Sizes,
    left_strides: Strides,
    right_strides: Strides,
    #[comptime] tile: Tile,
    #[comptime] left_is_near: bool,
    #[comptime] right_is_near: bool,
) {
    if CUBE_POS >= sizes.cubes {
        terminate!();
    }
    let unit = UNIT_POS as usize;
    let row_tile = CUBE_POS % sizes.row_tiles;
    let rest = CUBE_POS / sizes.row_tiles;
    let column_tile = rest % sizes.column_tiles;
    let rest = rest / sizes.column_tiles;
    let split = rest % sizes.splits;
    let batch = rest / sizes.splits;

    let row_vectors = comptime!(tile.rows / LANES);
    let column_vectors = comptime!(tile.columns / LANES);
    // One vector more than a row of vectors has, so that units that store along the sum meet different banks.
    let row_pitch = comptime!(row_vectors + 1);
    let column_pitch = comptime!(column_vectors + 1);
    let row_loads = comptime!((tile.depth * row_vectors).div_ceil(UNITS));
    let column_loads = comptime!((tile.depth * column_vectors).div_ceil(UNITS));
    let column_parts = comptime!(tile.unit_columns / LANES);
    let units_across = comptime!(tile.columns / tile.unit_columns);
    let units_down = comptime!(tile.rows / tile.unit_rows);

    let steps = sizes.depth.div_ceil(comptime!(tile.depth));
    let per_split = steps.div_ceil(sizes.splits);
    let begin = split * per_split;
    let mut end = begin + per_split;
    if end > steps {
        end = steps;
    }

    let row_half = comptime!(tile.depth * row_pitch);
    let column_half = comptime!(tile.depth * column_pitch);
    let mut shared_rows =
        Shared::<[Vector<f32, Const<4>>]>::new_aligned_slice(comptime!(2 * row_half), 16usize);
    let mut shared_columns =
        Shared::<[Vector<f32, Const<4>>]>::new_aligned_slice(comptime!(2 * column_half), 16usize);
    let mut next_rows = Array::<Vector<f32, Const<4>>>::new(row_loads);
    let mut next_columns = Array::<Vector<f32, Const<4>>>::new(column_loads);
    let mut sums = Array::<Vector<f32, Const<4>>>::new(comptime!(tile.unit_rows * column_parts));
    #[unroll]
    for i in 0..comptime!(tile.unit_rows * column_parts) {
        sums[i] = Vector::new(0.0f32);
    }
    let down = unit / units_across;
    let across = unit % units_across;

    // One turn more than there are steps: each turn loads the pieces of the next one.
    let mut step = begin;
    let mut half = 0usize.runtime();
    let turns = end + 1;
    while step < turns {
        if step < end {
            let first = step * comptime!(tile.depth);
            #[unroll]
            for load in 0..row_loads {
                next_rows[load] = piece(
                    left,
                    &left_strides,
                    batch,
                    row_tile * comptime!(tile.rows),
                    sizes.rows,
                    first,
                    sizes.depth,
                    unit + load * UNITS,
                    row_vectors,
                    tile.depth,
                    left_is_near,
                );
            }
            #[unroll]
            for load in 0..column_loads {
                next_columns[load] = piece(
                    right,
                    &right_strides,
                    batch,
                    column_tile * comptime!(tile.columns),
                    sizes.columns,
                    first,
                    sizes.depth,
                    unit + load * UNITS,
                    column_vectors,
                    tile.depth,
                    right_is_near,
                );
            }
        }
        if step > begin {
            multiply(
                &shared_rows,
                &shared_columns,
                &mut sums,
                half * row_half + down,
                half * column_half + across,
                row_pitch,
                column_pitch,
                tile,
            );
        }
        half = 1 - half;
        if step < end {
            #[unroll]
            for load in 0..row_loads {
                let index = unit + load * UNITS;
                if index < comptime!(tile.depth * row_vectors) {
                    let at = place(index, row_vectors, tile.depth, row_pitch, left_is_near);
                    shared_rows[half * row_half + at] = next_rows[load];
                }
            }
            #[unroll]
            for load in 0..column_loads {
                let index = unit + load * UNITS;
                let at = place(
                    index,
                    column_vectors,
                    tile.depth,
                    column_pitch,
                    right_is_near,
                );
                shared_columns[half * column_half + at] = next_columns[load];
            }
        }
        sync_cube();
        step += 1;
    }

    let start = split * sizes.count + batch * sizes.rows * sizes.columns;
    #[unroll]
    for part in 0..column_parts {
        #[unroll]
        for lane in 0..LANES {
            let column = column_tile * comptime!(tile.columns)
                + (part * units_across + across) * LANES
                + lane;
            #[unroll]
            for i in 0..comptime!(tile.unit_rows) {
                let row = row_tile * comptime!(tile.rows)
                    + (comptime!(i / LANES) * units_down + down) * LANES
                    + comptime!(i % LANES);
                if column < sizes.columns && row < sizes.rows {
                    y[start + row * sizes.row_step + column * sizes.column_step] =
                        sums[comptime!(i * column_parts + part)].extract(lane);
                }
            }
        }
    }
}

/// The four values along the outer axis that a unit loads, zeros outside the matrix.
#[cube]
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its arguments one by one"
)]
fn piece(
    matrix: &[f32],
    strides: &Strides,
    batch: usize,
    first_outer: usize,
    outers: usize,
    first_depth: usize,
    depths: usize,
    index: usize,
    #[comptime] vectors: usize,
    #[comptime] depth: usize,
    #[comptime] outer_is_near: bool,
) -> Vector<f32, Const<4>> {
    let mut vector = index % vectors;
    let mut term = index / vectors;
    if comptime!(!outer_is_near) {
        term = index % depth;
        vector = index / depth;
    }
    let mut values = Vector::<f32, Const<4>>::new(0.0f32);
    let term = first_depth + term;
    #[unroll]
    for lane in 0..LANES {
        let outer = first_outer + vector * LANES + lane;
        if term < depths && outer < outers && vector < vectors {
            values.insert(
                lane,
                matrix[batch * strides.batch + outer * strides.outer + term * strides.depth],
            );
        }
    }
    values
}

/// Where in shared memory a unit's load belongs.
#[cube]
fn place(
    index: usize,
    #[comptime] vectors: usize,
    #[comptime] depth: usize,
    #[comptime] pitch: usize,
    #[comptime] outer_is_near: bool,
) -> usize {
    if comptime!(outer_is_near) {
        index / vectors * pitch + index % vectors
    } else {
        index % depth * pitch + index / depth
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};
    use testkit::{assert_close, seeded};

    use super::*;

    fn tensor<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
        let values = seeded(name, shape.iter().product(), 1.0);
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    fn primitive<const D: usize>(tensor: Tensor<D>) -> CubeTensor {
        let primitive = tensor.try_into_primitive::<CubeBackend>();
        primitive.expect("a tensor of a graphics processor")
    }

    #[test]
    fn every_distribution_computes_the_same() {
        // Ends inside tiles of every size, sums that are split unevenly.
        let [batch, m, k, n] = [2, 130, 77, 261];
        let cpu = Device::flex();
        let expected = tensor("a", [batch, m, k], &cpu).matmul(tensor("b", [batch, k, n], &cpu));
        for (name, device) in testkit::devices() {
            if name == "flex" {
                continue;
            }
            for tile in Tile::ALL {
                for splits in [1, 2, 5] {
                    for turn in [false, true] {
                        for near in [false, true] {
                            let a = tensor::<3>("a", [batch, m, k], &device);
                            let b = tensor::<3>("b", [batch, k, n], &device);
                            // The same values with the other axis next to each other.
                            let relaid =
                                |x: Tensor<3>| x.swap_dims(1, 2).mul_scalar(1.0).swap_dims(1, 2);
                            let (a, b) = if near { (relaid(a), relaid(b)) } else { (a, b) };
                            let left = Factor::new(primitive(a), &[batch]);
                            let right = Factor::new(primitive(b), &[batch]).transposed();
                            // A swapped product is stored as if it had not been.
                            let (left, right, sizes) = if turn {
                                (right, left, [n, m, k])
                            } else {
                                (left, right, [m, n, k])
                            };
                            let distribution = Distribution { tile, splits };
                            let y = product(left, right, &[batch, m, n], sizes, turn, distribution);
                            let y = Tensor::<3>::from_primitive::<CubeBackend>(y);
                            let what = format!("{name}: {tile:?} {splits} splits, {turn} {near}");
                            let found: Vec<f32> = y.into_data().try_into_vec().expect("f32");
                            let expected: Vec<f32> =
                                expected.clone().into_data().try_into_vec().expect("f32");
                            // Sums of 77 products in another order.
                            assert_close(&what, &found, &expected, 1e-6);
                        }
                    }
                }
            }
        }
    }
}
