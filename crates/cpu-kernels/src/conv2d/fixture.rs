use std::mem::MaybeUninit;

use testkit::seeded;

use super::operands::{Operands, WeightView};
use super::plan::{Extent, Plan};
use crate::Conv2d;

/// A correlation of seeded values with all that it may have: factors of input and output planes, and biases.
pub(super) struct Case {
    plan: Plan,
    extent: Extent,
    batch: usize,
    groups: usize,
    channels: usize,
    rows: usize,
    /// `[groups, rows, channels, kernel height, kernel width]`.
    weight: Vec<f32>,
    x: Vec<f32>,
    input_scale: Vec<f32>,
    output_scale: Vec<f32>,
    bias: Vec<f32>,
    has_factors: bool,
}

impl Case {
    /// Batch, groups, channels and rows of a group, height and width of the input.
    pub fn convolution(shape: [usize; 6], kernel: [usize; 2], options: Conv2d) -> Self {
        let input = [shape[4], shape[5]];
        let extent = Extent {
            input,
            kernel,
            output: options.output_size(input, kernel),
        };
        Self::new(shape, extent, Plan::convolution(extent, options))
    }

    /// The adjoint of a convolution, with the same meaning of `shape`; `more` rows and columns that no input reaches.
    pub fn adjoint(
        shape: [usize; 6],
        kernel: [usize; 2],
        options: Conv2d,
        more: [usize; 2],
    ) -> Self {
        let input = [shape[4], shape[5]];
        let reached = options.transposed_output_size(input, kernel);
        let extent = Extent {
            input,
            kernel,
            output: [reached[0] + more[0], reached[1] + more[1]],
        };
        Self::new(shape, extent, Plan::adjoint(extent, options))
    }

    fn new(
        [batch, groups, channels, rows, height, width]: [usize; 6],
        extent: Extent,
        plan: Plan,
    ) -> Self {
        let area = extent.kernel[0] * extent.kernel[1];
        Self {
            plan,
            extent,
            batch,
            groups,
            channels,
            rows,
            weight: seeded("weight", groups * rows * channels * area, 1.0),
            x: seeded("x", batch * groups * channels * height * width, 1.0),
            input_scale: seeded("input", batch * groups * channels, 1.0),
            output_scale: seeded("output", batch * groups * rows, 1.0),
            bias: seeded("bias", groups * rows, 1.0),
            has_factors: true,
        }
    }

    /// Without factors and biases.
    pub fn bare(self) -> Self {
        Self {
            has_factors: false,
            ..self
        }
    }

    /// One of its images.
    pub fn image(&self, image: usize) -> Self {
        let part = |values: &[f32]| {
            let each = values.len() / self.batch;
            values[image * each..][..each].to_vec()
        };
        Self {
            plan: self.plan.clone(),
            batch: 1,
            weight: self.weight.clone(),
            x: part(&self.x),
            input_scale: part(&self.input_scale),
            output_scale: part(&self.output_scale),
            bias: self.bias.clone(),
            ..*self
        }
    }

    /// The outputs, all of which `correlate` writes.
    pub fn run(
        &self,
        correlate: impl FnOnce(&Plan, &Operands<'_>, &mut [MaybeUninit<f32>]),
    ) -> Vec<f32> {
        let [kernel_height, kernel_width] = self.extent.kernel;
        let area = kernel_height * kernel_width;
        let operands = Operands {
            x: &self.x,
            weight: WeightView {
                values: &self.weight,
                offset: 0,
                group: (self.rows * self.channels * area) as isize,
                row: (self.channels * area) as isize,
                channel: area as isize,
                kernel: [kernel_width as isize, 1],
            },
            input_scale: self.has_factors.then_some(&self.input_scale),
            output_scale: self.has_factors.then_some(&self.output_scale),
            bias: self.has_factors.then_some(&self.bias),
            batch: self.batch,
            groups: self.groups,
            channels: self.channels,
            rows: self.rows,
            extent: self.extent,
        };
        let [height, width] = self.extent.output;
        let mut out =
            vec![MaybeUninit::new(f32::NAN); self.batch * self.groups * self.rows * height * width];
        correlate(&self.plan, &operands, &mut out);
        // SAFETY: every element was initialised, if only to NaN.
        out.into_iter()
            .map(|value| unsafe { value.assume_init() })
            .collect()
    }
}
