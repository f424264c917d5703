use super::geometry::Geometry;

/// A weight where it lies: any strides, also negative ones, and an element for offset zero.
#[derive(Clone, Copy, Debug)]
pub struct WeightView<'a> {
    /// Storage.
    pub values: &'a [f32],
    /// Element of group 0, row 0, channel 0, kernel position (0, 0).
    pub offset: usize,
    /// From one group to the next.
    pub group: isize,
    /// From one output channel to the next.
    pub row: isize,
    /// From one input channel to the next.
    pub channel: isize,
    /// From one kernel row and column to the next.
    pub kernel: [isize; 2],
}

/// What a correlation reads.
#[derive(Clone, Copy, Debug)]
pub struct Operands<'a> {
    /// Images, `[batch, groups channels, height, width]`, dense.
    pub x: &'a [f32],
    /// Weights of `groups` groups of `rows` output and `channels` input channels.
    pub weight: WeightView<'a>,
    /// Factor on each input plane, `[batch, groups channels]`.
    pub input_scale: Option<&'a [f32]>,
    /// Factor on each output plane, `[batch, groups rows]`.
    pub output_scale: Option<&'a [f32]>,
    /// Added to each output channel after the factor, `[groups rows]`.
    pub bias: Option<&'a [f32]>,
    /// Images.
    pub batch: usize,
    /// Channel groups.
    pub groups: usize,
    /// Input channels of a group.
    pub channels: usize,
    /// Output channels of a group.
    pub rows: usize,
    /// Sizes of planes and kernel.
    pub geometry: Geometry,
}

impl Operands<'_> {
    /// What the correlation of one image reads.
    pub(super) fn image(&self, image: usize) -> Self {
        fn part(values: &[f32], image: usize, batch: usize) -> &[f32] {
            let each = values.len() / batch;
            &values[image * each..][..each]
        }
        let part = |values| part(values, image, self.batch);
        Self {
            x: part(self.x),
            input_scale: self.input_scale.map(part),
            output_scale: self.output_scale.map(part),
            batch: 1,
            ..*self
        }
    }

    /// Elements of the output.
    pub(super) fn outputs(&self) -> usize {
        let [height, width] = self.geometry.output;
        product([self.batch, self.groups, self.rows, height, width])
    }

    /// The kernels read and write through pointers, so every size is compared with its storage here.
    pub(super) fn check(&self, out: usize) {
        self.geometry.check();
        let [height, width] = self.geometry.input;
        let planes_in = product([self.batch, self.groups, self.channels]);
        let planes_out = product([self.batch, self.groups, self.rows]);
        assert_eq!(
            self.x.len(),
            product([planes_in, height, width]),
            "input elements"
        );
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
            self.bias.is_none_or(|b| b.len() == self.groups * self.rows),
            "biases"
        );
        let weight = &self.weight;
        let (mut least, mut most) = (weight.offset as isize, weight.offset as isize);
        for (stride, count) in [
            (weight.group, self.groups),
            (weight.row, self.rows),
            (weight.channel, self.channels),
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
