use std::collections::BTreeMap;
use std::ops::ControlFlow;

use burn::tensor::{Int, Tensor, TensorData};
use lpips::Lpips;
use serde::{Deserialize, Serialize};
use stylegan2::{Generator, LowRank, NoiseMode, RandomState, WeightDelta};

use crate::adam_variable::AdamVariable;
use crate::objective::{Evaluation, Objective, Targets, read};
use crate::start::chunk_of;
use crate::w_statistics::sample_w;
use crate::{
    InversionConfig, InversionError, LossTerms, Progress, Schedule, Step, StopReason,
    psnr_of_pictures,
};

/// Settings of [`tune`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TuningConfig {
    /// Number of Adam steps.
    pub steps: usize,
    /// Adam's learning rate where the schedule's factor is 1. The weights themselves are of size 1.
    pub learning_rate: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Weight of the LPIPS distance.
    pub lambda_lpips: f32,
    /// Weight of the mean squared error of the pixels in [-1, 1].
    pub lambda_mse: f32,
    /// What keeps other images as they are.
    pub locality: Locality,
    /// Most bytes of the file of the change, which the rank follows from.
    pub bytes: u64,
    /// Images that pass the network together.
    pub batch: usize,
    /// As [`InversionConfig::report_every`].
    pub report_every: usize,
}

/// The regularizer that keeps the images of random latents.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locality {
    /// Weight of LPIPS and MSE of such images from what they were, in the weights of the targets' terms.
    pub lambda: f32,
    /// Random latents that take turns.
    pub samples: usize,
    /// Of them in each step.
    pub batch: usize,
    /// Steps from one to the next that has them; their gradient counts so much more.
    pub every: usize,
    /// Seed of the latents.
    pub seed: u32,
}

impl Default for TuningConfig {
    /// 100 KB, 280 steps. The repository's `docs/results.md` has the measurements behind them.
    fn default() -> Self {
        Self {
            steps: 280,
            learning_rate: 0.012,
            schedule: Schedule::OFFICIAL_RAMP,
            lambda_lpips: 1.0,
            lambda_mse: 5.0,
            locality: Locality {
                lambda: 0.25,
                samples: 64,
                batch: 2,
                every: 2,
                seed: 7,
            },
            bytes: 100_000,
            batch: 4,
            report_every: 1,
        }
    }
}

impl TuningConfig {
    /// Checks every setting's range.
    ///
    /// # Errors
    /// [`InversionError::Setting`] names the first that is out of range, and the range.
    pub fn validate(&self) -> Result<(), InversionError> {
        self.search().validate()?;
        let locality = &self.locality;
        if !(0.0..=1e12).contains(&locality.lambda) {
            return Err(InversionError::Setting {
                setting: "tuning.locality.lambda",
                found: locality.lambda.to_string(),
                expected: "a number from 0 to 1e12",
            });
        }
        for (setting, value) in [
            ("tuning.batch", self.batch),
            ("tuning.locality.samples", locality.samples),
            ("tuning.locality.batch", locality.batch),
            ("tuning.locality.every", locality.every),
        ] {
            if !(1..=1_000_000).contains(&value) {
                return Err(InversionError::Setting {
                    setting,
                    found: value.to_string(),
                    expected: "1 to 1000000",
                });
            }
        }
        Ok(())
    }

    fn search(&self) -> InversionConfig {
        InversionConfig {
            steps: self.steps,
            learning_rate: self.learning_rate,
            schedule: self.schedule,
            lambda_lpips: self.lambda_lpips,
            lambda_mse: self.lambda_mse,
            report_every: self.report_every,
            ..InversionConfig::default()
        }
    }
}

/// A generator that was tuned to some images. All tensors are on the plain device.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Tuning {
    /// The change of its weights.
    pub delta: WeightDelta,
    /// The rank of the change.
    pub rank: usize,
    /// The images of the latents, `[batch, channels, resolution, resolution]` in [-1, 1] (not clipped).
    pub images: Tensor<4>,
    /// Of each image.
    pub losses: Vec<LossTerms>,
    /// [`psnr_of_pictures`] of each image.
    pub psnr: Vec<f64>,
    /// Mean LPIPS of the images of random latents from what they were: others than those of the regularizer.
    pub moved: f64,
    /// Mean losses of the images of each step that was read, before its update.
    pub curve: Vec<LossTerms>,
    /// Why it ended.
    pub stop: StopReason,
}

