//! The inversions themselves.

use burn::tensor::{Device, Tensor};
use inversion::{InversionConfig, Progress, StopReason};
use lpips::Lpips;
use model_zoo::Zoo;
use web_time::Instant;

use super::cache::{Cache, Kept, Measures};
use super::plan::{Plan, Work};
use crate::images::{image_of, to_targets};
use crate::latents::from_tensor;
use crate::{Error, Model, Number, Observer, Phase, rendering};

/// Inverts images and keeps the results.
pub struct Inverter<'a> {
    pub plan: &'a Plan,
    pub cache: &'a Cache,
    pub zoo: &'a Zoo,
    pub config: &'a InversionConfig,
    /// Images that are optimized together, always as many.
    pub batch: usize,
    /// The metric of the loss.
    pub loss: &'a Lpips,
    pub alex: &'a Lpips,
    pub vgg: &'a Lpips,
    pub device: &'a Device,
}

impl Inverter<'_> {
    /// Inverts what is given, in its order, until the observer ends it. What is done then is kept.
    pub fn invert(&self, missing: &[&Work], observer: &mut dyn Observer) -> Result<(), Error> {
        let of_models = || missing.chunk_by(|a, b| a.model == b.model);
        let batches: usize = of_models()
            .map(|work| work.len().div_ceil(self.batch))
            .sum();
        let steps = self.config.steps;
        observer.begin(&Phase::new("inversions", batches * steps.max(1)));
        let (mut batch, mut images) = (0, 0);
        for work in of_models() {
            let model = Model::of_zoo(self.zoo.model(&work[0].model)?, self.device)?;
            for work in work.chunks(self.batch) {
                observer.position((batch * steps) as u64);
                observer.numbers(&[
                    Number::new("image", (images + work.len()) as f64, "", 0),
                    Number::new("of", missing.len() as f64, "", 0),
                ]);
                self.invert_batch(&model, work, (batch * steps) as u64, observer)?;
                batch += 1;
                images += work.len();
            }
        }
        observer.end();
        Ok(())
    }

    /// Inverts at most a batch.
    fn invert_batch(
        &self,
        model: &Model,
        work: &[&Work],
        before: u64,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let started = Instant::now();
        // A batch that is not full repeats its images, as results depend on its size in their last digits.
        let pixels: Vec<_> = work
            .iter()
            .cycle()
            .take(self.batch)
            .map(|work| self.plan.image(work).pixels.clone())
            .collect();
        let targets = to_targets(&pixels, &model.generator, self.device);
        let inversions = inversion::invert_with(
            &model.generator,
            self.loss,
            targets.clone(),
            self.config,
            |now| {
                if let Progress::Step(now) = now {
                    observer.position(before + now.step as u64);
                }
                observer.flow()
            },
        )
        .map_err(|e| Error::Model {
            model: model.name.clone(),
            problem: e.to_string(),
        })?;
        observer.go_on()?;
        let images: Vec<Tensor<4>> = inversions.iter().map(|i| i.best.image.clone()).collect();
        let images = Tensor::cat(images, 0);
        let alex = rendering::distances(self.alex, images.clone(), targets.clone())?;
        let vgg = rendering::distances(self.vgg, images, targets)?;
        let seconds = started.elapsed().as_secs_f64() / work.len() as f64;
        for (row, (work, inversion)) in work.iter().zip(inversions).enumerate() {
            let image = &self.plan.image(work).name;
            if let StopReason::NonFiniteLoss { step } = inversion.stop {
                return Err(Error::Model {
                    model: model.name.clone(),
                    problem: format!(
                        "{image}: the loss was not finite at step {step}; try a lower learning rate"
                    ),
                });
            }
            let best = inversion.best;
            let kept = Kept {
                measures: Measures {
                    lpips_alex: alex[row],
                    lpips_vgg: vgg[row],
                    psnr: best.psnr,
                    mse: best.losses.mse,
                    w_plus_distance: best.w_plus_distance,
                },
                reconstruction: image_of(&best.image),
                w_plus: from_tensor(best.w_plus).remove(0),
                seconds: Some(seconds),
            };
            let about = [("image", image.as_str()), ("model", model.name.as_str())];
            self.cache.keep(&work.key, &kept, &about)?;
        }
        Ok(())
    }
}
