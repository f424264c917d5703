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

/// The product of `f32` matrices `[.., M, K]` and `[.., K, N]`, whose leading sizes are equal or 1.
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
    let shape: Vec<usize> = leading.iter().copied().chain([m, n]).collect();
    let a = Factor::new(a, &leading);
    let b = Factor::new(b, &leading).transposed();
    // Tiles are wider than high.
    let swapped = n < m && n <= Tile::FLAT.m;
    let (m, n) = if swapped { (n, m) } else { (m, n) };
    let client = &a.values.client;
    let distribution = Distribution::choose(client, m, n, batch, k);
    let (left, right) = if swapped { (b, a) } else { (a, b) };
    product(left, right, &shape, [m, n, k], swapped, distribution)
}

/// A matrix for each element of a batch.
struct Factor {
    values: CubeTensor,
    /// From one matrix to the next; 0 where all are one.
    batch: usize,
    /// Along the result's axis, and along the sum.
    outer: usize,
    k: usize,
}

impl Factor {
    /// `[leading, outer, k]`, where sizes of 1 stand for as many as there are.
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
            k: values.meta.strides()[rank - 1],
            values,
        }
    }

    fn transposed(self) -> Self {
        Self {
            outer: self.k,
            k: self.outer,
            ..self
        }
    }

    /// Whether neighbors along the result's axis are closer than along the sum.
    fn outer_is_near(&self) -> bool {
        self.outer <= self.k
    }
}

