use burn::tensor::Tensor;
use burn::tensor::ops::PadMode;

use crate::Filter;

/// Parameters of [`upfirdn2d`]; the order of `padding` is the official one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpFirDn2d {
    /// Upsampling factors `[y, x]`.
    pub up: [usize; 2],
    /// Downsampling factors `[y, x]`.
    pub down: [usize; 2],
    /// Padding of the upsampled image, `[left, right, top, bottom]`; negative crops.
    pub padding: [isize; 4],
    /// `true` correlates, `false` (the official default) convolves.
    pub flip_filter: bool,
    /// Factor on the output.
    pub gain: f32,
}

impl Default for UpFirDn2d {
    fn default() -> Self {
        Self {
            up: [1, 1],
            down: [1, 1],
            padding: [0; 4],
            flip_filter: false,
            gain: 1.0,
        }
    }
}

impl UpFirDn2d {
    /// Shape of the result for an input of `shape` `[batch, channels, height, width]`.
    ///
    /// # Panics
    /// When a factor is zero or the padded, upsampled image is smaller than the filter.
    pub fn output_shape(&self, shape: [usize; 4], filter: &Filter) -> [usize; 4] {
        let [batch, channels, height, width] = shape;
        let [left, right, top, bottom] = self.padding;
        let size = |axis: &str,
                    length: usize,
                    up: usize,
                    down: usize,
                    before: isize,
                    after: isize,
                    taps: usize| {
            assert!(
                up > 0 && down > 0,
                "upfirdn2d: factors must be at least 1, found up {up}, down {down} along {axis}"
            );
            let padded = (length * up) as isize + before + after;
            assert!(
                padded >= taps as isize,
                "upfirdn2d: the filter has {taps} taps along {axis}, but the padded image only {padded} pixels"
            );
            (padded as usize - taps) / down + 1
        };
        [
            batch,
            channels,
            size(
                "y",
                height,
                self.up[0],
                self.down[0],
                top,
                bottom,
                filter.height(),
            ),
            size(
                "x",
                width,
                self.up[1],
                self.down[1],
                left,
                right,
                filter.width(),
            ),
        ]
    }
}

/// Pads, upsamples by inserting zeros, filters and downsamples a batch of images, channel by channel.
///
/// Shapes: `x` `[batch, channels, height, width]`; the result as [`UpFirDn2d::output_shape`] says. Follows `upfirdn2d` of the official
/// `torch_utils/ops/upfirdn2d.py`. Differentiable in `x`.
///
/// # Panics
/// When a factor is zero or the padded, upsampled image is smaller than the filter.
pub fn upfirdn2d(x: Tensor<4>, filter: &Filter, parameters: &UpFirDn2d) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let [_, _, out_height, out_width] = parameters.output_shape(x.dims(), filter);
    let [up_y, up_x] = parameters.up;
    let [down_y, down_x] = parameters.down;
    let [left, right, top, bottom] = parameters.padding;
    let x: Tensor<6> = x.reshape([batch, channels, height, 1, width, 1]);
    let x: Tensor<6> = x.pad(
        [(0, up_y - 1), (0, 0), (0, up_x - 1)],
        PadMode::Constant(0.0),
    );
    let x: Tensor<4> = x.reshape([batch, channels, height * up_y, width * up_x]);
    let positive = |p: isize| p.max(0) as usize;
    let cropped = |p: isize| (-p).max(0) as usize;
    let x = x.pad(
        [
            (positive(top), positive(bottom)),
            (positive(left), positive(right)),
        ],
        PadMode::Constant(0.0),
    );
    let [_, _, padded_height, padded_width] = x.dims();
    let x = x.slice([
        0..batch,
        0..channels,
        cropped(top)..padded_height - cropped(bottom),
        cropped(left)..padded_width - cropped(right),
    ]);
    let mut sum: Option<Tensor<4>> = None;
    for tap_y in 0..filter.height() {
        for tap_x in 0..filter.width() {
            let index = if parameters.flip_filter {
                tap_y * filter.width() + tap_x
            } else {
                (filter.height() - 1 - tap_y) * filter.width() + (filter.width() - 1 - tap_x)
            };
            let tap = filter.taps()[index] * parameters.gain;
            let shifted = x.clone().slice([
                (0..batch).into(),
                (0..channels).into(),
                burn::tensor::s![tap_y..tap_y + (out_height - 1) * down_y + 1;down_y as isize],
                burn::tensor::s![tap_x..tap_x + (out_width - 1) * down_x + 1;down_x as isize],
            ]);
            let term = shifted.mul_scalar(tap);
            sum = Some(match sum {
                Some(sum) => sum + term,
                None => term,
            });
        }
    }
    sum.expect("a filter has at least one tap")
}

/// Filters without changing the resolution, as the official `filter2d` with `padding` 0 and an added gain.
pub fn filter2d(x: Tensor<4>, filter: &Filter, gain: f32) -> Tensor<4> {
    let (fw, fh) = (filter.width() as isize, filter.height() as isize);
    let padding = [fw / 2, (fw - 1) / 2, fh / 2, (fh - 1) / 2];
    upfirdn2d(
        x,
        filter,
        &UpFirDn2d {
            padding,
            gain,
            ..UpFirDn2d::default()
        },
    )
}

/// Upsamples by `factor` with the filter, as the official `upsample2d` (the gain makes up for the inserted zeros).
pub fn upsample2d(x: Tensor<4>, filter: &Filter, factor: usize) -> Tensor<4> {
    let (fw, fh, up) = (
        filter.width() as isize,
        filter.height() as isize,
        factor as isize,
    );
    let padding = [
        (fw + up - 1) / 2,
        (fw - up) / 2,
        (fh + up - 1) / 2,
        (fh - up) / 2,
    ];
    let gain = (factor * factor) as f32;
    upfirdn2d(
        x,
        filter,
        &UpFirDn2d {
            up: [factor; 2],
            padding,
            gain,
            ..UpFirDn2d::default()
        },
    )
}

/// Downsamples by `factor` with the filter, as the official `downsample2d`.
pub fn downsample2d(x: Tensor<4>, filter: &Filter, factor: usize) -> Tensor<4> {
    let (fw, fh, down) = (
        filter.width() as isize,
        filter.height() as isize,
        factor as isize,
    );
    let padding = [
        (fw - down + 1) / 2,
        (fw - down) / 2,
        (fh - down + 1) / 2,
        (fh - down) / 2,
    ];
    upfirdn2d(
        x,
        filter,
        &UpFirDn2d {
            down: [factor; 2],
            padding,
            ..UpFirDn2d::default()
        },
    )
}
