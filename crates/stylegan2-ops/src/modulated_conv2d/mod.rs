mod extension;
#[cfg(test)]
mod tests;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use self::extension::{ModulatedConvolution, ModulatedConvolutionOps};
use crate::conv2d_resample::{UpsamplingConvolution, upsampling};
use crate::dtype::{to_f32, with_f32};
use crate::{Conv2d, Filter, upfirdn2d};

/// Options of [`modulated_conv2d`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModulatedConv2d {
    /// Integer upsampling factor.
    pub up: usize,
    /// Padding with respect to the upsampled image.
    pub padding: usize,
    /// Whether output feature maps are scaled to unit expected variance.
    pub demodulate: bool,
    /// `true` correlates with the weight (as PyTorch does), `false` convolves.
    pub flip_weight: bool,
}

/// Convolution whose weight is scaled per sample by a style, and optionally demodulated (Karras et al. 2020, equations
/// 1 and 3).
///
/// Shapes: `x` `[N, IC, IH, IW]`, `weight` `[OC, IC, KH, KW]`, `styles` `[N, IC]`, result `[N, OC, OH, OW]` with
/// `OH = IH up` for `padding = KH / 2`. Upsampling goes through a transposed convolution and `filter`, as the official
/// `conv2d_resample` does.
///
/// Differentiable in `x`, `weight` and `styles`; gradients of untracked tensors are not computed. Float types as in
/// [`conv2d`](crate::conv2d()).
///
/// Differs from the official `modulated_conv2d`, which makes a weight for every sample: one shared convolution, its
/// input scaled by the style and its output by `d = 1 / sqrt(sum over IC, KH, KW of (w s)^2 + 1e-8)`. The results
/// differ by rounding only.
///
/// # Panics
/// When the shapes do not fit each other or `up` is 0.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use stylegan2_ops::{Filter, ModulatedConv2d, modulated_conv2d};
///
/// let device = Device::flex();
/// let options = ModulatedConv2d { up: 1, padding: 0, demodulate: true, flip_weight: true };
/// let y = modulated_conv2d(
///     Tensor::from_floats([[[[5.0]], [[10.0]]]], &device),
///     Tensor::from_floats([[[[3.0]], [[4.0]]]], &device),
///     Tensor::from_floats([[1.0, 1.0]], &device),
///     &Filter::normalized_outer(&[1.0, 3.0, 3.0, 1.0]),
///     options,
/// );
/// // The weight (3, 4) is scaled to unit length.
/// assert!((y.into_scalar::<f32>() - 11.0).abs() < 1e-5);
/// ```
pub fn modulated_conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    styles: Tensor<2>,
    filter: &Filter,
    options: ModulatedConv2d,
) -> Tensor<4> {
    let ModulatedConv2d {
        up,
        padding,
        demodulate,
        flip_weight,
    } = options;
    let [batch, channels, height, width] = x.dims();
    let [_, input, kh, kw] = weight.dims();
    assert!(
        up > 0 && input == channels && styles.dims() == [batch, channels],
        "modulated_conv2d: a weight of {:?} and styles of {:?} do not fit an input of {:?} (upsampling factor {up})",
        weight.dims(),
        styles.dims(),
        x.dims()
    );
    let has_extent = kh > 1 || kw > 1;
    let (convolution, fir) = match (up, has_extent) {
        (1, _) => (
            Conv2d {
                padding: [padding; 2],
                ..Conv2d::default()
            },
            None,
        ),
        // A 1x1 convolution commutes with the filter, so it runs at the lower resolution.
        (_, false) => (Conv2d::default(), Some(upsampling(filter, up, padding))),
        (_, true) => {
            let UpsamplingConvolution { convolution, fir } =
                UpsamplingConvolution::new([kh, kw], filter, up, padding);
            (convolution, Some(fir))
        }
    };
    let transposed = up > 1 && has_extent;
    if transposed {
        convolution.transposed_output_size([height, width], [kh, kw]);
    } else {
        convolution.output_size([height, width], [kh, kw]);
    }
    let (weight, styles) = (to_f32(weight), to_f32(styles));
    let y = with_f32(x, |x| {
        Tensor::from_dispatch(Dispatch::modulated_convolution(
            x.into_dispatch(),
            weight.into_dispatch(),
            styles.into_dispatch(),
            ModulatedConvolution {
                convolution,
                transposed,
                // A transposed convolution flips by itself.
                flip: has_extent && flip_weight == transposed,
                demodulate,
            },
        ))
    });
    match fir {
        Some(fir) => upfirdn2d(y, filter, &fir),
        None => y,
    }
}