/// Random latents that [`Tuning::moved`] is measured with. Their seed is the regularizer's next, so that they are
/// others.
const MEASURED: usize = 32;
/// Seed of what the factors start from.
const SEED_OF_FACTORS: u32 = 11;

/// Changes a generator a little so that the images of some latents, all together, become more like their targets and
/// those of other latents stay.
///
/// Pivotal tuning (Roich et al. 2021, "Pivotal Tuning for Latent-based Editing of Real Images"), with a change of low
/// rank of every convolution, `W + up down`, in place of all weights, so that it is small and can be kept for each
/// picture:
///
/// ```text
/// minimize over up, down:  mean over targets of  lambda_lpips LPIPS(g'(w), t) + lambda_mse mean((g'(w) - t)^2)
///                        + lambda mean over random latents v of  lambda_lpips LPIPS(g'(v), g(v)) + lambda_mse mean((g'(v) - g(v))^2)
/// ```
///
/// Differs from the authors' code: there the regularizer's latents lie near the pivots, on the way to random ones. Here
/// they are the random ones, as it is their images that must stay, and as edits of a pivot should keep what was tuned
/// for it.
///
/// `targets` and `w_plus` are `[batch, channels, resolution, resolution]` in [-1, 1] and `[batch, num_ws, w_dim]`;
/// `noise` is that of the inversion. [`tune_with`] tells how far it is and can be ended.
///
/// # Errors
/// As there.
pub fn tune(
    generator: &Generator,
    lpips: &Lpips,
    targets: Tensor<4>,
    w_plus: Tensor<3>,
    noise: &NoiseMode,
    config: &TuningConfig,
) -> Result<Tuning, InversionError> {
    let unheard = |_: &Progress<'_>| ControlFlow::Continue(());
    tune_with(generator, lpips, targets, w_plus, noise, config, unheard)
}

