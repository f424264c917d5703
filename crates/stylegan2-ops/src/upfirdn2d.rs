//! Upsampling, FIR filtering and downsampling of images in one operation.

mod backend;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod cube;
#[cfg(feature = "cpu")]
mod flex;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use self::backend::UpFirDn2dOps;
use crate::Filter;
use crate::conv2d_resample::{downsampling_padding, upsampling};
use crate::dtype::with_f32;

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

    /// The transposed operation for inputs of `shape`: it takes gradients of the result to gradients of the input.
    ///
    /// Filtering the other way with the factors swapped; the padding makes its result as large as the input. As in the
    /// official backward pass.
    fn adjoint(&self, shape: [usize; 4], filter: &Filter) -> Self {
        let out_shape = self.output_shape(shape, filter);
        let padding = |axis: usize, taps: usize, before: isize| {
            let (up, down) = (self.up[axis] as isize, self.down[axis] as isize);
            let (input, output) = (shape[2 + axis] as isize, out_shape[2 + axis] as isize);
            [
                taps as isize - before - 1,
                input * up - output * down + before - up + 1,
            ]
        };
        let [left, _, top, _] = self.padding;
        let [top, bottom] = padding(0, filter.height(), top);
        let [left, right] = padding(1, filter.width(), left);
        Self {
            up: self.down,
            down: self.up,
            padding: [left, right, top, bottom],
            flip_filter: !self.flip_filter,
            gain: self.gain,
        }
    }
}

/// Pads, upsamples by inserting zeros, filters and downsamples a batch of images, channel by channel.
///
/// Shapes: `x` `[batch, channels, height, width]`; the result as [`UpFirDn2d::output_shape`] says. Follows `upfirdn2d`
/// of the official `torch_utils/ops/upfirdn2d.py`. Differentiable in `x`. Computed in `f32`; other float types are cast
/// there and back.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use stylegan2_ops::{Filter, UpFirDn2d, upfirdn2d};
///
/// let x = Tensor::<4>::from_data([[[[1.0, 2.0, 4.0]]]], &Device::flex());
/// let sums = UpFirDn2d { padding: [1, 0, 0, 0], ..UpFirDn2d::default() };
/// let y = upfirdn2d(x, &Filter::new(1, 2, vec![1.0, 1.0]), &sums);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [1.0, 3.0, 6.0]);
/// ```
///
/// # Panics
/// When a factor is zero, the images have no pixels, or the padded, upsampled image is smaller than the filter.
pub fn upfirdn2d(x: Tensor<4>, filter: &Filter, parameters: &UpFirDn2d) -> Tensor<4> {
    let out_shape = parameters.output_shape(x.dims(), filter);
    let [_, _, height, width] = x.dims();
    assert!(
        height > 0 && width > 0,
        "upfirdn2d: expected images of at least one pixel, found {height}x{width}"
    );
    if out_shape.contains(&0) {
        return Tensor::zeros(out_shape, (&x.device(), x.dtype()));
    }
    with_f32(x, |x| {
        Tensor::from_dispatch(Dispatch::upfirdn2d(
            x.into_dispatch(),
            filter.clone(),
            *parameters,
        ))
    })
}

/// Taps in the order in which they meet the pixels, times the gain; `flip_filter` means that they are in it already.
#[cfg(any(feature = "cpu", feature = "wgpu", feature = "cuda"))]
fn correlation_taps(taps: &[f32], flip_filter: bool, gain: f32) -> Vec<f32> {
    let scaled = taps.iter().map(|tap| tap * gain);
    if flip_filter {
        scaled.collect()
    } else {
        scaled.rev().collect()
    }
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
    upfirdn2d(x, filter, &upsampling(filter, factor, 0))
}

/// Downsamples by `factor` with the filter, as the official `downsample2d`.
pub fn downsample2d(x: Tensor<4>, filter: &Filter, factor: usize) -> Tensor<4> {
    let padding = downsampling_padding(filter, factor, 0);
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
