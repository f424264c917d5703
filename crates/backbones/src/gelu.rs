//! Gaussian error linear units from primitives: Burn's own has an inexact gradient on wgpu and CUDA.

use std::f64::consts::SQRT_2;

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

/// Slope of the sigmoid that OpenAI's CLIP networks were trained with.
const QUICK_SLOPE: f32 = 1.702;

/// The activation between the two layers of a transformer's perceptron.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gelu {
    /// `x Φ(x)` with the normal distribution's Φ (Hendrycks and Gimpel, 2016).
    Exact,
    /// `x sigmoid(1.702 x)`, its approximation in OpenAI's CLIP.
    Quick,
}

impl Gelu {
    pub fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        let gate = match self {
            Self::Exact => (x.clone() / SQRT_2).erf() * 0.5 + 0.5,
            Self::Quick => sigmoid(x.clone() * QUICK_SLOPE),
        };
        x * gate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // x, x Φ(x) and x / (1 + exp(-1.702 x)) to 7 digits.
        let known = [
            [-2.0f32, -0.045_500_264, -0.064_341_38],
            [0.0, 0.0, 0.0],
            [0.5, 0.345_731_23, 0.350_388_44],
            [1.0, 0.841_344_8, 0.845_795_75],
        ];
        for (name, device) in testkit::devices() {
            let x = Tensor::<1>::from_floats(known.map(|row| row[0]), &device);
            for (column, gelu) in [(1, Gelu::Exact), (2, Gelu::Quick)] {
                let found: Vec<f32> = gelu
                    .apply(x.clone())
                    .into_data()
                    .try_to_vec()
                    .expect("f32 throughout");
                // A few roundings, and an approximated erf on some devices.
                let expected = known.map(|row| row[column]);
                testkit::assert_close(&format!("{gelu:?} on {name}"), &found, &expected, 1e-6);
            }
        }
    }

    #[test]
    fn gradients_agree_with_differences() {
        let x = testkit::seeded("gelu/x", 64, 1.5);
        for (name, device) in testkit::devices() {
            for gelu in [Gelu::Exact, Gelu::Quick] {
                let what = format!("{gelu:?} on {name}");
                // Third derivatives near 1 times a step of 1e-2 squared, and rounding of the sum over the step.
                testkit::assert_gradient(&what, &device, [64], &x, 1e-2, 1e-3, |x| {
                    gelu.apply(x).powf_scalar(2.0).sum()
                });
            }
        }
    }
}
