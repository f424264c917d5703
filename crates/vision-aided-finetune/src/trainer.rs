use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use stylegan2::regularization::{PathLengthMean, path_length_penalty, r1_penalty_augmented};
use stylegan2::{Discriminator, Generator, NoiseMode, RandomState, Truncation, mix_styles};

use crate::augment::Augmentation;
use crate::both::logits_of_both;
use crate::flatness::excess_variation;
use crate::images::ShuffledOrder;
use crate::loss::{
    discriminator_loss, generator_loss, relativistic_discriminator_loss,
    relativistic_generator_loss,
};
use crate::progressive::{Growth, resolution_after, with_detail};
use crate::random::{self, Stream, stream};
use crate::state::Progress;
use crate::vision_aided::{GradientBalance, VisionAidedDiscriminator, VisionBackbone};
use crate::{
    Adam, AdamOptions, ImageSet, SavedVisionNetwork, TrainingConfig, TrainingError, networks, state,
};

/// Measurements on end that are not finite, after which training stops: less is a bad batch, more does not recover.
const MAX_NON_FINITE: u64 = 20;

/// StyleGAN2 training: networks, optimizers and where training stands.
#[derive(Debug)]
pub struct Trainer {
    pub(crate) config: TrainingConfig,
    /// Both networks in training are on the autodiff device.
    pub(crate) generator: Generator,
    pub(crate) discriminator: Discriminator,
    /// On the plain device.
    pub(crate) generator_average: Generator,
    /// The same over a longer time, where the options ask for it.
    pub(crate) slow_average: Option<Generator>,
    pub(crate) generator_adam: Adam,
    pub(crate) discriminator_adam: Adam,
    pub(crate) vision_aided: Vec<VisionAidedDiscriminator>,
    /// Moves where the options bound what the frozen networks send.
    pub(crate) balance: GradientBalance,
    pub(crate) path_length_mean: PathLengthMean,
    pub(crate) progress: Progress,
    images: Arc<ImageSet>,
    /// The images at the networks' resolution.
    stage_images: Arc<ImageSet>,
    order: ShuffledOrder,
    device: Device,
    provenance: Option<String>,
}

/// What one iteration measured.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepReport {
    /// Iterations so far.
    pub iteration: u64,
    /// Real images shown so far, repetitions counted.
    pub images: u64,
    /// What the generator pays to the image discriminator.
    pub generator_loss: f32,
    /// What the image discriminator pays, without its penalties.
    pub discriminator_loss: f32,
    /// Mean logit of real images.
    pub real_logit: f32,
    /// Mean logit of generated images.
    pub fake_logit: f32,
    /// Mean R1 penalty, without its weight, in iterations that take it.
    pub r1_penalty: Option<f32>,
    /// Mean R2 penalty, without its weight, in iterations that take it.
    pub r2_penalty: Option<f32>,
    /// What generated images have more than real ones of [small steps](crate::flatness::excess_variation), where it has a
    /// weight.
    pub excess_variation: Option<f32>,
    /// Mean path length, in iterations that penalize it.
    pub path_length: Option<f32>,
    /// What the generator pays to the vision-aided discriminators together, where there are any.
    pub vision_aided_generator_loss: Option<f32>,
    /// What the heads of the vision-aided discriminators pay together, where there are any.
    pub vision_aided_discriminator_loss: Option<f32>,
    /// What their gradient at the images was multiplied by to keep the bound of
    /// [`balance`](crate::vision_aided::VisionAidedConfig::balance), where there is one; beside
    /// [`weight`](crate::vision_aided::VisionAidedConfig::weight).
    pub vision_aided_factor: Option<f32>,
}

/// The set itself where it has this side.
fn at_side(images: &Arc<ImageSet>, side: usize) -> Result<Arc<ImageSet>, TrainingError> {
    if images.side() == side {
        return Ok(images.clone());
    }
    Ok(Arc::new(images.reduced(side)?))
}

