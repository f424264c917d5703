//! Bias, activation, gain and clamp in one pass over the memory.

mod backend;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod cube;
#[cfg(feature = "cpu")]
mod flex;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use self::backend::{BiasActOps, Pointwise};
use crate::Activation;
use crate::dtype::with_f32;

/// Options of [`bias_act`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BiasAct {
    /// The activation.
    pub activation: Activation,
    /// Slope of the negative side; `None` takes the activation's own.
    pub alpha: Option<f32>,
    /// Factor on the activation's result; `None` takes the activation's own.
    pub gain: Option<f32>,
    /// Clamps the result to `[-clamp, clamp]`, after the gain.
    pub clamp: Option<f32>,
}

/// Adds `bias` along dimension 1, applies the activation, scales by the gain and clamps.
///
/// Shapes: `x` `[batch, channels, ...]`, `bias` `[channels]`, the result as `x`. Follows the official
/// `torch_utils/ops/bias_act.py`. Differentiable in `x` and `bias`. Computed in `f32`; other float types are cast there
/// and back.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use stylegan2_ops::{Activation, BiasAct, bias_act};
///
/// let device = Device::flex();
/// let x = Tensor::<2>::from_data([[1.0, -2.0]], &device);
/// let bias = Tensor::<1>::from_data([1.0, 1.0], &device);
/// let relu = BiasAct { activation: Activation::Relu, gain: Some(1.0), ..BiasAct::default() };
/// let y = bias_act(x, Some(bias), relu);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [2.0, 0.0]);
/// ```
///
/// # Panics
/// When `D` is less than 2, the bias does not have `channels` elements, or the clamp is negative or not a number.
pub fn bias_act<const D: usize>(
    x: Tensor<D>,
    bias: Option<Tensor<1>>,
    options: BiasAct,
) -> Tensor<D> {
    assert!(
        D >= 2,
        "bias_act: expected x [batch, channels, ...], found {D} dimension(s)"
    );
    let dims = x.dims();
    if let Some(bias) = &bias {
        assert!(
            bias.dims() == [dims[1]],
            "bias_act: expected a bias of {} channels, found {}",
            dims[1],
            bias.dims()[0]
        );
    }
    if let Some(clamp) = options.clamp {
        assert!(
            clamp >= 0.0,
            "bias_act: expected a clamp of at least 0, found {clamp}"
        );
    }
    let pointwise = Pointwise {
        activation: options.activation,
        alpha: options.alpha.unwrap_or(options.activation.default_alpha()),
        gain: options.gain.unwrap_or(options.activation.default_gain()),
        clamp: options.clamp,
    };
    if dims.contains(&0) || (bias.is_none() && pointwise.is_identity()) {
        return x;
    }
    with_f32(x, |x| {
        let x = x.into_dispatch();
        Tensor::from_dispatch(match bias {
            Some(bias) => Dispatch::bias_act(
                x,
                bias.cast(burn::tensor::DType::F32).into_dispatch(),
                pointwise,
            ),
            None => Dispatch::activate(x, pointwise),
        })
    })
}
