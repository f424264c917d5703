use std::ops::ControlFlow;

use burn::tensor::{Int, Tensor, TensorData};
use lpips::Lpips;
use stylegan2::{Generator, NoiseMode};

use crate::adam_variable::AdamVariable;
use crate::latents::Latents;
use crate::noise_regularization::normalize_noise;
use crate::objective::{Evaluation, Objective, Targets, read};
use crate::perturbation::Perturb;
use crate::start::{start_latents, start_noise};
use crate::tracker::{Snapshot, Tracker};
use crate::{
    Inversion, InversionConfig, InversionError, LossTerms, Noise, Progress, Solution, Step,
    StopReason, psnr_of_pictures,
};

/// Searches the latents whose images are most like `targets` `[batch, channels, resolution, resolution]` in [-1, 1].
///
/// `channels` and `resolution` are the generator's. A gray generator's images are compared as three equal channels.
/// Those with opacity are compared as they look over white, and so may have targets of three channels; where a picture
/// is white, its opacity is not known from it. `lpips` takes values in [-1, 1] (its default). Both networks are used as
/// constants wherever their weights lie; computation is on the generator's device.
///
/// [`invert_with`] tells how far it is and can be ended.
///
/// # Errors
/// As there.
pub fn invert(
    generator: &Generator,
    lpips: &Lpips,
    targets: Tensor<4>,
    config: &InversionConfig,
) -> Result<Vec<Inversion>, InversionError> {
    invert_with(generator, lpips, targets, config, |_| {
        ControlFlow::Continue(())
    })
}

/// As [`invert`], heard by `on_progress`.
///
/// `on_progress` is called while the start is chosen, then with the losses of every
/// [`report_every`](InversionConfig::report_every)th step, and may end the search with [`ControlFlow::Break`]: the
/// result is then what was found so far. An image that stops early, or whose loss becomes non-finite after it had
/// fallen, leaves the batch with its best latents and the others go on.
///
/// # Errors
/// When the targets, the start or a setting do not fit, or an image's loss is not finite before it has fallen below
/// that of the start.
pub fn invert_with(
    generator: &Generator,
    lpips: &Lpips,
    targets: Tensor<4>,
    config: &InversionConfig,
    mut on_progress: impl FnMut(&Progress<'_>) -> ControlFlow<()>,
) -> Result<Vec<Inversion>, InversionError> {
    config.validate()?;
    let objective = Objective::new(generator, lpips, config)?;
    let all_targets = objective.prepare(targets)?;
    let batch = all_targets.pixels().dims()[0];
    let mut cancelled = false;
    let start = start_latents(config, &objective, &all_targets, |chosen, samples| {
        let flow = on_progress(&Progress::Start { chosen, samples });
        cancelled |= flow.is_break();
        flow
    })?;
    let mut search = Search {
        latents: Latents::new(config.optimizer, start),
        noise_images: start_noise(config, &objective, batch)?
            .into_iter()
            .map(AdamVariable::new)
            .collect(),
        targets: all_targets.clone(),
        active: (0..batch).collect(),
        trackers: (0..batch).map(|_| Tracker::default()).collect(),
        perturb: config
            .perturbation
            .map(|settings| Perturb::new(settings, &objective)),
        objective,
        config,
    };
    if cancelled {
        search.cancel(0);
    } else {
        search.run(&mut on_progress)?;
    }
    search.finish(&all_targets)
}

/// The state of an optimization. Rows of the variables and of `targets` belong to the images of `active`.
struct Search<'a> {
    objective: Objective<'a>,
    config: &'a InversionConfig,
    perturb: Option<Perturb>,
    latents: Latents,
    noise_images: Vec<AdamVariable<4>>,
    targets: Targets,
    active: Vec<usize>,
    trackers: Vec<Tracker>,
}