/// The product `[batch, M, N]`, stored transposed where `swapped`.
fn product(
    left: Factor,
    right: Factor,
    shape: &[usize],
    [m, n, k]: [usize; 3],
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
    let m_tiles = m.div_ceil(tile.m);
    let n_tiles = n.div_ceil(tile.n);
    let batch = count / (m * n).max(1);
    let cubes = m_tiles * n_tiles * splits * batch;
    let cube_dim = CubeDim::new_1d(UNITS as u32);
    let (m_step, n_step) = if swapped { (1, m) } else { (n, 1) };
    let (left_is_near, right_is_near) = (left.outer_is_near(), right.outer_is_near());
    // SAFETY: cubes without work end first; factors are read and the result is written at rows, columns and terms that
    // are compared with their numbers, and matrices lie `batch` apart as `Factor::new` found; loads of columns fill
    // whole tiles, as is asserted of every tile.
    unsafe {
        product_kernel::launch_unchecked(
            &client,
            calculate_cube_count_elemwise(&client, cubes * UNITS, cube_dim),
            cube_dim,
            left.values.into_buffer_arg(),
            right.values.into_buffer_arg(),
            target.clone().into_buffer_arg(),
            SizesLaunch::new(
                cubes, m_tiles, n_tiles, splits, m, n, k, count, m_step, n_step,
            ),
            StridesLaunch::new(left.batch, left.outer, left.k),
            StridesLaunch::new(right.batch, right.outer, right.k),
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
    m_tiles: usize,
    n_tiles: usize,
    splits: usize,
    m: usize,
    n: usize,
    k: usize,
    /// Values of the result.
    count: usize,
    m_step: usize,
    n_step: usize,
}

#[derive(CubeLaunch, CubeType, Clone, Copy)]
struct Strides {
    batch: usize,
    outer: usize,
    k: usize,
}

/// `y` `[splits, batch, M, N]` gets the product.
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
    let m_tile = CUBE_POS % sizes.m_tiles;
    let rest = CUBE_POS / sizes.m_tiles;
    let n_tile = rest % sizes.n_tiles;
    let rest = rest / sizes.n_tiles;
    let split = rest % sizes.splits;
    let batch = rest / sizes.splits;

    let m_vectors = comptime!(tile.m / LANES);
    let n_vectors = comptime!(tile.n / LANES);
    // One vector more than a row of vectors has, so that units that store along the sum meet different banks.
    let m_pitch = comptime!(m_vectors + 1);
    let n_pitch = comptime!(n_vectors + 1);
    let m_loads = comptime!((tile.k * m_vectors).div_ceil(UNITS));
    let n_loads = comptime!((tile.k * n_vectors).div_ceil(UNITS));
    let n_parts = comptime!(tile.unit_n / LANES);
    let units_across = comptime!(tile.n / tile.unit_n);
    let units_down = comptime!(tile.m / tile.unit_m);

    let steps = sizes.k.div_ceil(comptime!(tile.k));
    let per_split = steps.div_ceil(sizes.splits);
    let begin = split * per_split;
    let mut end = begin + per_split;
    if end > steps {
        end = steps;
    }

    let left_half = comptime!(tile.k * m_pitch);
    let right_half = comptime!(tile.k * n_pitch);
    let mut shared_left =
        Shared::<[Vector<f32, Const<4>>]>::new_aligned_slice(comptime!(2 * left_half), 16usize);
    let mut shared_right =
        Shared::<[Vector<f32, Const<4>>]>::new_aligned_slice(comptime!(2 * right_half), 16usize);
    let mut next_left = Array::<Vector<f32, Const<4>>>::new(m_loads);
    let mut next_right = Array::<Vector<f32, Const<4>>>::new(n_loads);
    let mut sums = Array::<Vector<f32, Const<4>>>::new(comptime!(tile.unit_m * n_parts));
    #[unroll]
    for i in 0..comptime!(tile.unit_m * n_parts) {
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
            let first = step * comptime!(tile.k);
            #[unroll]
            for load in 0..m_loads {
                next_left[load] = piece(
                    left,
                    &left_strides,
                    batch,
                    m_tile * comptime!(tile.m),
                    sizes.m,
                    first,
                    sizes.k,
                    unit + load * UNITS,
                    m_vectors,
                    tile.k,
                    left_is_near,
                );
            }
            #[unroll]
            for load in 0..n_loads {
                next_right[load] = piece(
                    right,
                    &right_strides,
                    batch,
                    n_tile * comptime!(tile.n),
                    sizes.n,
                    first,
                    sizes.k,
                    unit + load * UNITS,
                    n_vectors,
                    tile.k,
                    right_is_near,
                );
            }
        }
        if step > begin {
            multiply(
                &shared_left,
                &shared_right,
                &mut sums,
                half * left_half + down,
                half * right_half + across,
                m_pitch,
                n_pitch,
                tile,
            );
        }
        half = 1 - half;
        if step < end {
            #[unroll]
            for load in 0..m_loads {
                let index = unit + load * UNITS;
                if index < comptime!(tile.k * m_vectors) {
                    let at = place(index, m_vectors, tile.k, m_pitch, left_is_near);
                    shared_left[half * left_half + at] = next_left[load];
                }
            }
            #[unroll]
            for load in 0..n_loads {
                let index = unit + load * UNITS;
                let at = place(index, n_vectors, tile.k, n_pitch, right_is_near);
                shared_right[half * right_half + at] = next_right[load];
            }
        }
        sync_cube();
        step += 1;
    }

    let start = split * sizes.count + batch * sizes.m * sizes.n;
    #[unroll]
    for part in 0..n_parts {
        #[unroll]
        for lane in 0..LANES {
            let column = n_tile * comptime!(tile.n) + (part * units_across + across) * LANES + lane;
            #[unroll]
            for i in 0..comptime!(tile.unit_m) {
                let row = m_tile * comptime!(tile.m)
                    + (comptime!(i / LANES) * units_down + down) * LANES
                    + comptime!(i % LANES);
                if column < sizes.n && row < sizes.m {
                    y[start + row * sizes.m_step + column * sizes.n_step] =
                        sums[comptime!(i * n_parts + part)].extract(lane);
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
    size: usize,
    first_k: usize,
    k_size: usize,
    index: usize,
    #[comptime] vectors: usize,
    #[comptime] k: usize,
    #[comptime] outer_is_near: bool,
) -> Vector<f32, Const<4>> {
    let mut vector = index % vectors;
    let mut term = index / vectors;
    if comptime!(!outer_is_near) {
        term = index % k;
        vector = index / k;
    }
    let mut values = Vector::<f32, Const<4>>::new(0.0f32);
    let term = first_k + term;
    #[unroll]
    for lane in 0..LANES {
        let outer = first_outer + vector * LANES + lane;
        if term < k_size && outer < size && vector < vectors {
            values.insert(
                lane,
                matrix[batch * strides.batch + outer * strides.outer + term * strides.k],
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
    #[comptime] k: usize,
    #[comptime] pitch: usize,
    #[comptime] outer_is_near: bool,
) -> usize {
    if comptime!(outer_is_near) {
        index / vectors * pitch + index % vectors
    } else {
        index % k * pitch + index / k
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
