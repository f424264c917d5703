use std::mem::MaybeUninit;

use testkit::seeded;

use super::correlate::correlate_packed;
use super::geometry::Geometry;
use super::microkernel::Microkernels;
use super::operands::{Operands, WeightView};
use super::packed_weights::PackedWeights;
use super::plan::Plan;

/// How a kernel goes over an image, `[y, x]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub stride: [usize; 2],
    pub padding: [usize; 2],
}

impl Window {
    pub fn padded(padding: [usize; 2]) -> Self {
        Self {
            stride: [1, 1],
            padding,
        }
    }
}

/// A correlation of seeded values with all that it may have: factors of input and output planes, and biases.
pub(super) struct Case {
    plan: Plan,
    geometry: Geometry,
    n: usize,
    groups: usize,
    ic: usize,
    oc: usize,
    /// `[G, OC, IC, KH, KW]`.
    weight: Vec<f32>,
    x: Vec<f32>,
    input_scale: Vec<f32>,
    output_scale: Vec<f32>,
    bias: Vec<f32>,
    has_factors: bool,
}

impl Case {
    /// Batch, groups, channels and rows of a group, height and width of the input.
    pub fn convolution(shape: [usize; 6], kernel: [usize; 2], window: Window) -> Self {
        let Window { stride, padding } = window;
        let input = [shape[4], shape[5]];
        let geometry = Geometry {
            input,
            kernel,
            output: [0, 1]
                .map(|axis| (input[axis] + 2 * padding[axis] - kernel[axis]) / stride[axis] + 1),
            stride,
            padding,
        };
        Self::new(shape, geometry, Plan::convolution(geometry))
    }

    /// The adjoint of a convolution, with the same meaning of `shape`; `more` rows and columns that no input reaches.
    pub fn adjoint(
        shape: [usize; 6],
        kernel: [usize; 2],
        window: Window,
        more: [usize; 2],
    ) -> Self {
        let Window { stride, padding } = window;
        let input = [shape[4], shape[5]];
        let geometry = Geometry {
            input,
            kernel,
            output: [0, 1].map(|axis| {
                (input[axis] - 1) * stride[axis] + kernel[axis] + more[axis] - 2 * padding[axis]
            }),
            stride,
            padding,
        };
        Self::new(shape, geometry, Plan::adjoint(geometry))
    }

    fn new([n, groups, ic, oc, ih, iw]: [usize; 6], geometry: Geometry, plan: Plan) -> Self {
        let area = geometry.kernel[0] * geometry.kernel[1];
        Self {
            plan,
            geometry,
            n,
            groups,
            ic,
            oc,
            weight: seeded("weight", groups * oc * ic * area, 1.0),
            x: seeded("x", n * groups * ic * ih * iw, 1.0),
            input_scale: seeded("input", n * groups * ic, 1.0),
            output_scale: seeded("output", n * groups * oc, 1.0),
            bias: seeded("bias", groups * oc, 1.0),
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
            let each = values.len() / self.n;
            values[image * each..][..each].to_vec()
        };
        Self {
            plan: self.plan.clone(),
            n: 1,
            weight: self.weight.clone(),
            x: part(&self.x),
            input_scale: part(&self.input_scale),
            output_scale: part(&self.output_scale),
            bias: self.bias.clone(),
            ..*self
        }
    }

    /// The outputs by tiles along rows, with all products: what other forms are compared with.
    pub fn along_rows(&self, kernels: Microkernels) -> Vec<f32> {
        self.run(|plan, operands, out| {
            let weights = PackedWeights::none(plan);
            correlate_packed(kernels, plan, operands, &weights, out);
        })
    }

    /// The outputs, all of which `correlate` writes.
    pub fn run(
        &self,
        correlate: impl FnOnce(&Plan, &Operands<'_>, &mut [MaybeUninit<f32>]),
    ) -> Vec<f32> {
        let [kh, kw] = self.geometry.kernel;
        let area = kh * kw;
        let operands = Operands {
            x: &self.x,
            weight: WeightView {
                values: &self.weight,
                offset: 0,
                group: (self.oc * self.ic * area) as isize,
                oc: (self.ic * area) as isize,
                ic: area as isize,
                kernel: [kw as isize, 1],
            },
            input_scale: self.has_factors.then_some(&self.input_scale),
            output_scale: self.has_factors.then_some(&self.output_scale),
            bias: self.has_factors.then_some(&self.bias),
            n: self.n,
            groups: self.groups,
            ic: self.ic,
            oc: self.oc,
            geometry: self.geometry,
        };
        let [ih, iw] = self.geometry.output;
        let mut out = vec![MaybeUninit::new(f32::NAN); self.n * self.groups * self.oc * ih * iw];
        correlate(&self.plan, &operands, &mut out);
        // SAFETY: every element was initialized, if only to NaN.
        out.into_iter()
            .map(|value| unsafe { value.assume_init() })
            .collect()
    }
}