impl Search<'_> {
    fn run(
        &mut self,
        on_progress: &mut impl FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Result<(), InversionError> {
        let steps = self.config.steps;
        let mut unread: Vec<Evaluation> = Vec::new();
        for step in 0..steps {
            let rate = self.config.learning_rate * self.config.schedule.factor(step, steps);
            let latents_leaf = self.latents.leaf();
            let noise_leaves: Vec<Tensor<4>> =
                self.noise_images.iter().map(AdamVariable::leaf).collect();
            let latents = match &self.perturb {
                Some(perturb) => perturb.apply(latents_leaf.clone(), step, steps),
                None => latents_leaf.clone(),
            };
            let w_plus = self.objective.w_plus(latents.clone());
            let evaluation = self.objective.evaluate(
                w_plus.clone(),
                &self.noise_mode(noise_leaves.clone()),
                &self.targets,
            );
            let mut gradients = evaluation.sum().backward();
            unread.push(evaluation.without_graph());

            // The start's losses are read at once: they are what a search falls back on.
            let reports = step.is_multiple_of(self.config.report_every) || step + 1 == steps;
            let reads = reports || self.latents.needs_losses();
            let mut flow = ControlFlow::Continue(());
            let mut totals = Vec::new();
            if reads {
                let evaluated = Snapshot {
                    step,
                    latents: latents.without_autodiff(),
                    noise_images: noise_leaves
                        .iter()
                        .cloned()
                        .map(Tensor::without_autodiff)
                        .collect(),
                };
                let losses = self.read(&unread, evaluated)?;
                let images = unread.pop().expect("this step's evaluation").images;
                unread.clear();
                totals.extend(losses.iter().map(|losses| losses.total));
                if reports {
                    flow = on_progress(&Progress::Step(Step {
                        step,
                        steps,
                        learning_rate: rate,
                        active: &self.active,
                        losses: &losses,
                        w_plus: &w_plus.without_autodiff(),
                        images: &images,
                        targets: self.targets.pixels(),
                    }));
                }
            }
            if flow.is_break() {
                self.cancel(step);
                return Ok(());
            }

            self.latents
                .step(rate, &latents_leaf, &mut gradients, &totals);
            for (image, leaf) in self.noise_images.iter_mut().zip(&noise_leaves) {
                image.step(rate, leaf, &mut gradients);
                image.map(normalize_noise);
            }
            if reads {
                for image in &self.active {
                    self.trackers[*image].settle(step + 1);
                }
                self.retire(step + 1);
                self.shrink();
                if self.active.is_empty() {
                    return Ok(());
                }
            }
        }
        for image in &self.active {
            self.trackers[*image].stop = Some(StopReason::Finished);
        }
        self.retire(steps);
        Ok(())
    }

    /// Ends the search before the update of `step`.
    fn cancel(&mut self, step: usize) {
        for image in &self.active {
            self.trackers[*image]
                .stop
                .get_or_insert(StopReason::Cancelled { step });
        }
        self.retire(step);
    }

    fn noise_mode(&self, images: Vec<Tensor<4>>) -> NoiseMode {
        match self.config.noise {
            Noise::Constant => NoiseMode::Constant,
            Noise::None => NoiseMode::None,
            Noise::Optimized(_) => NoiseMode::Given(images),
        }
    }

    /// Reads the losses of the steps up to `evaluated`, and keeps that step's numbers for images that have none better.
    /// Returns that step's losses of the active images.
    fn read(
        &mut self,
        unread: &[Evaluation],
        evaluated: Snapshot,
    ) -> Result<Vec<LossTerms>, InversionError> {
        let mut by_step = read(unread);
        let first_step = evaluated.step + 1 - by_step.len();
        for (row, image) in self.active.iter().enumerate() {
            let tracker = &mut self.trackers[*image];
            for (index, losses) in by_step.iter().enumerate() {
                tracker.record(first_step + index, losses[row], self.config.early_stopping);
            }
            if let (Some(StopReason::NonFiniteLoss { step }), None) = (tracker.stop, tracker.best())
            {
                return Err(InversionError::NonFiniteLoss {
                    image: *image,
                    step,
                });
            }
            let total = by_step.last().map_or(f64::NAN, |losses| losses[row].total);
            tracker.offer(total, || row_of(&evaluated, row));
        }
        Ok(by_step.pop().unwrap_or_default())
    }

    /// Takes the current numbers of the images that have stopped, after `updates` updates.
    fn retire(&mut self, updates: usize) {
        let current = Snapshot {
            step: updates,
            latents: self.latents.value(),
            noise_images: self.noise_images.iter().map(AdamVariable::value).collect(),
        };
        for (row, image) in self.active.iter().enumerate() {
            let tracker = &mut self.trackers[*image];
            match tracker.stop {
                // Numbers behind a non-finite loss are of no use.
                None | Some(StopReason::NonFiniteLoss { .. }) => {}
                Some(_) => tracker.last = Some(row_of(&current, row)),
            }
        }
    }

    /// Takes stopped images out of the batch, so that no time goes into them.
    fn shrink(&mut self) {
        let kept: Vec<usize> = (0..self.active.len())
            .filter(|row| self.trackers[self.active[*row]].stop.is_none())
            .collect();
        if kept.len() == self.active.len() {
            return;
        }
        self.active = kept.iter().map(|row| self.active[*row]).collect();
        if self.active.is_empty() {
            return;
        }
        let indices: Vec<i32> = kept.iter().map(|row| *row as i32).collect();
        let rows = Tensor::<1, Int>::from_data(
            TensorData::new(indices, [kept.len()]),
            &self.objective.device(),
        );
        self.latents.keep(&kept, &rows);
        for image in &mut self.noise_images {
            image.keep(&rows);
        }
        self.targets = self.targets.select(rows);
    }

    /// Evaluates the last and the best numbers of every image.
    fn finish(mut self, targets: &Targets) -> Result<Vec<Inversion>, InversionError> {
        // An image without last numbers had a non-finite loss after its best.
        let last: Vec<Snapshot> = self
            .trackers
            .iter()
            .map(|tracker| {
                let snapshot = tracker.last.as_ref().or(tracker.best());
                snapshot
                    .expect("an image ends with last numbers or a best")
                    .clone()
            })
            .collect();
        let last_solutions = self.solve(&last, targets);
        let mut best = Vec::with_capacity(last.len());
        let mut last_is_best = true;
        for (image, (last, solution)) in last.into_iter().zip(&last_solutions).enumerate() {
            let tracker = &mut self.trackers[image];
            // The last update may have been the best one, or have led astray.
            last_is_best &= tracker.offer(solution.losses.total, || last);
            let Some(snapshot) = tracker.best() else {
                return Err(InversionError::NonFiniteLoss {
                    image,
                    step: solution.step,
                });
            };
            if let Some(step) = tracker.led_nowhere() {
                return Err(InversionError::NonFiniteLoss { image, step });
            }
            best.push(snapshot.clone());
        }
        let best_solutions = if last_is_best {
            last_solutions.clone()
        } else {
            self.solve(&best, targets)
        };
        let solutions = best_solutions.into_iter().zip(last_solutions);
        Ok(self
            .trackers
            .into_iter()
            .zip(solutions)
            .map(|(tracker, (best, last))| Inversion {
                best,
                last,
                curve: tracker.curve,
                stop: tracker.stop.unwrap_or(StopReason::Finished),
            })
            .collect())
    }

    /// Images and measures of one snapshot per target.
    fn solve(&self, snapshots: &[Snapshot], targets: &Targets) -> Vec<Solution> {
        let latents = snapshots.iter().map(|s| s.latents.clone()).collect();
        let w_plus = self.objective.w_plus(Tensor::cat(latents, 0));
        let noise_images = (0..self.noise_images.len())
            .map(|layer| {
                let images = snapshots.iter().map(|s| s.noise_images[layer].clone());
                Tensor::cat(images.collect(), 0)
            })
            .collect();
        let evaluation =
            self.objective
                .evaluate(w_plus.clone(), &self.noise_mode(noise_images), targets);
        let losses = read([&evaluation]).remove(0);
        let psnr = psnr_of_pictures(evaluation.images.clone(), targets.pixels().clone());
        let distances = self.distances(w_plus.clone());
        snapshots
            .iter()
            .zip(losses)
            .enumerate()
            .map(|(row, (snapshot, losses))| Solution {
                step: snapshot.step,
                w_plus: w_plus.clone().narrow(0, row, 1),
                noise_images: snapshot.noise_images.clone(),
                image: evaluation.images.clone().narrow(0, row, 1),
                losses,
                psnr: psnr[row],
                w_plus_distance: distances[row],
            })
            .collect()
    }

    /// `|w_plus - w_avg|` per image.
    fn distances(&self, w_plus: Tensor<3>) -> Vec<f64> {
        let [batch, layers, w_dim] = w_plus.dims();
        let apart: Tensor<2> = (w_plus - self.objective.w_avg()).reshape([batch, layers * w_dim]);
        let squares: Vec<f32> = (apart.clone() * apart)
            .sum_dim(1)
            .into_data()
            .convert::<f32>()
            .try_to_vec()
            .expect("converted to f32 above");
        squares
            .iter()
            .map(|square| f64::from(*square).sqrt())
            .collect()
    }
}

fn row_of(batch: &Snapshot, row: usize) -> Snapshot {
    Snapshot {
        step: batch.step,
        latents: batch.latents.clone().narrow(0, row, 1),
        noise_images: batch
            .noise_images
            .iter()
            .map(|image| image.clone().narrow(0, row, 1))
            .collect(),
    }
}
