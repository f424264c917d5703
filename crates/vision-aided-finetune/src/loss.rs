//! The non-saturating logistic loss (Goodfellow et al. 2014), as in StyleGAN2, and the relativistic one.

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

/// The generator's loss `mean(softplus(D(real) - D(fake)))`, `[1]`, of logits `[batch, 1]`: fake i is compared with real
/// i (Jolicoeur-Martineau 2019; Huang et al. 2024, "The GAN is dead; long live the GAN!", equation 2).
///
/// Only how much more real one image looks than the other counts, so that a generator which leaves a kind of images out
/// is told so by every real image of that kind.
pub fn relativistic_generator_loss(fake_logits: Tensor<2>, real_logits: Tensor<2>) -> Tensor<1> {
    softplus(real_logits - fake_logits).mean()
}

/// The discriminator's loss `mean(softplus(D(fake) - D(real)))`, `[1]`, of logits `[batch, 1]`.
pub fn relativistic_discriminator_loss(
    fake_logits: Tensor<2>,
    real_logits: Tensor<2>,
) -> Tensor<1> {
    softplus(fake_logits - real_logits).mean()
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

    /// What a relativistic loss sees is a difference.
    #[test]
    fn relativistic_losses_are_those_of_the_difference_to_a_real_logit() {
        for (_, device) in testkit::devices() {
            let fake = Tensor::<2>::from_data(TensorData::from([[1.5], [-2.0]]), &device);
            let real = Tensor::<2>::from_data(TensorData::from([[0.5], [1.0]]), &device);
            // The mean of ln(1 + exp(d)) for the differences -1 and 3, and for 1 and -3.
            let [generator, discriminator] = [(-1.0, 3.0), (1.0, -3.0)]
                .map(|(a, b): (f32, f32)| (a.exp().ln_1p() + b.exp().ln_1p()) / 2.0);
            let found = [
                relativistic_generator_loss(fake.clone(), real.clone()),
                relativistic_discriminator_loss(fake.clone(), real.clone()),
                relativistic_generator_loss(fake + 100.0, real + 100.0),
            ]
            .map(scalar);
            // A few roundings of numbers near 2; of logits near 100 in the last one.
            for (found, (expected, tolerance)) in
                found
                    .into_iter()
                    .zip([(generator, 1e-6), (discriminator, 1e-6), (generator, 2e-5)])
            {
                assert!((found - expected).abs() < tolerance, "{found}, {expected}");
            }
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
            testkit::assert_gradient(
                "relativistic losses",
                &device,
                [6, 1],
                &x,
                1e-2,
                2e-3,
                |fake: Tensor<2>| {
                    let real: Tensor<2> =
                        Tensor::from_data(TensorData::new(real.clone(), [6, 1]), &fake.device());
                    relativistic_generator_loss(fake.clone(), real.clone()).mul_scalar(2.0)
                        + relativistic_discriminator_loss(fake, real)
                },
            );
        }
    }
}
