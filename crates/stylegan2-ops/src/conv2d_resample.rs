use burn::tensor::Tensor;

use crate::{Conv2d, Filter, UpFirDn2d, conv_transpose2d, conv2d, upfirdn2d};

/// Options of [`conv2d_resample`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dResample {
    /// Integer upsampling factor.
    pub up: usize,
    /// Integer downsampling factor.
    pub down: usize,
    /// Padding with respect to the upsampled image.
    pub padding: usize,
    /// `true` correlates with the weight (as PyTorch does), `false` convolves.
    pub flip_weight: bool,
}

impl Default for Conv2dResample {
    fn default() -> Self {
        Self {
            up: 1,
            down: 1,
            padding: 0,
            flip_weight: true,
        }
    }
}

/// Convolution with optional up- or downsampling through a FIR filter.
///
/// Shapes: `x` `[N, IC, IH, IW]`, `weight` `[OC, IC, KH, KW]`, result `[N, OC, IH up / down, IW up / down]` for
/// `padding = KH / 2`. Follows the official `torch_utils/ops/conv2d_resample.py` (without groups).
///
/// # Panics
/// When both factors are above 1 (no official network does that) or a factor is 0.
pub fn conv2d_resample(
    x: Tensor<4>,
    weight: Tensor<4>,
    filter: &Filter,
    options: Conv2dResample,
) -> Tensor<4> {
    let Conv2dResample {
        up,
        down,
        padding,
        flip_weight,
    } = options;
    assert!(
        up >= 1 && down >= 1 && (up == 1 || down == 1),
        "conv2d_resample expects factors of at least 1, one of which is 1; found up {up} and down {down}"
    );
    let [_, _, kh, kw] = weight.dims();
    let flipped = |weight: Tensor<4>| {
        if kh > 1 || kw > 1 {
            weight.flip([2, 3])
        } else {
            weight
        }
    };
    if up > 1 {
        if kh == 1 && kw == 1 {
            // A 1x1 convolution commutes with the filter, so it runs at the lower resolution.
            let y = conv2d(x, weight, None, Conv2d::default());
            return upfirdn2d(y, filter, &upsampling(filter, up, padding));
        }
        let weight = if flip_weight { flipped(weight) } else { weight };
        let UpsamplingConvolution { convolution, fir } =
            UpsamplingConvolution::new([kh, kw], filter, up, padding);
        let y = conv_transpose2d(x, weight.swap_dims(0, 1), convolution);
        return upfirdn2d(y, filter, &fir);
    }

    let weight = if flip_weight { weight } else { flipped(weight) };
    if down > 1 {
        let padding = downsampling_padding(filter, down, padding);
        if kh == 1 && kw == 1 {
            let y = upfirdn2d(
                x,
                filter,
                &UpFirDn2d {
                    down: [down; 2],
                    padding,
                    ..UpFirDn2d::default()
                },
            );
            return conv2d(y, weight, None, Conv2d::default());
        }
        let y = upfirdn2d(
            x,
            filter,
            &UpFirDn2d {
                padding,
                ..UpFirDn2d::default()
            },
        );
        return conv2d(
            y,
            weight,
            None,
            Conv2d {
                stride: [down; 2],
                ..Conv2d::default()
            },
        );
    }
    conv2d(
        x,
        weight,
        None,
        Conv2d {
            padding: [padding; 2],
            ..Conv2d::default()
        },
    )
}

/// Padding `[left, right, top, bottom]` before the filter of a downsampling layer, for an image padded by `padding`.
pub(crate) fn downsampling_padding(filter: &Filter, down: usize, padding: usize) -> [isize; 4] {
    let (fh, fw) = (filter.height() as isize, filter.width() as isize);
    let (pad, factor) = (padding as isize, down as isize);
    // Rounded down, as in `upsampling`.
    [
        pad + (fw - factor + 1).div_euclid(2),
        pad + (fw - factor).div_euclid(2),
        pad + (fh - factor + 1).div_euclid(2),
        pad + (fh - factor).div_euclid(2),
    ]
}

/// Zero insertion and filter of an upsampling layer, with respect to the upsampled image padded by `padding`.
pub(crate) fn upsampling(filter: &Filter, up: usize, padding: usize) -> UpFirDn2d {
    let (fh, fw) = (filter.height() as isize, filter.width() as isize);
    let (pad, factor) = (padding as isize, up as isize);
    UpFirDn2d {
        up: [up; 2],
        // Rounded down, as Python's division does: a filter shorter than the factor has a negative numerator.
        padding: [
            pad + (fw + factor - 1).div_euclid(2),
            pad + (fw - factor).div_euclid(2),
            pad + (fh + factor - 1).div_euclid(2),
            pad + (fh - factor).div_euclid(2),
        ],
        // Makes up for the inserted zeros.
        gain: (up * up) as f32,
        ..UpFirDn2d::default()
    }
}

/// A transposed convolution followed by a filter: the same as zero insertion, filter and convolution with the flipped
/// kernel.
pub(crate) struct UpsamplingConvolution {
    pub convolution: Conv2d,
    pub fir: UpFirDn2d,
}

impl UpsamplingConvolution {
    pub fn new(
        [kernel_height, kernel_width]: [usize; 2],
        filter: &Filter,
        up: usize,
        padding: usize,
    ) -> Self {
        let fir = upsampling(filter, up, padding);
        let [left, right, top, bottom] = fir.padding;
        // The transposed convolution has already grown the image by its kernel.
        let (kh, kw, factor) = (kernel_height as isize, kernel_width as isize, up as isize);
        let [left, right] = [left - (kw - 1), right - (kw - factor)];
        let [top, bottom] = [top - (kh - 1), bottom - (kh - factor)];
        // What would be cropped on both sides need not be computed.
        let crop_x = (-left).min(-right).max(0);
        let crop_y = (-top).min(-bottom).max(0);
        Self {
            convolution: Conv2d {
                stride: [up; 2],
                padding: [crop_y as usize, crop_x as usize],
                groups: 1,
            },
            fir: UpFirDn2d {
                up: [1, 1],
                padding: [left + crop_x, right + crop_x, top + crop_y, bottom + crop_y],
                ..fir
            },
        }
    }
}
