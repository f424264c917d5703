use burn::tensor::{Tensor, TensorData};
use stylegan2::RandomState;

use crate::Perturbation;
use crate::objective::Objective;
use crate::w_statistics::{sample_w, w_std};

/// A [`Perturbation`] with its `w_std` measured.
pub(crate) struct Perturb {
    settings: Perturbation,
    w_std: f64,
}

impl Perturb {
    pub fn new(settings: Perturbation, objective: &Objective<'_>) -> Self {
        let generator = objective.generator();
        let w = sample_w(generator, settings.w_std_samples, settings.seed);
        let w_dim = generator.synthesis.w_dim();
        Self {
            settings,
            w_std: w_std(w, objective.w_avg().reshape([w_dim])),
        }
    }

    /// Latents `[batch, n, w_dim]` with this step's noise, the same for every image.
    pub fn apply(&self, latents: Tensor<3>, step: usize, steps: usize) -> Tensor<3> {
        let size = self.w_std * factor(self.settings, step, steps);
        if size == 0.0 {
            return latents;
        }
        let [_, count, w_dim] = latents.dims();
        let values = RandomState::from_key(&[self.settings.seed, step as u32])
            .standard_normals(count * w_dim);
        let noise = Tensor::<3>::from_data(
            TensorData::new(values, [1, count, w_dim]),
            &latents.device().without_autodiff(),
        );
        latents + noise.mul_scalar(size)
    }
}

/// `initial_factor max(0, 1 - t / ramp)^2` with t = step / steps.
fn factor(settings: Perturbation, step: usize, steps: usize) -> f64 {
    if settings.ramp == 0.0 {
        return 0.0;
    }
    let t = step as f64 / steps as f64;
    settings.initial_factor * (1.0 - t / settings.ramp).max(0.0).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_falls_with_the_square_and_ends_at_the_ramp() {
        let settings = Perturbation::default();
        let size = |step| factor(settings, step, 1000);
        // Rounding of f64.
        assert!((size(0) - 0.05).abs() < 1e-15);
        assert!((size(375) - 0.05 / 4.0).abs() < 1e-15);
        assert_eq!(size(750), 0.0);
        assert_eq!(size(999), 0.0);
    }
}
