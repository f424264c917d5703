use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use super::{plain, value_with_gradient_of};
use crate::{NoiseMode, SynthesisNetwork};

/// The running mean of path lengths that the penalty pulls to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathLengthMean {
    /// The mean so far; training starts at 0.
    pub value: f32,
    /// Weight of a batch's mean in the next value, 0.01 in the official loss; 0 keeps the value fixed.
    pub decay: f32,
}

impl Default for PathLengthMean {
    /// The official start: mean 0, decay 0.01.
    fn default() -> Self {
        Self {
            value: 0.0,
            decay: 0.01,
        }
    }
}

/// The result of [`path_length_penalty`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PathLengthPenalty {
    /// Length of every image, `[batch]`; on the plain device.
    pub lengths: Tensor<1>,
    /// `mean((length - a)²)`, `[1]`, whose backward pass gives its gradient in the synthesis network's weights and in
    /// `w_plus`.
    pub mean: Tensor<1>,
    /// The running mean after this batch: the `a` of the penalty.
    pub running_mean: PathLengthMean,
}

/// The path length penalty of generated images (Karras et al. 2020, equation 4), exact, with a gradient in weights and
/// latents.
///
/// A length is `(mean over layers of |d <g(w), y> / dw|²)^(1/2)`. `w_plus` `[batch, num_ws, w_dim]` may carry a history
/// (of the mapping network), `y` `[batch, img_channels, img_resolution, img_resolution]` are standard normal numbers
/// divided by the image side. The network must be on an autodiff device. `noise` must give the same images at every
/// call, as all modes do.
///
/// As in the official loss, `a` is the running mean *after* this batch moved it, so that a little of the gradient flows
/// through it; the official loss is 2 times [`PathLengthPenalty::mean`]. The [module
/// documentation](crate::regularization) derives how it is computed.
///
/// # Panics
/// When the network is on a plain device, `y` has another shape than the images, and as [`SynthesisNetwork::forward`].
pub fn path_length_penalty(
    synthesis: &SynthesisNetwork,
    w_plus: Tensor<3>,
    noise: &NoiseMode,
    y: Tensor<4>,
    running_mean: PathLengthMean,
) -> PathLengthPenalty {
    let y = plain(y);
    let [batch, layers, _] = w_plus.dims();

    // On the plain device the weights are constants, so that this backward pass computes no gradients of weights.
    let latents = Tensor::from_inner(plain(w_plus.clone())).require_grad();
    let image = synthesis.valid().forward(latents.clone(), noise);
    assert_eq!(
        image.dims(),
        y.dims(),
        "path_length_penalty expects noise of the images' shape"
    );
    let gradients = (image * y.clone()).sum().backward();
    let u = latents
        .grad(&gradients)
        .expect("images depend on their latents");
    let mean_square: Tensor<1> = (u.clone() * u.clone())
        .sum_dim(2)
        .mean_dim(1)
        .reshape([batch]);
    let lengths = mean_square.sqrt();

    let values: Vec<f32> = lengths.to_data().iter::<f32>().collect();
    let penalty = Penalty::new(&values, running_mean);
    // A length of 0 has no derivative; 0 is its smallest subgradient.
    let factors: Vec<f32> = values
        .iter()
        .zip(&penalty.slopes)
        .map(|(length, slope)| {
            if *length > 0.0 {
                slope / (layers as f32 * length)
            } else {
                0.0
            }
        })
        .collect();
    let factors = Tensor::from_data(TensorData::new(factors, [batch, 1, 1]), &u.device());
    let (_, tangent) = synthesis.forward_tangent(w_plus, u * factors, noise);
    assert!(
        tangent.is_autodiff(),
        "path_length_penalty expects a synthesis network on an autodiff device, found a plain one"
    );
    let surrogate = (tangent * y).sum();
    let value = surrogate.clone().detach().full_like(penalty.value);
    PathLengthPenalty {
        lengths,
        mean: value_with_gradient_of(value, surrogate),
        running_mean: penalty.running_mean,
    }
}

/// `P = mean((l - a)²)` with `a = a0 + decay (mean(l) - a0)`, and its derivatives in the lengths.
struct Penalty {
    value: f32,
    /// `dP/dl_k = 2/N (l_k - a) - 2 decay/N mean(l - a)`, as `a` moves by `decay / N` with every length.
    slopes: Vec<f32>,
    running_mean: PathLengthMean,
}

impl Penalty {
    fn new(lengths: &[f32], before: PathLengthMean) -> Self {
        let count = lengths.len() as f32;
        let mean = lengths.iter().sum::<f32>() / count;
        let target = before.value + before.decay * (mean - before.value);
        let deviation = mean - target;
        Self {
            value: lengths.iter().map(|l| (l - target).powi(2)).sum::<f32>() / count,
            slopes: lengths
                .iter()
                .map(|l| 2.0 / count * ((l - target) - before.decay * deviation))
                .collect(),
            running_mean: PathLengthMean {
                value: target,
                ..before
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_the_derivatives_of_the_penalty_with_its_moving_target() {
        let before = PathLengthMean {
            value: 0.7,
            decay: 0.25,
        };
        let lengths = [0.5, 1.5, 3.0];
        let penalty = Penalty::new(&lengths, before);
        // A step of 2^-6 in a quadratic function: central differences are exact but for rounding.
        let step = 1.0 / 64.0;
        for index in 0..lengths.len() {
            let at = |offset: f32| {
                let mut moved = lengths;
                moved[index] += offset;
                Penalty::new(&moved, before).value
            };
            let numeric = (at(step) - at(-step)) / (2.0 * step);
            // f32 rounding of values near 1, divided by the step.
            assert!((numeric - penalty.slopes[index]).abs() < 1e-5);
        }
    }

    #[test]
    fn a_fixed_target_does_not_move() {
        let fixed = PathLengthMean {
            value: 1.0,
            decay: 0.0,
        };
        let penalty = Penalty::new(&[2.0, 4.0], fixed);
        assert_eq!(penalty.running_mean, fixed);
        // ((2 - 1)² + (4 - 1)²) / 2, and 2/2 times each distance.
        assert_eq!(penalty.value, 5.0);
        assert_eq!(penalty.slopes, [1.0, 3.0]);
    }
}
