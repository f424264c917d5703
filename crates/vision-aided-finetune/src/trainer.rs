use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use stylegan2::regularisation::{PathLengthMean, path_length_penalty, r1_penalty_augmented};
use stylegan2::{Discriminator, Generator, NoiseMode, RandomState, Truncation, mix_styles};

use crate::augment::Augmentation;
use crate::images::ShuffledOrder;
use crate::loss::{discriminator_loss, generator_loss};
use crate::random::{self, Stream, stream};
use crate::state::Progress;
use crate::{Adam, ImageSet, TrainingConfig, TrainingError, networks, state};

/// Iterations on end with losses that are not finite, after which training stops: less is a bad batch, more does not recover.
const MAX_NON_FINITE: u64 = 20;

/// StyleGAN2 training: networks, optimisers and where training stands.
#[derive(Debug)]
pub struct Trainer {
    pub(crate) config: TrainingConfig,
    /// Both networks in training are on the autodiff device.
    pub(crate) generator: Generator,
    pub(crate) discriminator: Discriminator,
    /// On the plain device.
    pub(crate) generator_average: Generator,
    pub(crate) generator_adam: Adam,
    pub(crate) discriminator_adam: Adam,
    pub(crate) path_length_mean: PathLengthMean,
    pub(crate) progress: Progress,
    images: Arc<ImageSet>,
    order: ShuffledOrder,
    device: Device,
    non_finite: u64,
}

/// What one iteration measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Iterations so far.
    pub iteration: u64,
    /// Real images shown so far, repetitions counted.
    pub images: u64,
    /// The generator's logistic loss.
    pub generator_loss: f32,
    /// The discriminator's logistic loss.
    pub discriminator_loss: f32,
    /// Mean logit of real images.
    pub real_logit: f32,
    /// Mean logit of generated images.
    pub fake_logit: f32,
    /// Mean R1 penalty, without its weight, in iterations that take it.
    pub r1_penalty: Option<f32>,
    /// Mean path length, in iterations that penalise it.
    pub path_length: Option<f32>,
}

impl Trainer {
    /// Starts training of these networks, from scratch or from any weights.
    ///
    /// `average` is the running average of the generator's weights so far; without one it starts at the generator. The networks' tensors
    /// are expected on the plain device that training is to run on.
    ///
    /// # Errors
    /// When an option is out of range, or networks and images do not go together.
    pub fn new(
        config: TrainingConfig,
        generator: Generator,
        average: Option<Generator>,
        discriminator: Discriminator,
        images: Arc<ImageSet>,
        device: &Device,
    ) -> Result<Self, TrainingError> {
        networks::check(&config, &generator, &discriminator, &images)?;
        let average = average.unwrap_or_else(|| generator.clone());
        if average.config() != generator.config() {
            return Err(TrainingError::InvalidOption {
                option: "average",
                found: average.config().to_json(),
                expected: format!(
                    "the generator's configuration {}",
                    generator.config().to_json()
                ),
            });
        }
        Ok(Self {
            generator_adam: Adam::new(config.corrected_generator_adam()),
            discriminator_adam: Adam::new(config.corrected_discriminator_adam()),
            path_length_mean: PathLengthMean {
                value: 0.0,
                decay: config.path_length_decay,
            },
            progress: Progress::default(),
            order: ShuffledOrder::new(config.seed, images.len()),
            generator_average: average.valid(),
            generator: generator.train(),
            discriminator: discriminator.train(),
            images,
            device: device.clone(),
            non_finite: 0,
            config,
        })
    }

