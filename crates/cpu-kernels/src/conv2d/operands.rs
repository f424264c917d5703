use std::ops::Range;

use super::geometry::Geometry;

/// A weight where it lies: any strides, also negative ones, and an element for offset zero.
#[derive(Clone, Copy, Debug)]
pub struct WeightView<'a> {
    /// Storage.
    pub values: &'a [f32],
    /// Element of group 0, output channel 0, input channel 0, kernel position (0, 0).
    pub offset: usize,
    /// From one group to the next.
    pub group: isize,
    /// From one output channel to the next.
    pub oc: isize,
    /// From one input channel to the next.
    pub ic: isize,
    /// From one kernel row and column to the next.
    pub kernel: [isize; 2],
}

/// What a correlation reads.
#[derive(Clone, Copy, Debug)]
pub struct Operands<'a> {
    /// Images, `[N, G IC, IH, IW]`, dense.
    pub x: &'a [f32],
    /// Weights of `groups` groups, `[G OC, IC, KH, KW]`.
    pub weight: WeightView<'a>,
    /// Factor on each input plane, `[N, G IC]`.
    pub input_scale: Option<&'a [f32]>,
    /// Factor on each output plane, `[N, G OC]`.
    pub output_scale: Option<&'a [f32]>,
    /// Added to each output channel after the factor, `[G OC]`.
    pub bias: Option<&'a [f32]>,
    /// Images.
    pub n: usize,
    /// Channel groups.
    pub groups: usize,
    /// Input channels of a group.
    pub ic: usize,
    /// Output channels of a group.
    pub oc: usize,
    /// Sizes of planes and kernel.
    pub geometry: Geometry,
}

impl Operands<'_> {
    /// What the correlation of one image reads.
    pub(super) fn image(&self, image: usize) -> Self {
        self.images(image..image + 1)
    }

    /// What the correlation of some images reads.
    pub(super) fn images(&self, images: Range<usize>) -> Self {
        fn part<'a>(values: &'a [f32], images: &Range<usize>, n: usize) -> &'a [f32] {
            let each = values.len() / n;
            &values[images.start * each..images.end * each]
        }
        let part = |values| part(values, &images, self.n);
        Self {
            x: part(self.x),
            input_scale: self.input_scale.map(part),
            output_scale: self.output_scale.map(part),
            n: images.len(),
            ..*self
        }
    }

    /// Elements of the output.
    pub(super) fn outputs(&self) -> usize {
        let [oh, ow] = self.geometry.output;
        product([self.n, self.groups, self.oc, oh, ow])
    }

    /// The kernels read and write through pointers, so every size is compared with its storage here.
    pub(super) fn check(&self, out: usize) {
        self.geometry.check();
        let [ih, iw] = self.geometry.input;
        let planes_in = product([self.n, self.groups, self.ic]);
        let planes_out = product([self.n, self.groups, self.oc]);
        assert_eq!(self.x.len(), product([planes_in, ih, iw]), "input elements");
        assert_eq!(out, self.outputs(), "output elements");
        assert!(
            planes_in > 0 && planes_out > 0,
            "at least one image, group and channel"
        );
        assert!(
            self.input_scale.is_none_or(|s| s.len() == planes_in),
            "input factors"
        );
        assert!(
            self.output_scale.is_none_or(|s| s.len() == planes_out),
            "output factors"
        );
        assert!(
            self.bias.is_none_or(|b| b.len() == self.groups * self.oc),
            "biases"
        );
        let weight = &self.weight;
        let (mut least, mut most) = (weight.offset as isize, weight.offset as isize);
        for (stride, count) in [
            (weight.group, self.groups),
            (weight.oc, self.oc),
            (weight.ic, self.ic),
            (weight.kernel[0], self.geometry.kernel[0]),
            (weight.kernel[1], self.geometry.kernel[1]),
        ] {
            let last = isize::try_from(count - 1).ok();
            let reach = last.and_then(|last| stride.checked_mul(last));
            let reach = reach.expect("weights that the address space holds");
            least = least.saturating_add(reach.min(0));
            most = most.saturating_add(reach.max(0));
        }
        assert!(
            least >= 0 && (most as usize) < weight.values.len(),
            "weights at {least}..={most} of {}",
            weight.values.len()
        );
    }
}

/// The product of sizes, which a wrapped one would pretend to be small.
pub(super) fn product<const D: usize>(sizes: [usize; D]) -> usize {
    let product = sizes
        .into_iter()
        .try_fold(1_usize, |product, size| product.checked_mul(size));
    product.expect("sizes that the address space holds")
}
