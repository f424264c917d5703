//! `feature_distance` on graphics processors: one pass over the activations each way, where single operations take a dozen.
//!
//! A cube computes [`PIXELS`] pixels, whose channels are shared out among [`GROUPS`] units each.

use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::backend::{FeatureDistanceGradientOps, FeatureDistanceOps};
use super::{LENGTH_EPSILON, Reduction, SQUARED_LENGTH_EPSILON};

/// Pixels of a cube: neighbouring units read neighbouring pixels.
const PIXELS: usize = 32;

/// Units that share the channels of a pixel.
const GROUPS: usize = 8;

/// Units that add up the pixels of an image.
const UNITS: usize = 256;

impl FeatureDistanceOps for CubeBackend {
    fn feature_distance(
        x: CubeTensor,
        target: CubeTensor,
        head: CubeTensor,
        reduction: Reduction,
    ) -> CubeTensor {
        let columns = Columns::new(x, target, head);
        let [batch, _, height, width] = columns.x.meta.shape().dims();
        let map = columns.empty(&[batch, 1, height, width]);
        let client = columns.x.client.clone();
        let (count, dim) = columns.cubes();
        let sizes = columns.sizes();
        // SAFETY: units past the last pixel read and write nothing.
        unsafe {
            distance_kernel::launch_unchecked(
                &client,
                count,
                dim,
                columns.x.clone().into_buffer_arg(),
                columns.target.clone().into_buffer_arg(),
                columns.head.clone().into_buffer_arg(),
                map.clone().into_buffer_arg(),
                sizes,
            );
        }
        if reduction == Reduction::None {
            return map;
        }
        let mean = columns.empty(&[batch, 1, 1, 1]);
        let dim = CubeDim::new_1d(UNITS as u32);
        // SAFETY: a cube for each image; units read inside it.
        unsafe {
            mean_kernel::launch_unchecked(
                &client,
                calculate_cube_count_elemwise(&client, batch * UNITS, dim),
                dim,
                map.into_buffer_arg(),
                mean.clone().into_buffer_arg(),
                batch,
                height * width,
            );
        }
        mean
    }
}

impl FeatureDistanceGradientOps for CubeBackend {
    fn feature_distance_gradient(
        gradient: CubeTensor,
        x: CubeTensor,
        target: CubeTensor,
        head: CubeTensor,
        reduction: Reduction,
    ) -> CubeTensor {
        let columns = Columns::new(x, target, head);
        let [batch, channels, height, width] = columns.x.meta.shape().dims();
        let result = columns.empty(&[batch, channels, height, width]);
        let client = columns.x.client.clone();
        let (count, dim) = columns.cubes();
        let sizes = columns.sizes();
        let factor = match reduction {
            Reduction::None => 2.0,
            Reduction::Mean => 2.0 / (height * width) as f32,
        };
        // SAFETY: units past the last pixel read and write nothing.
        unsafe {
            gradient_kernel::launch_unchecked(
                &client,
                count,
                dim,
                into_contiguous(gradient).into_buffer_arg(),
                columns.x.clone().into_buffer_arg(),
                columns.target.clone().into_buffer_arg(),
                columns.head.clone().into_buffer_arg(),
                result.clone().into_buffer_arg(),
                sizes,
                factor,
                reduction == Reduction::Mean,
            );
        }
        result
    }
}

/// What both kernels read, dense.
struct Columns {
    x: CubeTensor,
    target: CubeTensor,
    head: CubeTensor,
}

impl Columns {
    fn new(x: CubeTensor, target: CubeTensor, head: CubeTensor) -> Self {
        Self {
            x: into_contiguous(x),
            target: into_contiguous(target),
            head: into_contiguous(head),
        }
    }

    fn empty(&self, shape: &[usize]) -> CubeTensor {
        let Self { x, .. } = self;
        empty_device_contiguous_dtype(x.client.clone(), x.device.clone(), shape.into(), x.dtype)
    }

    fn sizes(&self) -> SizesLaunch {
        let [batch, channels, height, width] = self.x.meta.shape().dims();
        let pixels = height * width;
        let one_for_all = self.target.meta.shape()[0] < batch;
        SizesLaunch::new(
            batch * pixels,
            pixels,
            channels,
            if one_for_all { 0 } else { channels * pixels },
        )
    }

    fn cubes(&self) -> (CubeCount, CubeDim) {
        let [batch, _, height, width] = self.x.meta.shape().dims();
        let cubes = (batch * height * width).div_ceil(PIXELS);
        let dim = CubeDim::new_1d((PIXELS * GROUPS) as u32);
        let units = cubes * PIXELS * GROUPS;
        (
            calculate_cube_count_elemwise(&self.x.client, units, dim),
            dim,
        )
    }
}

#[derive(CubeLaunch, CubeType, Clone, Copy)]
struct Sizes {
    /// Of all images.
    columns: usize,
    pixels: usize,
    channels: usize,
    /// From one image's target to the next; 0 where all have one.
    target_step: usize,
}