    /// Writes everything that [`resume`](Self::resume) needs to one safetensors file, atomically: a temporary file, then a rename.
    ///
    /// The networks lie in it under `G.`, `G_ema.` and `D.` with their configurations, so that [`Generator::load`] opens it too.
    ///
    /// # Errors
    /// When a weight is NaN or infinite (the file is then left as it was), or the file system refuses.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), TrainingError> {
        state::save(self, path.as_ref())
    }

    /// Continues the run of a checkpoint: the next losses are those of a run that was never stopped, bit for bit on the CPU.
    ///
    /// # Errors
    /// When the file is no checkpoint of a training run, is damaged, or was trained on other images.
    pub fn resume(
        path: impl AsRef<Path>,
        images: Arc<ImageSet>,
        device: &Device,
    ) -> Result<Self, TrainingError> {
        state::resume(path.as_ref(), images, device)
    }

    /// The options.
    pub fn config(&self) -> &TrainingConfig {
        &self.config
    }

    /// The training images.
    pub fn images(&self) -> &ImageSet {
        &self.images
    }

    /// Iterations so far.
    pub fn iterations(&self) -> u64 {
        self.progress.iterations
    }

    /// Real images shown so far, repetitions counted.
    pub fn images_shown(&self) -> u64 {
        self.progress.images
    }

    /// The generator in training, on the autodiff device.
    pub fn generator(&self) -> &Generator {
        &self.generator
    }

    /// The running average of the generator, which makes the better images; on the plain device.
    pub fn generator_average(&self) -> &Generator {
        &self.generator_average
    }

    /// The discriminator in training, on the autodiff device.
    pub fn discriminator(&self) -> &Discriminator {
        &self.discriminator
    }

    /// One iteration: a step of the generator, one of the discriminator, the regularisers' steps where they are due, and the average.
    ///
    /// # Errors
    /// When the losses of many iterations on end were not finite.
    pub fn step(&mut self) -> Result<StepReport, TrainingError> {
        let iteration = self.progress.iterations;
        let batch = self.config.batch_size;
        let generator_loss = self.step_generator(iteration);
        let path_length = self
            .config
            .regularises_path_length(iteration)
            .then(|| self.step_path_length(iteration));
        let real = self.real_images(iteration);
        let DiscriminatorStep {
            loss: discriminator_loss,
            real_logit,
            fake_logit,
        } = self.step_discriminator(iteration, real.clone());
        let r1_penalty = self
            .config
            .regularises_r1(iteration)
            .then(|| self.step_r1(iteration, real));

        self.progress.iterations += 1;
        self.progress.images += batch as u64;
        let average = self.generator_average.clone();
        self.generator_average =
            self.config
                .average
                .update(average, &self.generator, self.progress.images, batch);
        if generator_loss.is_finite() && discriminator_loss.is_finite() {
            self.non_finite = 0;
        } else {
            self.non_finite += 1;
            if self.non_finite >= MAX_NON_FINITE {
                return Err(TrainingError::Diverged {
                    first: iteration + 1 - MAX_NON_FINITE,
                    last: iteration,
                    generator: generator_loss,
                    discriminator: discriminator_loss,
                });
            }
        }
        Ok(StepReport {
            iteration: self.progress.iterations,
            images: self.progress.images,
            generator_loss,
            discriminator_loss,
            real_logit,
            fake_logit,
            r1_penalty,
            path_length,
        })
    }

    fn step_generator(&mut self, iteration: u64) -> f32 {
        let mut random = self.stream(iteration, Stream::GeneratorLatents);
        let w_plus = self.latents(self.config.batch_size, &mut random, &self.generator.clone());
        let fake = self
            .generator
            .synthesis
            .forward(w_plus, &self.noise(&mut random));
        let augmentation = self.augmentation(iteration, Stream::GeneratorAugment);
        // A discriminator on the plain device is a constant: no gradients of its weights are computed.
        let logits = self
            .discriminator
            .valid()
            .forward(augmentation.apply(fake), None);
        let loss = generator_loss(logits);
        let gradients = loss.backward();
        self.generator = self.generator_adam.step(self.generator.clone(), &gradients);
        scalar(loss)
    }

    fn step_path_length(&mut self, iteration: u64) -> f32 {
        let batch = (self.config.batch_size / self.config.path_length_batch_shrink).max(1);
        let mut random = self.stream(iteration, Stream::PathLengthLatents);
        let w_plus = self.latents(batch, &mut random, &self.generator.clone());
        let noise = self.noise(&mut random);
        let (side, channels) = (
            self.generator.config().img_resolution,
            self.generator.config().img_channels,
        );
        let mut random = self.stream(iteration, Stream::PathLengthNoise);
        // Divided by the image's side, so that lengths do not depend on it.
        let y = self
            .normals([batch, channels, side, side], &mut random)
            .div_scalar(side as f64);
        let result = path_length_penalty(
            &self.generator.synthesis,
            w_plus,
            &noise,
            y,
            self.path_length_mean,
        );
        self.path_length_mean = result.running_mean;
        // The step stands for those of the whole interval.
        let weight = self.config.path_length_weight * self.config.path_length_interval as f64;
        let gradients = result.mean.mul_scalar(weight).backward();
        self.generator = self.generator_adam.step(self.generator.clone(), &gradients);
        scalar(result.lengths.mean())
    }

    fn step_discriminator(&mut self, iteration: u64, real: Tensor<4>) -> DiscriminatorStep {
        let mut random = self.stream(iteration, Stream::DiscriminatorLatents);
        let generator = self.generator.valid();
        let w_plus = self.latents(self.config.batch_size, &mut random, &generator);
        let fake = generator
            .synthesis
            .forward(w_plus, &self.noise(&mut random));
        let fake = self
            .augmentation(iteration, Stream::DiscriminatorFakeAugment)
            .apply(fake);
        let real = self
            .augmentation(iteration, Stream::DiscriminatorRealAugment)
            .apply(real);
        let fake_logits = self.discriminator.forward(fake, None);
        let real_logits = self.discriminator.forward(real, None);
        let loss = discriminator_loss(fake_logits.clone(), real_logits.clone());
        let gradients = loss.backward();
        self.discriminator = self
            .discriminator_adam
            .step(self.discriminator.clone(), &gradients);
        DiscriminatorStep {
            loss: scalar(loss),
            real_logit: scalar(real_logits.inner().mean()),
            fake_logit: scalar(fake_logits.inner().mean()),
        }
    }

    fn step_r1(&mut self, iteration: u64, real: Tensor<4>) -> f32 {
        let augmentation = self.augmentation(iteration, Stream::DiscriminatorRealAugment);
        let result = r1_penalty_augmented(
            &self.discriminator,
            real,
            None,
            |x| augmentation.apply(x),
            |v| augmentation.apply_linear(v),
        );
        // The step stands for those of the whole interval.
        let weight = self.config.r1_gamma / 2.0 * self.config.r1_interval as f64;
        let gradients = result.mean.clone().mul_scalar(weight).backward();
        self.discriminator = self
            .discriminator_adam
            .step(self.discriminator.clone(), &gradients);
        scalar(result.mean)
    }

    /// Latents of a batch, w_plus `[batch, num_ws, w_dim]`, with style mixing; moves the running average of w.
    ///
    /// `generator` is the one in training or its copy on the plain device.
    fn latents(
        &mut self,
        batch: usize,
        random: &mut RandomState,
        generator: &Generator,
    ) -> Tensor<3> {
        let config = generator.config();
        let (z_dim, num_ws) = (config.z_dim, config.num_ws());
        let w = generator
            .mapping
            .w(self.normals([batch, z_dim], random), None);
        let plain = if w.is_autodiff() {
            w.clone().inner()
        } else {
            w.clone()
        };
        self.generator.mapping.update_w_avg(plain);
        let w_plus = generator.mapping.truncate(w, Truncation::NONE);
        let mixes = random.uniform() < self.config.style_mixing_probability;
        let cutoff = 1 + random::below(random, num_ws - 1);
        if !mixes {
            return w_plus;
        }
        let other =
            generator
                .mapping
                .forward(self.normals([batch, z_dim], random), None, Truncation::NONE);
        mix_styles(w_plus, other, cutoff..num_ws)
    }

    fn real_images(&mut self, iteration: u64) -> Tensor<4> {
        let batch = self.config.batch_size;
        let first = self.progress.images;
        let indices: Vec<usize> = (first..first + batch as u64)
            .map(|position| self.order.at(position))
            .collect();
        let mut random = self.stream(iteration, Stream::Mirror);
        let mirrored: Vec<bool> = indices
            .iter()
            .map(|_| self.config.mirror && random.uniform() < 0.5)
            .collect();
        self.images.batch(&indices, &mirrored, &self.device)
    }

    fn augmentation(&self, iteration: u64, what: Stream) -> Augmentation {
        let mut random = self.stream(iteration, what);
        self.config
            .augment
            .draw(self.config.batch_size, self.images.side(), &mut random)
    }

    fn noise(&self, random: &mut RandomState) -> NoiseMode {
        if self.config.noise {
            NoiseMode::Random {
                seed: random::seed(random),
            }
        } else {
            NoiseMode::None
        }
    }

    fn normals<const D: usize>(&self, shape: [usize; D], random: &mut RandomState) -> Tensor<D> {
        let values = random.standard_normals(shape.iter().product());
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    fn stream(&self, iteration: u64, what: Stream) -> RandomState {
        stream(self.config.seed, iteration, what)
    }
}

struct DiscriminatorStep {
    loss: f32,
    real_logit: f32,
    fake_logit: f32,
}

fn scalar(tensor: Tensor<1>) -> f32 {
    tensor.into_scalar()
}
