use std::ops::ControlFlow;

use backbones::FeatureExtractor;
use burn::tensor::Tensor;
use inversion::{InversionConfig, Progress, Schedule, invert_with};
use lpips::Lpips;
use stylegan2::{Generator, NoiseMode};
use vision_aided_finetune::Trainer;
use vision_aided_finetune::vision_aided::{VisionBackbone, VisionFeature};

use crate::{Error, Stepper};

/// The most that an inversion takes, and more than any round asks for.
const ENDLESS: usize = 100_000_000;

/// Of `benches/peer/worker.py`, too.
const PEER_LEARNING_RATE: f64 = 0.05;

/// What is repeated. Everything lies on the generator's plain device.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a process holds one or a few workloads, so their size does not count"
)]
pub enum Workload {
    /// W+ optimization from the mean latent: synthesis, LPIPS + MSE, backward to W+, Adam with a constant rate.
    Inversion {
        /// The frozen generator.
        generator: Generator,
        /// The perceptual distance.
        lpips: Lpips,
        /// `[batch, 3, resolution, resolution]` in [-1, 1].
        targets: Tensor<4>,
    },
    /// Images of the mean latent with constant noise.
    Synthesis {
        /// The generator.
        generator: Generator,
        /// Number of images.
        batch: usize,
    },
    /// Iterations of training: both networks, their regularizers where these are due, the average. 16 on end do the
    /// same work as any other 16.
    Training(Box<Trainer>),
    /// What a frozen network does in a step of vision-aided training: forward on real and on generated images for its
    /// head, and forward and back to the images for the generator.
    FrozenNetwork {
        /// The network.
        backbone: VisionBackbone,
        /// `[batch, 3, side, side]` in [-1, 1].
        images: Tensor<4>,
    },
    /// Features of images that have the size of the network's input already.
    Features {
        /// The network.
        extractor: FeatureExtractor,
        /// `[batch, 3, side, side]` in [-1, 1].
        images: Tensor<4>,
    },
}

impl Workload {
    /// Waits in a thread of its own for steps to be asked for.
    pub fn start(self) -> Stepper {
        Stepper::spawn(move |step| match self {
            Self::Inversion {
                generator,
                lpips,
                targets,
            } => optimize(&generator, &lpips, targets, step),
            Self::Synthesis { generator, batch } => {
                synthesize(&generator, batch, step);
                Ok(())
            }
            Self::Training(trainer) => train(*trainer, step),
            Self::FrozenNetwork { backbone, images } => {
                pass(&backbone, &images, step);
                Ok(())
            }
            Self::Features { extractor, images } => {
                extract(&extractor, &images, step);
                Ok(())
            }
        })
    }
}

fn optimize(
    generator: &Generator,
    lpips: &Lpips,
    targets: Tensor<4>,
    step: &mut dyn FnMut(f64) -> ControlFlow<()>,
) -> Result<(), Error> {
    invert_with(
        generator,
        lpips,
        targets,
        &inversion_config(),
        |progress| match progress {
            Progress::Step(now) => step(now.losses.iter().map(|losses| losses.total).sum()),
            _ => ControlFlow::Continue(()),
        },
    )?;
    Ok(())
}

fn inversion_config() -> InversionConfig {
    InversionConfig {
        steps: ENDLESS,
        schedule: Schedule::Constant,
        // What the PyTorch side of the comparison minimizes, and how fast; the losses of both sides are compared.
        learning_rate: PEER_LEARNING_RATE,
        lambda_lpips: 1.0,
        lambda_mse: 1.0,
        ..InversionConfig::default()
    }
}

fn synthesize(generator: &Generator, batch: usize, step: &mut dyn FnMut(f64) -> ControlFlow<()>) {
    let synthesis = &generator.synthesis;
    let w_avg = generator.mapping.w_avg();
    let w_avg: Tensor<2> = w_avg.expect("official generators track it").unsqueeze();
    let w_plus = synthesis.broadcast(w_avg.repeat_dim(0, batch));
    loop {
        let images = synthesis.forward(w_plus.clone(), &NoiseMode::Constant);
        // Backends may compute lazily: reading one number makes them finish.
        images.slice([0..1, 0..1, 0..1, 0..1]).into_data();
        if step(0.0).is_break() {
            return;
        }
    }
}

fn train(mut trainer: Trainer, step: &mut dyn FnMut(f64) -> ControlFlow<()>) -> Result<(), Error> {
    loop {
        let report = trainer.step()?;
        let loss = f64::from(report.generator_loss) + f64::from(report.discriminator_loss);
        if step(loss).is_break() {
            return Ok(());
        }
    }
}

fn pass(
    backbone: &VisionBackbone,
    images: &Tensor<4>,
    step: &mut dyn FnMut(f64) -> ControlFlow<()>,
) {
    let sum = |images: Tensor<4>| {
        let levels = backbone.forward(images).into_iter();
        levels
            .map(|level| match level {
                VisionFeature::Map(x) => x.sum(),
                VisionFeature::Vector(x) => x.sum(),
            })
            .reduce(|sum, level| sum + level)
            .expect("a network has at least one level")
    };
    let tracked = Tensor::from_inner(images.clone()).require_grad();
    loop {
        let heads = sum(images.clone()) + sum(images.clone());
        let gradients = sum(tracked.clone()).backward();
        let gradient = tracked.grad(&gradients).expect("a function of the images");
        // Reading the results makes lazy backends finish.
        let (heads, gradient): (f32, f32) = (heads.into_scalar(), gradient.sum().into_scalar());
        if step(f64::from(heads + gradient)).is_break() {
            return;
        }
    }
}

/// The reported number is the sum of all features, by which two sides can be compared.
fn extract(
    extractor: &FeatureExtractor,
    images: &Tensor<4>,
    step: &mut dyn FnMut(f64) -> ControlFlow<()>,
) {
    loop {
        let features = extractor.features(images.clone());
        // Reading the result makes lazy backends finish.
        let sum: f32 = features.sum().into_scalar();
        if step(f64::from(sum)).is_break() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::inversion_config;

    #[test]
    fn an_inversion_that_lasts_as_long_as_it_is_timed_is_one_that_the_library_takes() {
        inversion_config().validate().expect("settings in range");
    }
}