/// As [`tune`]; `on_progress` hears of every [`report_every`](TuningConfig::report_every)th step and may end the search
/// with what it has.
///
/// # Errors
/// When targets, latents or a setting do not fit, no change is small enough, or a loss is not finite.
pub fn tune_with(
    generator: &Generator,
    lpips: &Lpips,
    targets: Tensor<4>,
    w_plus: Tensor<3>,
    noise: &NoiseMode,
    config: &TuningConfig,
    mut on_progress: impl FnMut(&Progress<'_>) -> ControlFlow<()>,
) -> Result<Tuning, InversionError> {
    config.validate()?;
    let objective = Objective::new(generator, lpips, &config.search())?;
    let targets = objective.prepare(targets)?;
    let w_plus = objective.latents_of(w_plus, &targets)?;
    let shapes = objective.generator().weight_shapes();
    let rank = WeightDelta::rank_within(&shapes, config.bytes);
    if rank == 0 {
        return Err(InversionError::NoRank {
            bytes: config.bytes,
        });
    }
    let others = match config.locality.lambda > 0.0 {
        true => {
            let Locality { samples, seed, .. } = config.locality;
            Some(Others::new(&objective, samples, seed)?)
        }
        false => None,
    };
    let factors = start_factors(&shapes, rank, &objective);
    let mut search = Search {
        objective,
        targets,
        w_plus,
        noise,
        others,
        factors,
        config,
    };
    let (curve, stop) = search.run(&mut on_progress)?;
    search.finish(rank, curve, stop)
}

/// `up` and `down` of each weight: the product is 0, and steps of `up` move the weights by about their own length.
fn start_factors(
    shapes: &BTreeMap<String, [usize; 2]>,
    rank: usize,
    objective: &Objective<'_>,
) -> BTreeMap<String, [AdamVariable<2>; 2]> {
    let device = objective.device();
    let mut random = RandomState::new(SEED_OF_FACTORS);
    let factor = |(name, [out, inputs]): (&String, &[usize; 2])| {
        let rank = rank.min(*out);
        let scale = 1.0 / (rank as f32).sqrt();
        let values: Vec<f32> = random
            .standard_normals(rank * inputs)
            .into_iter()
            .map(|value| value * scale)
            .collect();
        let down = Tensor::from_data(TensorData::new(values, [rank, *inputs]), &device);
        let up = Tensor::zeros([*out, rank], &device);
        (name.clone(), [up, down].map(AdamVariable::new))
    };
    shapes.iter().map(factor).collect()
}

/// Random latents, and what the generator makes of them before it is changed.
struct Others {
    /// `[samples, num_ws, w_dim]`
    w_plus: Tensor<3>,
    images: Targets,
}

impl Others {
    fn new(objective: &Objective<'_>, samples: usize, seed: u32) -> Result<Self, InversionError> {
        let w: Tensor<3> = sample_w(objective.generator(), samples, seed).unsqueeze_dim(1);
        let w_plus = objective.w_plus(w) + 0.0;
        let network = &objective.generator().synthesis;
        let chunk = chunk_of(network.img_resolution());
        let images = (0..samples)
            .step_by(chunk)
            .map(|first| {
                let count = chunk.min(samples - first);
                let some = w_plus.clone().narrow(0, first, count);
                network.forward(some, &NoiseMode::Constant)
            })
            .collect();
        Ok(Self {
            images: objective.prepare(Tensor::cat(images, 0))?,
            w_plus,
        })
    }

    fn count(&self) -> usize {
        self.w_plus.dims()[0]
    }

    /// The losses of some of them with a changed generator.
    fn evaluate(&self, objective: &Objective<'_>, changed: &Generator, rows: &[i32]) -> Evaluation {
        let rows = rows_of(rows, objective);
        let w_plus = self.w_plus.clone().select(0, rows.clone());
        let images = changed
            .synthesis
            .forward(w_plus.clone(), &NoiseMode::Constant);
        objective.judge(images, &w_plus, &self.images.select(rows))
    }
}

fn rows_of(rows: &[i32], objective: &Objective<'_>) -> Tensor<1, Int> {
    Tensor::from_data(
        TensorData::new(rows.to_vec(), [rows.len()]),
        &objective.device(),
    )
}

/// The next `count` of `total` things that take turns.
fn turn(first: usize, count: usize, total: usize) -> Vec<i32> {
    (0..count.min(total))
        .map(|index| ((first + index) % total) as i32)
        .collect()
}

struct Search<'a> {
    objective: Objective<'a>,
    targets: Targets,
    w_plus: Tensor<3>,
    noise: &'a NoiseMode,
    others: Option<Others>,
    factors: BTreeMap<String, [AdamVariable<2>; 2]>,
    config: &'a TuningConfig,
}

