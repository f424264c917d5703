/// Weight of an iteration in the running means.
const WEIGHT: f32 = 0.02;

/// Running means of the gradients that reach the generator's images: from the image discriminator, and from the frozen
/// networks together.
///
/// A factor from single batches would weigh batches by their luck; norms differ several times from one to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct GradientBalance {
    /// L2 norms; none before the first iteration.
    pub(crate) norms: Option<[f32; 2]>,
}

impl GradientBalance {
    /// Takes the norms of a batch in. Norms that are not finite are left out, as a mean with one would stay so for
    /// good.
    pub(crate) fn observe(&mut self, batch: [f32; 2]) {
        if !batch.iter().all(|norm| norm.is_finite()) {
            return;
        }
        self.norms = Some(match self.norms {
            None => batch,
            Some(running) => std::array::from_fn(|i| running[i] + WEIGHT * (batch[i] - running[i])),
        });
    }

    /// What the frozen networks' gradient is multiplied by, so that it is at most `bound` times the image
    /// discriminator's; at most 1.
    pub(crate) fn factor(&self, bound: f64) -> f64 {
        match self.norms {
            Some([image, vision]) if f64::from(vision) > bound * f64::from(image) => {
                bound * f64::from(image) / f64::from(vision)
            }
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greater_gradient_is_brought_down_to_the_bound_and_a_smaller_one_is_left() {
        let mut balance = GradientBalance::default();
        assert_eq!(balance.factor(1.0), 1.0);
        balance.observe([2.0, 10.0]);
        assert_eq!(balance.factor(1.0), 0.2);
        assert_eq!(balance.factor(0.5), 0.1);
        assert_eq!(balance.factor(5.0), 1.0);
        assert_eq!(balance.factor(8.0), 1.0);
    }

    #[test]
    fn norms_that_are_constant_are_their_own_mean_and_those_that_change_are_followed() {
        let mut balance = GradientBalance::default();
        for _ in 0..3 {
            balance.observe([1.0, 4.0]);
        }
        assert_eq!(balance.norms, Some([1.0, 4.0]));
        balance.observe([f32::NAN, 1.0]);
        balance.observe([1.0, f32::INFINITY]);
        assert_eq!(balance.norms, Some([1.0, 4.0]));
        for _ in 0..400 {
            balance.observe([4.0, 1.0]);
        }
        // What is left of the first after 400 iterations: 0.98^400, some 3e-4, of a difference of 3.
        let [image, vision] = balance.norms.expect("it has seen some");
        assert!((image - 4.0).abs() < 2e-3 && (vision - 1.0).abs() < 2e-3);
        assert_eq!(balance.factor(1.0), 1.0);
    }

    #[test]
    fn without_a_gradient_of_the_image_discriminator_nothing_is_sent() {
        let mut balance = GradientBalance::default();
        balance.observe([0.0, 3.0]);
        assert_eq!(balance.factor(1.0), 0.0);
    }
}
