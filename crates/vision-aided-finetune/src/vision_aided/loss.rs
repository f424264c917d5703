use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// Target of real images with label smoothing, as published.
const SMOOTHED_TARGET: f32 = 0.8;

/// What a head's logits cost: `[batch, height, width]` a level, `[batch, 1, 1]` for a level that is a vector.
///
/// Every loss is the spatial mean of each level, summed over the levels: one number an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VisionAidedLoss {
    /// `multilevel_sigmoid`: cross-entropy with targets 1 for real, 0 for generated, and 1 in the generator's loss.
    MultilevelSigmoid,
    /// `multilevel_sigmoid_s`: the same with 0.8 in the place of 1, in the generator's loss too.
    #[default]
    MultilevelSigmoidSmoothed,
    /// `multilevel_hinge`: `max(0, 1 - D)` for real, `max(0, 1 + D)` for generated images and `-D` in the generator's
    /// loss.
    MultilevelHinge,
}

impl VisionAidedLoss {
    /// What the head pays for the logits of real images, `[batch]`.
    pub fn real(self, logits: &[Tensor<3>]) -> Tensor<1> {
        sum_of_levels(logits, |x| match self.target() {
            Some(target) => cross_entropy(x, target),
            None => (x.neg() + 1.0).clamp_min(0.0),
        })
    }

    /// What the head pays for the logits of generated images, `[batch]`.
    pub fn fake(self, logits: &[Tensor<3>]) -> Tensor<1> {
        sum_of_levels(logits, |x| match self.target() {
            Some(_) => cross_entropy(x, 0.0),
            None => (x + 1.0).clamp_min(0.0),
        })
    }

    /// What the generator pays for the logits of its images, `[batch]`.
    pub fn generator(self, logits: &[Tensor<3>]) -> Tensor<1> {
        sum_of_levels(logits, |x| match self.target() {
            Some(target) => cross_entropy(x, target),
            None => x.neg(),
        })
    }

    fn target(self) -> Option<f32> {
        match self {
            Self::MultilevelSigmoid => Some(1.0),
            Self::MultilevelSigmoidSmoothed => Some(SMOOTHED_TARGET),
            Self::MultilevelHinge => None,
        }
    }
}

/// `softplus(x) - target x`: the binary cross-entropy of the logit `x`.
fn cross_entropy(x: Tensor<3>, target: f32) -> Tensor<3> {
    activation::log_sigmoid(x.clone().neg()).neg() - x.mul_scalar(target)
}

fn sum_of_levels(logits: &[Tensor<3>], loss: impl Fn(Tensor<3>) -> Tensor<3>) -> Tensor<1> {
    logits
        .iter()
        .map(|level| {
            let [batch, height, width] = level.dims();
            loss(level.clone())
                .reshape([batch, height * width])
                .mean_dim(1)
                .reshape([batch])
        })
        .reduce(|sum, level| sum + level)
        .expect("a head has at least one level")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(value: f32, device: &burn::tensor::Device) -> Tensor<3> {
        Tensor::full([2, 3, 3], value, device)
    }

    fn both(loss: Tensor<1>) -> [f32; 2] {
        let values: Vec<f32> = loss.into_data().iter::<f32>().collect();
        values.try_into().expect("two images")
    }

    #[test]
    fn undecided_logits_cost_the_logarithm_of_two_a_level() {
        for (_, device) in testkit::devices() {
            let logits = [level(0.0, &device), level(0.0, &device).narrow(1, 0, 1)];
            for loss in [
                VisionAidedLoss::MultilevelSigmoid,
                VisionAidedLoss::MultilevelSigmoidSmoothed,
            ] {
                for found in [
                    loss.real(&logits),
                    loss.fake(&logits),
                    loss.generator(&logits),
                ] {
                    for value in both(found) {
                        // A few roundings.
                        assert!((value - 2.0 * std::f32::consts::LN_2).abs() < 1e-6);
                    }
                }
            }
        }
    }

    #[test]
    fn hinge_is_zero_beyond_its_margin_but_the_generators_is_not() {
        for (_, device) in testkit::devices() {
            let hinge = VisionAidedLoss::MultilevelHinge;
            assert_eq!(both(hinge.real(&[level(2.0, &device)])), [0.0; 2]);
            assert_eq!(both(hinge.real(&[level(-1.0, &device)])), [2.0; 2]);
            assert_eq!(both(hinge.fake(&[level(-2.0, &device)])), [0.0; 2]);
            assert_eq!(both(hinge.fake(&[level(1.0, &device)])), [2.0; 2]);
            assert_eq!(both(hinge.generator(&[level(3.0, &device)])), [-3.0; 2]);
        }
    }

    #[test]
    fn smoothing_makes_certainty_expensive() {
        for (_, device) in testkit::devices() {
            let [certain, fair] = [20.0, (0.8f32 / 0.2).ln()].map(|x| {
                both(VisionAidedLoss::MultilevelSigmoidSmoothed.real(&[level(x, &device)]))[0]
            });
            // At logit 20 softplus is 20 within 2e-9, less 16; the least loss is the entropy of 0.8.
            assert!((certain - 4.0).abs() < 1e-5, "{certain}");
            assert!((fair - 0.500_402).abs() < 1e-5, "{fair}");
        }
    }
}
