//! LPIPS' comparison of one layer's activations with a target's: one pass over the activations each way, where single
//! operations take a dozen.
//!
//! A cube computes `PIXELS` pixels, whose channels are shared out among `GROUPS` units each.

use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use crate::limits::addressable;
use crate::tile::UNITS;

/// Pixels of a cube: neighboring units read neighboring pixels.
const PIXELS: usize = 32;

/// Units that share the channels of a pixel.
const GROUPS: usize = 8;

/// Activations and what they are compared with, all `f32`.
#[derive(Clone, Debug)]
pub struct FeatureTensors {
    /// Activations, `[batch, channels, height, width]`.
    pub x: CubeTensor,
    /// Feature columns of unit length, of the same shape or for one image that all are compared with.
    pub target: CubeTensor,
    /// Weight of each channel.
    pub head: CubeTensor,
    /// Added to the length of a column of `x` before dividing by it.
    pub length_epsilon: f32,
    /// Added under the root that the length is.
    pub squared_length_epsilon: f32,
}

/// What a gradient is given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gradient {
    /// Each pixel's distance, `[batch, 1, height, width]`.
    OfPixels,
    /// The mean of an image's distances, `[batch, 1, 1, 1]`.
    OfMeans,
}

/// `sum_c head_c (x_c / |x| - target_c)^2` at each pixel, `[batch, 1, height, width]`.
///
/// # Panics
/// When the shapes do not fit each other.
pub fn distances(features: FeatureTensors) -> CubeTensor {
    let columns = Columns::new(features);
    let [batch, _, height, width] = columns.x.meta.shape().dims();
    let map = columns.empty(&[batch, 1, height, width]);
    let client = columns.x.client.clone();
    let (count, dim) = columns.cubes();
    let sizes = columns.sizes();
    // SAFETY: the operands have the sizes that `Columns::new` compared, and units past the last pixel read and write
    // nothing.
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
    map
}

/// The mean of each image of `map` `[batch, 1, height, width]`: `[batch, 1, 1, 1]`.
pub fn means(map: CubeTensor) -> CubeTensor {
    let map = into_contiguous(map);
    let [batch, channels, height, width] = map.meta.shape().dims();
    let pixels = channels * height * width;
    addressable(batch * pixels);
    let client = map.client.clone();
    let mean = empty_device_contiguous_dtype(
        client.clone(),
        map.device.clone(),
        [batch, 1, 1, 1].into(),
        map.dtype,
    );
    let dim = CubeDim::new_1d(UNITS as u32);
    // SAFETY: cubes past the last image end first; units read inside their image.
    unsafe {
        mean_kernel::launch_unchecked(
            &client,
            calculate_cube_count_elemwise(&client, batch * UNITS, dim),
            dim,
            map.into_buffer_arg(),
            mean.clone().into_buffer_arg(),
            batch,
            pixels,
        );
    }
    mean
}

/// The gradient at `x` from that at the distances, `[batch, channels, height, width]`.
///
/// # Panics
/// When the shapes do not fit each other.
pub fn gradient(features: FeatureTensors, gradient: CubeTensor, of: Gradient) -> CubeTensor {
    let columns = Columns::new(features);
    let [batch, channels, height, width] = columns.x.meta.shape().dims();
    let (expected, factor) = match of {
        Gradient::OfPixels => (batch * height * width, 2.0),
        Gradient::OfMeans => (batch, 2.0 / (height * width) as f32),
    };
    let found = gradient.meta.num_elements();
    assert_eq!(found, expected, "values of a gradient {of:?}");
    let result = columns.empty(&[batch, channels, height, width]);
    let client = columns.x.client.clone();
    let (count, dim) = columns.cubes();
    let sizes = columns.sizes();
    // SAFETY: the operands have the sizes that were compared above and in `Columns::new`, and units past the last pixel
    // read and write nothing.
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
            of == Gradient::OfMeans,
        );
    }
    result
}

/// What both kernels read, dense.
struct Columns {
    x: CubeTensor,
    target: CubeTensor,
    head: CubeTensor,
    length_epsilon: f32,
    squared_length_epsilon: f32,
}

impl Columns {
    fn new(features: FeatureTensors) -> Self {
        let FeatureTensors {
            x,
            target,
            head,
            length_epsilon,
            squared_length_epsilon,
        } = features;
        let shape: [usize; 4] = x.meta.shape().dims();
        let [batch, channels, height, width] = shape;
        let target_shape: [usize; 4] = target.meta.shape().dims();
        assert!(
            (target_shape == shape || target_shape == [1, channels, height, width])
                && head.meta.num_elements() == channels,
            "features of one shape and a weight for each channel, found {shape:?}, {target_shape:?} and {} weights",
            head.meta.num_elements()
        );
        addressable(batch * channels * height * width);
        // Units of the last cube too.
        addressable((batch * height * width).next_multiple_of(PIXELS) * GROUPS);
        Self {
            x: into_contiguous(x),
            target: into_contiguous(target),
            head: into_contiguous(head),
            length_epsilon,
            squared_length_epsilon,
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
            self.length_epsilon,
            self.squared_length_epsilon,
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
    length_epsilon: f32,
    squared_length_epsilon: f32,
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

/// The length of a unit's column, whose first value lies at `start`.
#[cube]
fn length(
    x: &[f32],
    start: usize,
    sizes: &Sizes,
    channels: usize,
    shared: &mut Shared<[f32]>,
    pixel: usize,
    group: usize,
) -> f32 {
    let mut squared = 0.0f32;
    let mut channel = group;
    while channel < channels {
        let value = x[start + channel * sizes.pixels];
        squared = fma(value, value, squared);
        channel += GROUPS;
    }
    f32::sqrt(of_pixel(squared, shared, pixel, group) + sizes.squared_length_epsilon)
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

    let column_length = length(x, start, &sizes, channels, &mut shared, pixel, group);
    let inverse = 1.0 / (column_length + sizes.length_epsilon);

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

/// With `u` the normalized column, `l` its length and `e = 2 gradient head (u - target)`:
/// `e / (l + epsilon) - x (sum_c e x) / (l (l + epsilon)^2)`.
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

    let column_length = length(x, start, &sizes, channels, &mut shared, pixel, group);
    let inverse = 1.0 / (column_length + sizes.length_epsilon);

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