impl Trainer {
    /// Starts training of these networks, from scratch or from any weights.
    ///
    /// `average` is the running average of the generator's weights so far; without one it starts at the generator. The
    /// networks' tensors are expected on the plain device that training is to run on. A generator of gray images is
    /// trained on the images' [luma](ImageSet::gray).
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
        let images = networks::in_colors_of(&generator, images);
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
        let stage_images = at_side(&images, generator.config().img_resolution)?;
        Ok(Self {
            stage_images,
            generator_adam: Adam::new(config.corrected_generator_adam()),
            discriminator_adam: Adam::new(config.corrected_discriminator_adam()),
            vision_aided: Vec::new(),
            balance: GradientBalance::default(),
            path_length_mean: PathLengthMean {
                value: 0.0,
                decay: config.path_length_decay,
            },
            progress: Progress::default(),
            order: ShuffledOrder::new(config.seed, images.len()),
            slow_average: config.slow_average_kimg.map(|_| average.valid()),
            generator_average: average.valid(),
            generator: generator.train(),
            discriminator: discriminator.train(),
            images,
            device: device.clone(),
            provenance: None,
            config,
        })
    }

    /// Writes everything that [`resume`](Self::resume) needs to one safetensors file, atomically: a temporary file,
    /// then a rename.
    ///
    /// The networks lie in it under `G.`, `G_ema.` and `D.` with their configurations, so that [`Generator::load`]
    /// opens it too.
    ///
    /// # Errors
    /// When a weight is NaN or infinite (the file is then left as it was), or the file system refuses.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), TrainingError> {
        state::save(self, path.as_ref())
    }

    /// Continues the run of a checkpoint: the next losses are those of a run that was never stopped, bit for bit on the
    /// CPU.
    ///
    /// `backbones` are the networks that the run's vision-aided discriminators stand on, in the order in which they
    /// were added; checkpoints do not hold their weights.
    ///
    /// # Errors
    /// When the file is no checkpoint of a training run, is damaged, was trained on other images, or with other
    /// networks.
    pub fn resume(
        path: impl AsRef<Path>,
        images: Arc<ImageSet>,
        backbones: &[VisionBackbone],
        device: &Device,
    ) -> Result<Self, TrainingError> {
        state::resume(path.as_ref(), images, backbones, device)
    }

    /// The side of the images that a checkpoint's run is trained on.
    ///
    /// # Errors
    /// When the file is no checkpoint of a training run.
    pub fn image_side(path: impl AsRef<Path>) -> Result<usize, TrainingError> {
        state::image_side(path.as_ref())
    }

    /// Real images shown so far in a checkpoint's run, repetitions counted.
    ///
    /// # Errors
    /// When the file is no checkpoint of a training run.
    pub fn images_shown_in(path: impl AsRef<Path>) -> Result<u64, TrainingError> {
        state::images_shown(path.as_ref())
    }

    /// The networks that the vision-aided discriminators of a checkpoint stand on, in the order that
    /// [`resume`](Self::resume) expects.
    ///
    /// # Errors
    /// When the file is no checkpoint of a training run, or names a network that is not known here.
    pub fn vision_networks(
        path: impl AsRef<Path>,
    ) -> Result<Vec<SavedVisionNetwork>, TrainingError> {
        state::vision_networks(path.as_ref())
    }

    /// The [provenance](Self::provenance) that a checkpoint holds, before its networks are loaded.
    ///
    /// # Errors
    /// When the file is no checkpoint of a training run.
    pub fn provenance_in(path: impl AsRef<Path>) -> Result<Option<String>, TrainingError> {
        state::provenance(path.as_ref())
    }

    /// Trains with one more discriminator, a head of random weights on a frozen network, from the next iteration on.
    ///
    /// The image discriminator goes on beside it. Its loss, optimizer and augmentation are
    /// [`TrainingConfig::vision_aided`]'s.
    pub fn add_vision_aided(&mut self, backbone: VisionBackbone) {
        let index = self.vision_aided.len() as u64;
        let mut random = stream(self.config.seed, index, Stream::VisionAidedHead);
        let options = self.config.vision_aided.adam;
        self.vision_aided.push(VisionAidedDiscriminator::new(
            backbone,
            self.config.vision_aided.head_form,
            options,
            random::seed(&mut random),
            &self.device,
        ));
    }

    /// The vision-aided discriminators, in the order in which they were added.
    pub fn vision_aided(&self) -> &[VisionAidedDiscriminator] {
        &self.vision_aided
    }

    /// The options.
    pub fn config(&self) -> &TrainingConfig {
        &self.config
    }

    /// Goes on with other options: learning rates, the weights of the regularizers, augmentation and the like.
    ///
    /// The optimizers keep their moments.
    ///
    /// # Errors
    /// When an option is out of range, or differs in the seed, the batch size, mirroring, noise or the form of the
    /// heads, which a run keeps.
    pub fn set_config(&mut self, config: TrainingConfig) -> Result<(), TrainingError> {
        self.config.check_change(&config)?;
        networks::check(&config, &self.generator, &self.discriminator, &self.images)?;
        for discriminator in &mut self.vision_aided {
            discriminator.adam.set_options(config.vision_aided.adam);
        }
        self.path_length_mean.decay = config.path_length_decay;
        self.slow_average = config
            .slow_average_kimg
            .map(|_| match self.slow_average.take() {
                Some(average) => average,
                None => self.generator_average.clone(),
            });
        self.config = config;
        Ok(())
    }

    /// Text that the caller keeps in the checkpoints, such as where weights and data came from.
    pub fn provenance(&self) -> Option<&str> {
        self.provenance.as_deref()
    }

    /// Sets the text that the caller keeps in the checkpoints.
    pub fn set_provenance(&mut self, provenance: Option<String>) {
        self.provenance = provenance;
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

    /// The average over [`slow_average_kimg`](TrainingConfig::slow_average_kimg); on the plain device.
    pub fn slow_average(&self) -> Option<&Generator> {
        self.slow_average.as_ref()
    }

    /// The discriminator in training, on the autodiff device.
    pub fn discriminator(&self) -> &Discriminator {
        &self.discriminator
    }

    /// The networks for the stage that is due, and images of its size. The optimizers start anew, and the
    /// generator waits for the discriminator as [`Growth::warm_up`] says.
    fn grow(&mut self, resolution: usize) -> Result<(), TrainingError> {
        let mut random = stream(self.config.seed, resolution as u64, Stream::Growth);
        let [generator_seed, discriminator_seed] =
            [(); 2].map(|()| random::seed(&mut random) as u32);
        let device = &self.device;
        let grown = self
            .generator
            .valid()
            .grown(resolution, generator_seed, device)?;
        self.generator_average =
            self.generator_average
                .grown(resolution, generator_seed, device)?;
        if let Some(average) = &self.slow_average {
            self.slow_average = Some(average.grown(resolution, generator_seed, device)?);
        }
        let discriminator =
            self.discriminator
                .valid()
                .grown(resolution, discriminator_seed, device)?;
        self.generator = grown.train();
        self.discriminator = discriminator.train();
        self.generator_adam = Adam::new(self.config.corrected_generator_adam());
        self.discriminator_adam = Adam::new(self.config.corrected_discriminator_adam());
        self.path_length_mean.value = 0.0;
        self.stage_images = at_side(&self.images, resolution)?;
        Ok(())
    }

    /// The side of the images that the networks make now; below that of [`images`](Self::images) in the earlier stages
    /// of progressive growing.
    pub fn resolution(&self) -> usize {
        self.stage_images.side()
    }

    /// One iteration: a step of the generator, one of the discriminator, the regularizers' steps where they are due,
    /// and the averages.
    ///
    /// # Errors
    /// When the losses, or a penalty, were not finite many times on end.
    pub fn step(&mut self) -> Result<StepReport, TrainingError> {
        let side = self.images.side();
        let due = resolution_after(&self.config.progressive, self.progress.images, side);
        if due > self.resolution() {
            self.grow(due)?;
        }
        let iteration = self.progress.iterations;
        let batch = self.config.batch_size;
        // Shown before this batch: the official loop counts it after the update.
        let shown = self.progress.images;
        let options = self.config.corrected_generator_adam();
        let warm_up = self.growth().map_or(1.0, Growth::warm_up);
        let [annealed, _] = self.config.annealed(shown);
        self.generator_adam.set_options(AdamOptions {
            learning_rate: options.learning_rate * warm_up * annealed,
            ..options
        });
        let options = self.config.corrected_discriminator_adam();
        self.discriminator_adam.set_options(AdamOptions {
            learning_rate: options.learning_rate * annealed,
            ..options
        });
        let takes_path_length = self.config.regularizes_path_length(iteration);
        let has_vision_aided = !self.vision_aided.is_empty();
        let has_flatness = self.config.flatness_weight > 0.0;
        // Numbers stay on the device until all steps are on their way: reading one makes a GPU wait.
        let real = self.real_images(iteration);
        let (mut measured, fake, factor) = self.step_generator(iteration, &real);
        let path_length = takes_path_length.then(|| self.step_path_length(iteration));
        let fake = match self.config.shared_images {
            true => fake,
            false => self.images_for_discriminators(iteration),
        };
        measured.extend(self.step_discriminators(iteration, real.clone(), fake.clone()));
        let regularizes = self.config.regularizes_discriminator(iteration);
        let penalties = match regularizes {
            true => self.step_gradient_penalties(iteration, real, fake),
            false => [None, None],
        };
        let [takes_r1, takes_r2] = penalties.each_ref().map(Option::is_some);
        let average = self.generator_average.clone();
        self.generator_average = self
            .config
            .average
            .update(average, &self.generator, shown, batch);
        if let (Some(average), Some(slow)) = (self.config.slow_average(), self.slow_average.take())
        {
            self.slow_average = Some(average.update(slow, &self.generator, shown, batch));
        }
        self.progress.iterations += 1;
        self.progress.images += batch as u64;

        measured.extend(path_length);
        measured.extend(penalties.into_iter().flatten());
        let measured = Tensor::cat(measured, 0).into_data();
        let mut measured = measured.iter::<f32>();
        let mut next = || measured.next().expect("one number for each measurement");
        let report = StepReport {
            iteration: self.progress.iterations,
            images: self.progress.images,
            generator_loss: next(),
            vision_aided_generator_loss: has_vision_aided.then(&mut next),
            excess_variation: has_flatness.then(&mut next),
            discriminator_loss: next(),
            real_logit: next(),
            fake_logit: next(),
            vision_aided_discriminator_loss: has_vision_aided.then(&mut next),
            vision_aided_factor: factor,
            path_length: takes_path_length.then(&mut next),
            r1_penalty: takes_r1.then(&mut next),
            r2_penalty: takes_r2.then(&mut next),
        };
        self.check_finite(iteration, &report)?;
        Ok(report)
    }

    /// Counts measurements that are not finite, and stops at many on end.
    fn check_finite(&mut self, iteration: u64, report: &StepReport) -> Result<(), TrainingError> {
        let losses = [
            Some(report.generator_loss),
            report.vision_aided_generator_loss,
            report.vision_aided_discriminator_loss,
        ]
        .into_iter()
        .flatten()
        .find(|loss| !loss.is_finite())
        .unwrap_or(report.discriminator_loss);
        let penalty = [report.r1_penalty, report.r2_penalty]
            .into_iter()
            .flatten()
            .reduce(|r1, r2| if r1.is_finite() { r2 } else { r1 });
        let counts = &mut self.progress.non_finite;
        for (what, value, count) in [
            ("the loss", Some(losses), &mut counts.losses),
            ("the gradient penalty", penalty, &mut counts.r1_penalty),
            (
                "the path length",
                report.path_length,
                &mut counts.path_length,
            ),
        ] {
            let Some(value) = value else {
                continue;
            };
            *count = if value.is_finite() { 0 } else { *count + 1 };
            if *count >= MAX_NON_FINITE {
                return Err(TrainingError::Diverged {
                    what,
                    times: *count,
                    iteration,
                    value,
                });
            }
        }
        Ok(())
    }

    /// The loss at the image discriminator, that of the vision-aided discriminators where there are any, and the excess
    /// of small steps where it has a weight, each `[1]`; the images, on the plain device; and the factor that keeps the
    /// balance, where the options ask for one.
    fn step_generator(
        &mut self,
        iteration: u64,
        real: &Tensor<4>,
    ) -> (Vec<Tensor<1>>, Tensor<4>, Option<f32>) {
        let mut random = self.stream(iteration, Stream::GeneratorLatents);
        let w_plus = self.latents(self.config.batch_size, &mut random, &self.generator.clone());
        let fake = self
            .generator
            .synthesis
            .forward(w_plus, &self.noise(&mut random));
        let balance = self.config.vision_aided.balance;
        let (mut losses, mut total, factor) = match balance {
            Some(bound) if !self.vision_aided.is_empty() => {
                self.balanced_loss(iteration, real, &fake, bound)
            }
            _ => {
                let loss = self.image_loss(iteration, real, &fake);
                let vision_aided = self.vision_aided_loss(iteration, &fake);
                let total = match &vision_aided {
                    Some(sum) => {
                        loss.clone() + sum.clone().mul_scalar(self.config.vision_aided.weight)
                    }
                    None => loss.clone(),
                };
                let losses = [Some(loss), vision_aided].into_iter().flatten();
                (losses.collect::<Vec<_>>(), total, None)
            }
        };
        if self.config.flatness_weight > 0.0 {
            let excess = excess_variation(fake.clone(), Tensor::from_inner(real.clone()));
            total = total + excess.clone().mul_scalar(self.config.flatness_weight);
            losses.push(excess);
        }
        let gradients = total.backward();
        self.generator = self.generator_adam.step(self.generator.clone(), &gradients);
        let losses = losses.into_iter().map(Tensor::inner).collect();
        (losses, fake.inner(), factor)
    }

    /// What the generator pays to the image discriminator for these images, `[1]`.
    fn image_loss(&self, iteration: u64, real: &Tensor<4>, fake: &Tensor<4>) -> Tensor<1> {
        // A discriminator on the plain device is a constant: no gradients of its weights are computed.
        let discriminator = self.discriminator.valid();
        let logits = |images: &Tensor<4>, augment: Stream| {
            let seen = self.augmentation(iteration, augment).apply(images.clone());
            discriminator.forward(seen, None)
        };
        let fake_logits = logits(fake, Stream::GeneratorAugment);
        if !self.config.relativistic {
            return generator_loss(fake_logits);
        }
        let real_logits = logits(real, Stream::GeneratorRealAugment);
        relativistic_generator_loss(fake_logits, Tensor::from_inner(real_logits))
    }

    /// Both losses, one whose gradient at the images is theirs in balance, and the frozen networks' factor in it.
    ///
    /// Either gradient is taken at copies of the images, where its norm can be measured; the generator is passed
    /// through once, as without.
    fn balanced_loss(
        &mut self,
        iteration: u64,
        real: &Tensor<4>,
        fake: &Tensor<4>,
        bound: f64,
    ) -> (Vec<Tensor<1>>, Tensor<1>, Option<f32>) {
        let copy = || Tensor::<4>::from_inner(fake.clone().inner()).require_grad();
        let at = |loss: &Tensor<1>, images: &Tensor<4>| {
            let gradient = images.grad(&loss.clone().backward());
            gradient.expect("a loss depends on the images that it is of")
        };
        let images = copy();
        let loss = self.image_loss(iteration, real, &images);
        let from_image = at(&loss, &images);
        let images = copy();
        let vision_aided = self
            .vision_aided_loss(iteration, &images)
            .expect("there are vision-aided discriminators");
        let weight = self.config.vision_aided.weight;
        let from_vision = at(&vision_aided, &images).mul_scalar(weight);
        let norms = [&from_image, &from_vision].map(|gradient| {
            let norm = gradient.clone().powi_scalar(2).sum().sqrt();
            norm.into_scalar::<f32>()
        });
        self.balance.observe(norms);
        let factor = self.balance.factor(bound);
        let gradient = from_image + from_vision.mul_scalar(factor);
        let total = (fake.clone() * Tensor::from_inner(gradient)).sum();
        (vec![loss, vision_aided], total, Some(factor as f32))
    }

    /// What the generator pays to the vision-aided discriminators for these images, `[1]`.
    fn vision_aided_loss(&self, iteration: u64, fake: &Tensor<4>) -> Option<Tensor<1>> {
        let mut random = self.stream(iteration, Stream::VisionAidedGeneratorAugment);
        self.vision_aided
            .iter()
            .map(|discriminator| {
                let seen = self
                    .vision_aided_augmentation(&mut random)
                    .apply(fake.clone());
                discriminator.generator_loss(seen, &self.config.vision_aided)
            })
            .reduce(|sum, loss| sum + loss)
    }

    /// The mean length, `[1]`.
    fn step_path_length(&mut self, iteration: u64) -> Tensor<1> {
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
        // A mean that is no number would stay so for good.
        if result.running_mean.value.is_finite() {
            self.path_length_mean = result.running_mean;
        }
        // The step stands for those of the whole interval.
        let weight = self.config.path_length_weight * self.config.path_length_interval as f64;
        let gradients = result.mean.mul_scalar(weight).backward();
        self.generator = self.generator_adam.step(self.generator.clone(), &gradients);
        result.lengths.mean()
    }

    /// New images of the generator for the discriminators' step, on the plain device.
    fn images_for_discriminators(&mut self, iteration: u64) -> Tensor<4> {
        let mut random = self.stream(iteration, Stream::DiscriminatorLatents);
        let generator = self.generator.valid();
        let w_plus = self.latents(self.config.batch_size, &mut random, &generator);
        generator
            .synthesis
            .forward(w_plus, &self.noise(&mut random))
    }

    /// The loss and the mean logits of real and of generated images, and the heads' loss where there are any, each
    /// `[1]`.
    fn step_discriminators(
        &mut self,
        iteration: u64,
        real: Tensor<4>,
        fake: Tensor<4>,
    ) -> Vec<Tensor<1>> {
        let heads = self.step_heads(iteration, &real, &fake);
        let fake = self
            .augmentation(iteration, Stream::DiscriminatorFakeAugment)
            .apply(fake);
        let real = self
            .augmentation(iteration, Stream::DiscriminatorRealAugment)
            .apply(real);
        let [fake_logits, real_logits] = logits_of_both(&self.discriminator, fake, real);
        let loss = match self.config.relativistic {
            true => relativistic_discriminator_loss,
            false => discriminator_loss,
        }(fake_logits.clone(), real_logits.clone());
        let gradients = loss.backward();
        self.discriminator = self
            .discriminator_adam
            .step(self.discriminator.clone(), &gradients);
        let mut measured = vec![
            loss.inner(),
            real_logits.inner().mean(),
            fake_logits.inner().mean(),
        ];
        measured.extend(heads);
        measured
    }

    /// A step of every head on real and generated images of the plain device; the sum of their losses, `[1]`.
    fn step_heads(
        &mut self,
        iteration: u64,
        real: &Tensor<4>,
        fake: &Tensor<4>,
    ) -> Option<Tensor<1>> {
        let mut random = self.stream(iteration, Stream::VisionAidedDiscriminatorAugment);
        let mut losses = Vec::with_capacity(self.vision_aided.len());
        for index in 0..self.vision_aided.len() {
            let [real, fake] = [real, fake].map(|images| {
                self.vision_aided_augmentation(&mut random)
                    .apply(images.clone())
            });
            let config = &self.config.vision_aided;
            losses.push(self.vision_aided[index].step(real, fake, config));
        }
        losses.into_iter().reduce(|sum, loss| sum + loss)
    }

    /// A step for R1 and R2, those of them that have a weight; the mean penalties, each `[1]`.
    fn step_gradient_penalties(
        &mut self,
        iteration: u64,
        real: Tensor<4>,
        fake: Tensor<4>,
    ) -> [Option<Tensor<1>>; 2] {
        let pixels = (self.resolution() as f64 / self.images.side() as f64).powi(2);
        let [_, annealed] = self.config.annealed(self.progress.images);
        let of = |gamma: f64, images: Tensor<4>, augment: Stream| {
            (gamma > 0.0).then(|| {
                // Drawn anew, as the official loop augments the images of every phase by themselves.
                let augmentation = self.augmentation(iteration, augment);
                let penalty = r1_penalty_augmented(
                    &self.discriminator,
                    images,
                    None,
                    |x| augmentation.apply(x),
                    |v| augmentation.apply_linear(v),
                );
                // The step stands for those of the whole interval.
                let weight = gamma * annealed * pixels / 2.0 * self.config.r1_interval as f64;
                (
                    penalty.mean.clone().inner(),
                    penalty.mean.mul_scalar(weight),
                )
            })
        };
        let penalties = [
            of(self.config.r1_gamma, real, Stream::R1Augment),
            of(self.config.r2_gamma, fake, Stream::R2Augment),
        ];
        let weighted = penalties
            .iter()
            .flatten()
            .map(|(_, weighted)| weighted.clone());
        if let Some(total) = weighted.reduce(|sum, penalty| sum + penalty) {
            let gradients = total.backward();
            self.discriminator = self
                .discriminator_adam
                .step(self.discriminator.clone(), &gradients);
        }
        penalties.map(|penalty| penalty.map(|(mean, _)| mean))
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
        let images = self.stage_images.batch(&indices, &mirrored, &self.device);
        match self.growth() {
            Some(growth) if growth.detail() < 1.0 => {
                with_detail(images, growth.from, growth.detail())
            }
            _ => images,
        }
    }

    fn growth(&self) -> Option<Growth> {
        Growth::last(&self.config.progressive, self.progress.images)
    }

    fn augmentation(&self, iteration: u64, what: Stream) -> Augmentation {
        let mut random = self.stream(iteration, what);
        self.config
            .augment
            .draw(self.config.batch_size, self.resolution(), &mut random)
    }

    /// Drawn anew for every network, as the authors' code does.
    fn vision_aided_augmentation(&self, random: &mut RandomState) -> Augmentation {
        self.config
            .vision_aided
            .augment
            .draw(self.config.batch_size, self.resolution(), random)
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
