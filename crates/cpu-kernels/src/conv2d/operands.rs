use super::plan::Extent;

/// A weight where it lies: any strides, also negative ones, and an element for offset zero.
#[derive(Clone, Copy, Debug)]
pub(in crate::conv2d) struct WeightView<'a> {
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
pub(in crate::conv2d) struct Operands<'a> {
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
    pub extent: Extent,
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

    /// The kernels read and write through pointers, so every extent is compared with its storage here.
    pub(super) fn check(&self, out: usize) {
        let planes_in = self.batch * self.groups * self.channels;
        let planes_out = self.batch * self.groups * self.rows;
        let area = |[height, width]: [usize; 2]| height * width;
        assert_eq!(
            self.x.len(),
            planes_in * area(self.extent.input),
            "input elements"
        );
        assert_eq!(
            out,
            planes_out * area(self.extent.output),
            "output elements"
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
            (weight.kernel[0], self.extent.kernel[0]),
            (weight.kernel[1], self.extent.kernel[1]),
        ] {
            let reach = stride * (count as isize - 1);
            least += reach.min(0);
            most += reach.max(0);
        }
        assert!(
            least >= 0 && (most as usize) < weight.values.len(),
            "weights at {least}..={most} of {}",
            weight.values.len()
        );
    }
}
