//! The non-saturating logistic loss (Goodfellow et al. 2014), as in StyleGAN2.

use burn::tensor::{Tensor, activation};

/// `ln(1 + exp(x))` without overflow.
fn softplus(x: Tensor<2>) -> Tensor<2> {
    activation::log_sigmoid(x.neg()).neg()
}

/// The generator's loss `mean(softplus(-D(fake)))`, `[1]`, of logits `[batch, 1]`: it falls as fakes pass for real.
pub fn generator_loss(fake_logits: Tensor<2>) -> Tensor<1> {
    softplus(fake_logits.neg()).mean()
}

/// The discriminator's loss `mean(softplus(D(fake))) + mean(softplus(-D(real)))`, `[1]`, of logits `[batch, 1]`.
pub fn discriminator_loss(fake_logits: Tensor<2>, real_logits: Tensor<2>) -> Tensor<1> {
    softplus(fake_logits).mean() + softplus(real_logits.neg()).mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    fn scalar(tensor: Tensor<1>) -> f32 {
        tensor.into_scalar()
    }

    #[test]
    fn undecided_logits_cost_the_logarithm_of_two() {
        for (_, device) in testkit::devices() {
            let logits = Tensor::<2>::zeros([4, 1], &device);
            let expected = std::f32::consts::LN_2;
            // One rounding of a logarithm.
            assert!((scalar(generator_loss(logits.clone())) - expected).abs() < 1e-6);
            let both = scalar(discriminator_loss(logits.clone(), logits));
            assert!((both - 2.0 * expected).abs() < 1e-6);
        }
    }

    #[test]
    fn large_logits_neither_overflow_nor_lose_their_gradient() {
        for (_, device) in testkit::devices() {
            let device = device.autodiff();
            for (logit, loss, slope) in [
                (-500.0, 500.0, -1.0),
                (500.0, 0.0, 0.0),
                (0.0, std::f32::consts::LN_2, -0.5),
            ] {
                let logits =
                    Tensor::<2>::from_data(TensorData::from([[logit]]), &device).require_grad();
                let value = generator_loss(logits.clone());
                let gradient = logits
                    .grad(&value.backward())
                    .expect("a function of the logits");
                assert!((scalar(value) - loss).abs() < 1e-6);
                assert!(
                    (gradient.into_scalar::<f32>() - slope).abs() < 1e-6,
                    "slope at {logit}"
                );
            }
        }
    }

    #[test]
    fn gradients_agree_with_differences() {
        for (_, device) in testkit::devices() {
            let x = testkit::seeded("logits", 6, 2.0);
            // Second derivatives of at most 1/4, so rounding over the step dominates.
            testkit::assert_gradient(
                "generator loss",
                &device,
                [6, 1],
                &x,
                1e-2,
                2e-3,
                generator_loss,
            );
            let real = testkit::seeded("real logits", 6, 2.0);
            testkit::assert_gradient(
                "discriminator loss",
                &device,
                [6, 1],
                &x,
                1e-2,
                2e-3,
                |fake: Tensor<2>| {
                    let real =
                        Tensor::from_data(TensorData::new(real.clone(), [6, 1]), &fake.device());
                    discriminator_loss(fake, real)
                },
            );
        }
    }
}
