use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::gather::{GeometryLaunch, gather_kernel};
use super::pack::{Axes, Packed};
use crate::Conv2d;
use crate::conv2d::extension::Scales;
use crate::cube::{Distribution, LANES, UNITS, addressable, join};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// From the input to the output.
    Forward,
    /// From the output's gradient to the input's.
    Adjoint,
}

impl Direction {
    /// Distance of the result's pixels that meet the same taps.
    fn steps(self, options: Conv2d) -> [usize; 2] {
        match self {
            Self::Forward => [1, 1],
            Self::Adjoint => options.stride,
        }
    }
}

/// The convolution of `x` in one direction, `[batch, rows, size]`, distributed as suits the device.
pub(super) fn gather(
    x: CubeTensor,
    weight: CubeTensor,
    bias: Option<CubeTensor>,
    scales: Scales<CubeBackend>,
    options: Conv2d,
    direction: Direction,
    size: [usize; 2],
) -> CubeTensor {
    let [batch, _, _, _] = x.meta.shape().dims();
    let problem = Problem::new(&weight, options, direction, size);
    let distribution = Distribution::choose(
        &x.client,
        problem.rows,
        batch * problem.pixels_of_phase(),
        problem.phases(),
        problem.reduction,
    );
    problem.launch(x, weight, bias, scales, distribution)
}

/// What does not depend on the distribution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem {
    options: Conv2d,
    direction: Direction,
    axes: Axes,
    kernel: [usize; 2],
    rows: usize,
    /// Terms of a sum, in the phase that has most.
    reduction: usize,
    size: [usize; 2],
}

impl Problem {
    pub fn new(
        weight: &CubeTensor,
        options: Conv2d,
        direction: Direction,
        size: [usize; 2],
    ) -> Self {
        let shape: [usize; 4] = weight.meta.shape().dims();
        let axes = match direction {
            Direction::Forward => Axes {
                rows: 0,
                reduction: 1,
            },
            Direction::Adjoint => Axes {
                rows: 1,
                reduction: 0,
            },
        };
        let kernel = [shape[2], shape[3]];
        let steps = direction.steps(options);
        Self {
            options,
            direction,
            axes,
            kernel,
            rows: shape[axes.rows],
            reduction: shape[axes.reduction]
                * kernel[0].div_ceil(steps[0])
                * kernel[1].div_ceil(steps[1]),
            size,
        }
    }

    fn phases(&self) -> usize {
        self.direction.steps(self.options).iter().product()
    }

    /// Pixels of the largest phase, which is the first.
    fn pixels_of_phase(&self) -> usize {
        let steps = self.direction.steps(self.options);
        self.size[0].div_ceil(steps[0]) * self.size[1].div_ceil(steps[1])
    }

    /// Whether the pixels of every phase come in whole vectors.
    fn vectors_keep_to_images(&self) -> bool {
        let steps = self.direction.steps(self.options);
        let length = |axis: usize, phase: usize| (self.size[axis] - phase).div_ceil(steps[axis]);
        (0..steps[0].min(self.size[0])).all(|y| {
            (0..steps[1].min(self.size[1]))
                .all(|x| (length(0, y) * length(1, x)).is_multiple_of(LANES))
        })
    }

    pub fn launch(
        self,
        x: CubeTensor,
        weight: CubeTensor,
        bias: Option<CubeTensor>,
        scales: Scales<CubeBackend>,
        distribution: Distribution,
    ) -> CubeTensor {
        let Distribution { tile, splits } = distribution;
        let x = into_contiguous(x);
        let shape: [usize; 4] = x.meta.shape().dims();
        addressable(shape.iter().product());
        let [batch, channels, height, width] = shape;
        let [out_height, out_width] = self.size;
        let packed = Packed::new(&weight, self.axes, tile);
        let client = x.client.clone();
        let empty = |shape: &[usize]| {
            empty_device_contiguous_dtype(client.clone(), x.device.clone(), shape.into(), x.dtype)
        };
        let result_shape = [batch, self.rows, out_height, out_width];
        let count = addressable(result_shape.iter().product());
        let y = empty(&result_shape);
        let output_scale = scales.output.map(into_contiguous);
        let bias = bias.map(into_contiguous);
        let target = if splits > 1 {
            empty(&[addressable(splits * count)])
        } else {
            y.clone()
        };

        let row_tiles = self.rows.div_ceil(tile.rows);
        let column_tiles = (batch * self.pixels_of_phase()).div_ceil(tile.columns);
        let cubes = row_tiles * column_tiles * splits * self.phases();
        let cube_dim = CubeDim::new_1d(UNITS as u32);
        // Parts are summed before they are scaled.
        let argument = |tensor: &Option<CubeTensor>| {
            let tensor = tensor.clone().filter(|_| splits == 1);
            tensor.map(CubeTensor::into_buffer_arg).into()
        };
        // SAFETY: cubes and columns without work end first; the input is read at pixels that are compared with its sizes, else at its first, the weight
        // inside its padded sizes, and the result is written at columns and rows that are compared with its sizes; loads of columns fill whole
        // tiles, as the test of the tiles asserts.
        unsafe {
            gather_kernel::launch_unchecked(
                &client,
                calculate_cube_count_elemwise(&client, cubes * UNITS, cube_dim),
                cube_dim,
                x.clone().into_buffer_arg(),
                packed.values.into_buffer_arg(),
                scales
                    .input
                    .map(|scale| into_contiguous(scale).into_buffer_arg())
                    .into(),
                argument(&output_scale),
                argument(&bias),
                target.clone().into_buffer_arg(),
                GeometryLaunch::new(
                    cubes,
                    row_tiles,
                    column_tiles,
                    splits,
                    channels,
                    packed.depth,
                    self.rows,
                    packed.rows,
                    batch,
                    height,
                    width,
                    out_height,
                    out_width,
                    self.kernel[0],
                    self.kernel[1],
                    self.options.stride[0],
                    self.options.stride[1],
                    self.options.padding[0],
                    self.options.padding[1],
                ),
                tile,
                self.direction == Direction::Adjoint,
                self.vectors_keep_to_images(),
            );
        }
        if splits > 1 {
            let pixels = out_height * out_width;
            join(target, output_scale, bias, &y, splits, self.rows, pixels);
        }
        y
    }
}