impl Search<'_> {
    fn changed(&self, weights: &BTreeMap<String, LowRank>) -> Generator {
        self.objective.generator().with_changes(weights)
    }

    /// Images and losses of the latents at some rows with a changed generator.
    fn evaluate(&self, changed: &Generator, rows: &[i32]) -> Evaluation {
        let indices = rows_of(rows, &self.objective);
        let w_plus = self.w_plus.clone().select(0, indices.clone());
        let noise = match self.noise {
            NoiseMode::Given(images) => {
                let of_rows = images.iter().map(|image| match image.dims()[0] {
                    1 => image.clone(),
                    _ => image.clone().select(0, indices.clone()),
                });
                NoiseMode::Given(of_rows.collect())
            }
            other => other.clone(),
        };
        let images = changed.synthesis.forward(w_plus.clone(), &noise);
        self.objective
            .judge(images, &w_plus, &self.targets.select(indices))
    }

    fn run(
        &mut self,
        on_progress: &mut impl FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Result<(Vec<LossTerms>, StopReason), InversionError> {
        let steps = self.config.steps;
        let images = self.w_plus.dims()[0];
        let locality = self.config.locality;
        let mut curve = Vec::new();
        let mut turns = 0;
        for step in 0..steps {
            let rate = self.config.learning_rate * self.config.schedule.factor(step, steps);
            let leaves: BTreeMap<String, LowRank> = self
                .factors
                .iter()
                .map(|(name, [up, down])| {
                    let leaves = LowRank {
                        up: up.leaf(),
                        down: down.leaf(),
                    };
                    (name.clone(), leaves)
                })
                .collect();
            let changed = self.changed(&leaves);
            let rows = turn(step * self.config.batch, self.config.batch, images);
            let evaluation = self.evaluate(&changed, &rows);
            let mut loss = evaluation.sum() / rows.len() as f32;
            if let Some(others) = &self.others
                && step.is_multiple_of(locality.every)
            {
                let rows = turn(turns * locality.batch, locality.batch, others.count());
                turns += 1;
                let moved = others.evaluate(&self.objective, &changed, &rows).sum();
                let weight = locality.lambda * locality.every as f32 / rows.len() as f32;
                loss = loss + moved * weight;
            }
            let mut gradients = loss.backward();
            if step.is_multiple_of(self.config.report_every) {
                let losses = read([&evaluation]).remove(0);
                if let Some(row) = losses.iter().position(|l| !l.total.is_finite()) {
                    let image = rows[row] as usize;
                    return Err(InversionError::NonFiniteLoss { image, step });
                }
                curve.push(mean_of(&losses));
                let active: Vec<usize> = rows.iter().map(|row| *row as usize).collect();
                let indices = rows_of(&rows, &self.objective);
                let flow = on_progress(&Progress::Step(Step {
                    step,
                    steps,
                    learning_rate: rate,
                    active: &active,
                    losses: &losses,
                    w_plus: &self.w_plus.clone().select(0, indices.clone()),
                    images: &evaluation.images,
                    targets: self.targets.select(indices).pixels(),
                }));
                if flow.is_break() {
                    return Ok((curve, StopReason::Cancelled { step }));
                }
            }
            for (name, leaf) in &leaves {
                if let Some([up, down]) = self.factors.get_mut(name) {
                    up.step(rate, &leaf.up, &mut gradients);
                    down.step(rate, &leaf.down, &mut gradients);
                }
            }
        }
        Ok((curve, StopReason::Finished))
    }

    fn finish(
        self,
        rank: usize,
        curve: Vec<LossTerms>,
        stop: StopReason,
    ) -> Result<Tuning, InversionError> {
        let weights: BTreeMap<String, LowRank> = self
            .factors
            .iter()
            .map(|(name, [up, down])| {
                let factors = LowRank {
                    up: up.value(),
                    down: down.value(),
                };
                (name.clone(), factors)
            })
            .collect();
        let changed = self.changed(&weights);
        let (mut images, mut losses) = (Vec::new(), Vec::new());
        let count = self.w_plus.dims()[0];
        for first in (0..count).step_by(self.config.batch) {
            let rows = turn(first, self.config.batch.min(count - first), count);
            let evaluation = self.evaluate(&changed, &rows);
            losses.extend(read([&evaluation]).remove(0));
            images.push(evaluation.images);
        }
        if let Some(image) = losses.iter().position(|l| !l.total.is_finite()) {
            let step = curve.len();
            return Err(InversionError::NonFiniteLoss { image, step });
        }
        let images = Tensor::cat(images, 0);
        let seed = self.config.locality.seed.wrapping_add(1);
        let others = Others::new(&self.objective, MEASURED, seed)?;
        let rows = turn(0, MEASURED, MEASURED);
        let mut moved = 0.0;
        for rows in rows.chunks(chunk_of(
            self.objective.generator().synthesis.img_resolution(),
        )) {
            let evaluation = others.evaluate(&self.objective, &changed, rows);
            moved += read([&evaluation])
                .remove(0)
                .iter()
                .map(|losses| losses.lpips)
                .sum::<f64>();
        }
        Ok(Tuning {
            rank,
            psnr: psnr_of_pictures(images.clone(), self.targets.pixels().clone()),
            images,
            losses,
            moved: moved / MEASURED as f64,
            curve,
            stop,
            delta: WeightDelta {
                generator: self.objective.generator().content_sha256(),
                weights,
            },
        })
    }
}

fn mean_of(losses: &[LossTerms]) -> LossTerms {
    let mean = |term: fn(&LossTerms) -> f64| {
        losses.iter().map(term).sum::<f64>() / losses.len().max(1) as f64
    };
    LossTerms {
        total: mean(|losses| losses.total),
        lpips: mean(|losses| losses.lpips),
        mse: mean(|losses| losses.mse),
        ..LossTerms::default()
    }
}
