//! Convolutions and their adjoints: what CubeCL offers for them computes either one value at a time or with the ten
//! bits of TensorFloat-32, which a demodulation magnifies.

mod gather;
mod pack;
#[cfg(test)]
mod tests;

use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use crate::join::join;
use crate::limits::addressable;
use crate::tile::{Distribution, LANES, UNITS};
use gather::{GeometryLaunch, gather_kernel};
use pack::{Axes, Packed};

/// Which of the two linear maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// From the input to the output.
    Forward,
    /// From the output's gradient to the input's.
    Adjoint,
}

/// What [`convolve`] computes.
#[derive(Clone, Copy, Debug)]
pub struct Convolution {
    /// Forward, or the adjoint in the input.
    pub pass: Pass,
    /// Stride of the forward map, `[y, x]`.
    pub stride: [usize; 2],
    /// Zeros on both sides of its input, `[y, x]`.
    pub padding: [usize; 2],
    /// Height and width of the result.
    pub output: [usize; 2],
}

impl Convolution {
    /// Distance of the result's pixels that meet the same taps.
    fn steps(&self) -> [usize; 2] {
        match self.pass {
            Pass::Forward => [1, 1],
            Pass::Adjoint => self.stride,
        }
    }

    fn phases(&self) -> usize {
        self.steps().iter().product()
    }

    /// Pixels of the largest phase, which is the first.
    fn pixels_of_phase(&self) -> usize {
        let steps = self.steps();
        self.output[0].div_ceil(steps[0]) * self.output[1].div_ceil(steps[1])
    }

    /// Whether the pixels of every phase come in whole vectors.
    fn vectors_keep_to_images(&self) -> bool {
        let steps = self.steps();
        let length = |axis: usize, phase: usize| (self.output[axis] - phase).div_ceil(steps[axis]);
        (0..steps[0].min(self.output[0])).all(|y| {
            (0..steps[1].min(self.output[1]))
                .all(|x| (length(0, y) * length(1, x)).is_multiple_of(LANES))
        })
    }
}

/// Factors on the planes of the input and of the output, both `[N, channels]`.
#[derive(Clone, Debug, Default)]
pub struct Scales {
    /// Of the input.
    pub input: Option<CubeTensor>,
    /// Of the output, before the bias is added.
    pub output: Option<CubeTensor>,
}

/// A convolution with `weight` `[OC, IC, KH, KW]` in one pass, scaled, plus `bias`: forward from `x` `[N, IC, IH, IW]`
/// to `[N, OC, OH, OW]`, as the adjoint the other way, all `f32`.
///
/// # Panics
/// When the shapes do not fit each other.
pub fn convolve(
    x: CubeTensor,
    weight: CubeTensor,
    bias: Option<CubeTensor>,
    scales: Scales,
    convolution: Convolution,
) -> CubeTensor {
    let [batch, _, _, _] = x.meta.shape().dims();
    let problem = Problem::new(&weight, convolution);
    let distribution = Distribution::choose(
        &x.client,
        problem.oc,
        batch * convolution.pixels_of_phase(),
        convolution.phases(),
        problem.k,
    );
    problem.launch(x, weight, bias, scales, distribution)
}

/// What does not depend on the distribution.
#[derive(Clone, Copy, Debug)]
struct Problem {
    convolution: Convolution,
    axes: Axes,
    kernel: [usize; 2],
    oc: usize,
    /// Terms of a sum, in the phase that has most.
    k: usize,
}

impl Problem {
    fn new(weight: &CubeTensor, convolution: Convolution) -> Self {
        let shape: [usize; 4] = weight.meta.shape().dims();
        let axes = match convolution.pass {
            Pass::Forward => Axes { oc: 0, ic: 1 },
            Pass::Adjoint => Axes { oc: 1, ic: 0 },
        };
        let kernel = [shape[2], shape[3]];
        let steps = convolution.steps();
        Self {
            convolution,
            axes,
            kernel,
            oc: shape[axes.oc],
            k: shape[axes.ic] * kernel[0].div_ceil(steps[0]) * kernel[1].div_ceil(steps[1]),
        }
    }

    fn launch(
        self,
        x: CubeTensor,
        weight: CubeTensor,
        bias: Option<CubeTensor>,
        scales: Scales,
        distribution: Distribution,
    ) -> CubeTensor {
        let Distribution { tile, splits } = distribution;
        let Convolution {
            pass,
            stride,
            padding,
            output: [oh, ow],
        } = self.convolution;
        let x = into_contiguous(x);
        let shape: [usize; 4] = x.meta.shape().dims();
        addressable(shape.iter().product());
        let [batch, ic, ih, iw] = shape;
        assert_eq!(
            weight.meta.shape()[self.axes.ic],
            ic,
            "channels of the input and of the weight"
        );
        for (what, tensor, expected) in [
            ("input factors", &scales.input, batch * ic),
            ("output factors", &scales.output, batch * self.oc),
            ("bias", &bias, self.oc),
        ] {
            let found = tensor.as_ref().map(|tensor| tensor.meta.num_elements());
            assert_eq!(found.unwrap_or(expected), expected, "values of the {what}");
        }
        let packed = Packed::new(&weight, self.axes, tile);
        let client = x.client.clone();
        let empty = |shape: &[usize]| {
            empty_device_contiguous_dtype(client.clone(), x.device.clone(), shape.into(), x.dtype)
        };
        let result_shape = [batch, self.oc, oh, ow];
        let count = addressable(result_shape.iter().product());
        let y = empty(&result_shape);
        let output_scale = scales.output.map(into_contiguous);
        let bias = bias.map(into_contiguous);
        let target = if splits > 1 {
            empty(&[addressable(splits * count)])
        } else {
            y.clone()
        };

        let m_tiles = self.oc.div_ceil(tile.m);
        let n_tiles = (batch * self.convolution.pixels_of_phase()).div_ceil(tile.n);
        let cubes = m_tiles * n_tiles * splits * self.convolution.phases();
        let cube_dim = CubeDim::new_1d(UNITS as u32);
        // Parts are summed before they are scaled.
        let argument = |tensor: &Option<CubeTensor>| {
            let tensor = tensor.clone().filter(|_| splits == 1);
            tensor.map(CubeTensor::into_buffer_arg).into()
        };
        // SAFETY: cubes and columns without work end first. The input is read at pixels that are compared with its
        // sizes, else at its first. The weight is read inside its padded sizes. The result is written at columns and
        // rows that are compared with its sizes. Loads of columns fill whole tiles, as is asserted of every tile.
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
                    m_tiles,
                    n_tiles,
                    splits,
                    ic,
                    packed.ic,
                    self.oc,
                    packed.oc,
                    batch,
                    ih,
                    iw,
                    oh,
                    ow,
                    self.kernel[0],
                    self.kernel[1],
                    stride[0],
                    stride[1],
                    padding[0],
                    padding[1],
                ),
                tile,
                pass == Pass::Adjoint,
                self.convolution.vectors_keep_to_images(),
            );
        }
        if splits > 1 {
            let pixels = oh * ow;
            join(target, output_scale, bias, &y, splits, self.oc, pixels);
        }
        y
    }
}
