//! The objective of large images in two passes through the generator, so that its activations and those of the distance
//! do not lie in memory together.

use burn::tensor::Tensor;
use lpips::LpipsNetwork;
use stylegan2::NoiseMode;

use super::{Evaluation, Objective, Targets, TermKind};

/// Pixels of a batch from which two passes are made. VGG16 keeps 1.7 GB of activations for a million pixels, and a
/// generator of 1024 x 1024 pixels 0.7 GB, whose second pass takes a twentieth of the step.
const LARGE: usize = 1 << 20;

impl Objective<'_> {
    /// Whether the activations are many, and what is asked for is a gradient. AlexNet and SqueezeNet keep few.
    pub(super) fn needs_two_passes(&self, w_plus: &Tensor<3>) -> bool {
        let side = self.generator.synthesis.img_resolution();
        w_plus.is_autodiff()
            && self.lambda_lpips > 0.0
            && self.lpips.network() == LpipsNetwork::Vgg16
            && w_plus.dims()[0] * side * side >= LARGE
    }

    /// As [`evaluate`](Self::evaluate): first the gradient at the images, then the images again, whose product with
    /// that gradient has the same gradient in the latents.
    pub(super) fn evaluate_in_two_passes(
        &self,
        w_plus: &Tensor<3>,
        noise: &NoiseMode,
        targets: &Targets,
    ) -> Evaluation {
        let plain = match noise {
            NoiseMode::Given(images) => {
                let images = images.iter().cloned().map(Tensor::without_autodiff);
                NoiseMode::Given(images.collect())
            }
            other => other.clone(),
        };
        let latents = w_plus.clone().without_autodiff();
        let images = self.generator.synthesis.forward(latents, &plain);
        let images = images.autodiff().require_grad();
        let mut evaluation = self.judge(images.clone(), w_plus, targets);
        let is_of_images = |kind| matches!(kind, TermKind::Lpips | TermKind::Mse);
        let of_images = evaluation.weighted(|term| is_of_images(term.kind));
        for term in &mut evaluation.terms {
            if is_of_images(term.kind) {
                // What holds the graph would keep its activations.
                term.values = term.values.clone().without_autodiff();
            }
        }
        let gradient = of_images.and_then(|sum| images.grad(&sum.backward()));
        evaluation.through_images = gradient.map(|gradient| {
            let images = self.generator.synthesis.forward(w_plus.clone(), noise);
            (images * gradient.autodiff()).sum()
        });
        evaluation
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};
    use lpips::{Lpips, LpipsNetwork, Version};
    use stylegan2::{Generator, GeneratorConfig, NoiseMode};
    use testkit::seeded;

    use super::super::{Evaluation, read};
    use super::Objective;
    use crate::{InversionConfig, Noise, NoiseOptimization};

    fn tensor<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
        let values = seeded(name, shape.iter().product(), 0.5);
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    #[test]
    fn two_passes_have_the_losses_and_gradients_of_one() {
        let device = Device::flex();
        let config = r#"{"z_dim": 16, "c_dim": 0, "w_dim": 16, "img_resolution": 32, "img_channels": 3,
            "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 256}}"#;
        let config = GeneratorConfig::from_json(config).unwrap();
        let generator = Generator::init(&config, 3, &device).unwrap();
        let features = concat!(env!("CARGO_MANIFEST_DIR"), "/../../weights/features");
        let lpips = Lpips::load(LpipsNetwork::AlexNet, Version::V0_1, features, &device).unwrap();
        let options = InversionConfig {
            lambda_w_avg: 0.1,
            noise: Noise::Optimized(NoiseOptimization::default()),
            ..InversionConfig::default()
        };
        let objective = Objective::new(&generator, &lpips, &options).unwrap();
        let targets = objective
            .prepare(tensor("two passes/target", [2, 3, 32, 32], &device))
            .unwrap();
        let layers = generator.synthesis.num_ws();
        let sizes: Vec<[usize; 4]> = generator
            .synthesis
            .noise_images()
            .iter()
            .map(|(_, image)| {
                let [_, channels, height, width] = image.dims();
                [2, channels, height, width]
            })
            .collect();
        let run = |evaluate: &dyn Fn(&Tensor<3>, &NoiseMode) -> Evaluation| {
            let w_plus = tensor("two passes/w_plus", [2, layers, 16], &device);
            let w_plus = w_plus.autodiff().require_grad();
            let noise: Vec<Tensor<4>> = sizes
                .iter()
                .enumerate()
                .map(|(layer, size)| {
                    let image = tensor(&format!("two passes/noise {layer}"), *size, &device);
                    image.autodiff().require_grad()
                })
                .collect();
            let evaluation = evaluate(&w_plus, &NoiseMode::Given(noise.clone()));
            let gradients = evaluation.sum().backward();
            let mut all = vec![w_plus.grad(&gradients).unwrap().into_data()];
            all.extend(
                noise
                    .iter()
                    .map(|image| image.grad(&gradients).unwrap().into_data()),
            );
            let losses = read([&evaluation.without_graph()]);
            (all, losses)
        };
        let once = run(&|w_plus, noise| objective.evaluate(w_plus.clone(), noise, &targets));
        let twice = run(&|w_plus, noise| {
            let evaluation = objective.evaluate_in_two_passes(w_plus, noise, &targets);
            objective.with_noise_term(evaluation, noise)
        });
        assert_eq!(twice.1, once.1);
        assert_eq!(twice.0.len(), once.0.len());
        for (twice, once) in twice.0.iter().zip(&once.0) {
            // The gradient at the images is multiplied by one.
            twice.assert_eq(once, true);
        }
    }
}