/// The sum of the values that the units of a pixel have, for each of them.
#[cube]
fn of_pixel(value: f32, shared: &mut Shared<[f32]>, pixel: usize, group: usize) -> f32 {
    sync_cube();
    shared[group * PIXELS + pixel] = value;
    sync_cube();
    let mut sum = 0.0f32;
    #[unroll]
    for other in 0..GROUPS {
        sum += shared[other * PIXELS + pixel];
    }
    sum
}

/// The length of a unit's column, whose first value lies at `start` and whose channels lie `step` apart.
#[cube]
fn length(
    x: &[f32],
    start: usize,
    step: usize,
    channels: usize,
    shared: &mut Shared<[f32]>,
    pixel: usize,
    group: usize,
) -> f32 {
    let mut squared = 0.0f32;
    let mut channel = group;
    while channel < channels {
        let value = x[start + channel * step];
        squared = fma(value, value, squared);
        channel += GROUPS;
    }
    f32::sqrt(of_pixel(squared, shared, pixel, group) + SQUARED_LENGTH_EPSILON)
}

#[cube(launch_unchecked)]
fn distance_kernel(x: &[f32], target: &[f32], head: &[f32], map: &mut [f32], sizes: Sizes) {
    let unit = UNIT_POS as usize;
    let pixel = unit % PIXELS;
    let group = unit / PIXELS;
    let column = CUBE_POS * PIXELS + pixel;
    let mut shared = Shared::<[f32]>::new_slice(comptime!(PIXELS * GROUPS));
    // Units without a column keep pace at the barriers.
    let mut channels = sizes.channels;
    if column >= sizes.columns {
        channels = 0usize.runtime();
    }
    let image = column / sizes.pixels;
    let at = column % sizes.pixels;
    let start = image * sizes.channels * sizes.pixels + at;
    let target_start = image * sizes.target_step + at;

    let column_length = length(x, start, sizes.pixels, channels, &mut shared, pixel, group);
    let inverse = 1.0 / (column_length + LENGTH_EPSILON);

    let mut distance = 0.0f32;
    let mut channel = group;
    while channel < channels {
        let offset = channel * sizes.pixels;
        let difference = x[start + offset] * inverse - target[target_start + offset];
        distance = fma(head[channel] * difference, difference, distance);
        channel += GROUPS;
    }
    let distance = of_pixel(distance, &mut shared, pixel, group);
    if group == 0 && column < sizes.columns {
        map[column] = distance;
    }
}

/// With `u` the normalised column, `l` its length and `e = 2 gradient head (u - target)`: `e / (l + epsilon) - x (sum_c e x) / (l (l + epsilon)^2)`.
#[cube(launch_unchecked)]
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its arguments one by one"
)]
fn gradient_kernel(
    gradient: &[f32],
    x: &[f32],
    target: &[f32],
    head: &[f32],
    result: &mut [f32],
    sizes: Sizes,
    factor: f32,
    #[comptime] of_mean: bool,
) {
    let unit = UNIT_POS as usize;
    let pixel = unit % PIXELS;
    let group = unit / PIXELS;
    let column = CUBE_POS * PIXELS + pixel;
    let mut shared = Shared::<[f32]>::new_slice(comptime!(PIXELS * GROUPS));
    let image = column / sizes.pixels;
    let at = column % sizes.pixels;
    let start = image * sizes.channels * sizes.pixels + at;
    let target_start = image * sizes.target_step + at;
    // Units without a column keep pace at the barriers.
    let mut channels = sizes.channels;
    let mut gradient_here = 0.0f32;
    if column >= sizes.columns {
        channels = 0usize.runtime();
    } else if comptime!(of_mean) {
        gradient_here = gradient[image] * factor;
    } else {
        gradient_here = gradient[column] * factor;
    }

    let column_length = length(x, start, sizes.pixels, channels, &mut shared, pixel, group);
    let inverse = 1.0 / (column_length + LENGTH_EPSILON);

    let mut along = 0.0f32;
    let mut channel = group;
    while channel < channels {
        let offset = channel * sizes.pixels;
        let value = x[start + offset];
        let difference = value * inverse - target[target_start + offset];
        along = fma(gradient_here * head[channel] * difference, value, along);
        channel += GROUPS;
    }
    // Divided by the length first: the squared inverse alone is as large as 1e20.
    let along = of_pixel(along, &mut shared, pixel, group) / column_length * inverse * inverse;

    let mut channel = group;
    while channel < channels {
        let offset = channel * sizes.pixels;
        let value = x[start + offset];
        let difference = value * inverse - target[target_start + offset];
        let e = gradient_here * head[channel] * difference;
        result[start + offset] = e * inverse - value * along;
        channel += GROUPS;
    }
}

/// The mean of each image's pixels.
#[cube(launch_unchecked)]
fn mean_kernel(map: &[f32], mean: &mut [f32], images: usize, pixels: usize) {
    if CUBE_POS >= images {
        terminate!();
    }
    let unit = UNIT_POS as usize;
    let start = CUBE_POS * pixels;
    let mut sum = 0.0f32;
    let mut pixel = unit;
    while pixel < pixels {
        sum += map[start + pixel];
        pixel += UNITS;
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
        mean[CUBE_POS] = sums[0] / pixels as f32;
    }
}
