use std::ops::ControlFlow;

use burn::tensor::Tensor;
use lpips::Lpips;
use serde::{Deserialize, Serialize};
use stylegan2::{BlockOutput, FeatureOffset, Generator, NoiseMode};

use crate::adam_variable::AdamVariable;
use crate::objective::{Evaluation, Objective, Targets, TermKind, mean_square, read};
use crate::{
    InversionConfig, InversionError, LossTerms, Progress, Schedule, Step, StopReason,
    psnr_of_pictures,
};

/// Settings of [`refine`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RefinementConfig {
    /// Side of the output of the block behind which features are changed; `None` for a quarter of the image's side.
    pub block: Option<usize>,
    /// Number of Adam steps.
    pub steps: usize,
    /// Adam's learning rate where the schedule's factor is 1, in units of the features' root mean square.
    pub learning_rate: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Weight of the LPIPS distance.
    pub lambda_lpips: f32,
    /// Weight of the mean squared error of the pixels in [-1, 1].
    pub lambda_mse: f32,
    /// Weight of the mean square of the offset, in units of the features' root mean square.
    pub lambda_offset: f32,
    /// LPIPS of a place from which on its features are changed freely; where it is less, in proportion.
    pub mask_level: f32,
    /// As [`InversionConfig::report_every`].
    pub report_every: usize,
}

impl Default for RefinementConfig {
    /// A quarter of the side, 230 steps. The repository's `docs/results.md` has the measurements behind them.
    fn default() -> Self {
        Self {
            block: None,
            steps: 230,
            learning_rate: 0.12,
            schedule: Schedule::OFFICIAL_RAMP,
            lambda_lpips: 1.0,
            lambda_mse: 5.0,
            lambda_offset: 0.001,
            mask_level: 0.02,
            report_every: 1,
        }
    }
}

impl RefinementConfig {
    /// Checks every setting's range.
    ///
    /// # Errors
    /// [`InversionError::Setting`] names the first that is out of range, and the range.
    pub fn validate(&self) -> Result<(), InversionError> {
        self.search().validate()?;
        for (setting, value) in [
            ("refinement.lambda_offset", self.lambda_offset),
            ("refinement.mask_level", self.mask_level),
        ] {
            if !(0.0..=1e12).contains(&value) {
                return Err(InversionError::Setting {
                    setting,
                    found: value.to_string(),
                    expected: "a number from 0 to 1e12",
                });
            }
        }
        Ok(())
    }

    /// What it has in common with a search for latents.
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

    /// The side of the block that is refined in a generator.
    ///
    /// # Errors
    /// [`InversionError::NoSuchBlock`] when the generator has none of the side that is asked for.
    pub fn block_of(&self, generator: &Generator) -> Result<usize, InversionError> {
        const QUARTER: usize = 4;
        let network = &generator.synthesis;
        let resolution = network.img_resolution();
        let expected: Vec<usize> = network.inner_resolutions().collect();
        let found = match self.block {
            Some(block) => block,
            // The smallest networks have no block of a quarter.
            None => expected
                .iter()
                .copied()
                .find(|side| *side >= resolution / QUARTER)
                .unwrap_or(resolution),
        };
        match expected.contains(&found) {
            true => Ok(found),
            false => Err(InversionError::NoSuchBlock {
                found,
                resolution,
                expected,
            }),
        }
    }
}

/// The refined inversion of one target. All tensors are on the plain device.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Refinement {
    /// What is added to the features, `[1, channels, side, side]`, with the mask applied.
    pub offset: FeatureOffset,
    /// Where and how freely features were changed, `[1, 1, side, side]` in [0, 1].
    pub mask: Tensor<4>,
    /// Updates before this offset.
    pub step: usize,
    /// The image, `[1, channels, resolution, resolution]` in [-1, 1] (not clipped).
    pub image: Tensor<4>,
    /// LPIPS distance, MSE and the rest of the objective.
    pub losses: LossTerms,
    /// [`psnr_of_pictures`].
    pub psnr: f64,
    /// Losses of each step that was read, before its update.
    pub curve: Vec<LossTerms>,
    /// Why it ended.
    pub stop: StopReason,
}

/// Where an image is out of reach: LPIPS at every pixel `[batch, 1, height, width]`, averaged to `side` x `side`, over
/// `level`, at most 1.
///
/// A level of 0 gives 1 everywhere.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use inversion::offset_mask;
///
/// let map = Tensor::<1>::from_floats([0.0, 0.2, 0.4, 0.4, 0.1, 0.1, 1.0, 0.0], &Device::flex());
/// let mask = offset_mask(map.reshape([1, 1, 2, 4]).repeat_dim(2, 2), 2, 0.5);
/// // The means are 0.1, 0.45, 0.1 and 0.45.
/// for (found, expected) in mask.into_data().iter::<f32>().zip([0.2, 0.9, 0.2, 0.9]) {
///     assert!((found - expected).abs() < 1e-6);
/// }
/// ```
///
/// # Panics
/// When height or width is no multiple of the side.
pub fn offset_mask(map: Tensor<4>, side: usize, level: f32) -> Tensor<4> {
    let [batch, _, height, width] = map.dims();
    assert!(
        height.is_multiple_of(side) && width.is_multiple_of(side),
        "expected a map whose sides are multiples of {side}, found {height} x {width}"
    );
    if level == 0.0 {
        return Tensor::ones([batch, 1, side, side], &map.device());
    }
    let cells: Tensor<6> = map.reshape([batch, 1, side, height / side, side, width / side]);
    let means = cells
        .mean_dim(5)
        .mean_dim(3)
        .reshape([batch, 1, side, side]);
    (means / level).clamp(0.0, 1.0)
}

/// Searches offsets of the features behind one block that make the images of latents more like their targets, where
/// they are not.
///
/// With f_k(w_plus) the features behind block k, g_k the rest of the network, r the root mean square of an image's
/// features and m its mask, [`offset_mask`] of the LPIPS map of g(w_plus), this is
///
/// ```text
/// minimize over d:  lambda_lpips LPIPS(x, t) + lambda_mse mean((x - t)^2) + lambda_offset mean(d^2),  x = g_k(f_k(w_plus) + r m d)
/// ```
///
/// by Adam from d = 0. The latents stay, so that edits of them move the picture as before, and the offset `r m d` is
/// added to what they make. The idea of an optimized feature map is that of BDInvert (Kang et al. 2021, "GAN Inversion
/// for Out-of-Range Images with Geometric Transformations"), and that of changing only where the generator fails of Xu
/// et al. 2023, "Domain-specific Hybrid Refinement".
///
/// `targets` and `w_plus` are `[batch, channels, resolution, resolution]` in [-1, 1] and `[batch, num_ws, w_dim]`;
/// `noise` is that of the inversion. The results are the best that were read. [`refine_with`] tells how far it is and
/// can be ended.
///
/// # Errors
/// As there.
pub fn refine(
    generator: &Generator,
    lpips: &Lpips,
    targets: Tensor<4>,
    w_plus: Tensor<3>,
    noise: &NoiseMode,
    config: &RefinementConfig,
) -> Result<Vec<Refinement>, InversionError> {
    let unheard = |_: &Progress<'_>| ControlFlow::Continue(());
    refine_with(generator, lpips, targets, w_plus, noise, config, unheard)
}

/// As [`refine`]; `on_progress` hears of every [`report_every`](RefinementConfig::report_every)th step and may end the
/// search.
///
/// # Errors
/// When targets, latents, the block or a setting do not fit, or an image's loss is not finite before the first update.
pub fn refine_with(
    generator: &Generator,
    lpips: &Lpips,
    targets: Tensor<4>,
    w_plus: Tensor<3>,
    noise: &NoiseMode,
    config: &RefinementConfig,
    mut on_progress: impl FnMut(&Progress<'_>) -> ControlFlow<()>,
) -> Result<Vec<Refinement>, InversionError> {
    config.validate()?;
    let side = config.block_of(generator)?;
    let objective = Objective::new(generator, lpips, &config.search())?;
    let targets = objective.prepare(targets)?;
    let w_plus = objective.latents_of(w_plus, &targets)?;
    let search = Search::new(objective, targets, w_plus, noise, side, config);
    search.run(&mut on_progress)
}

/// The least of the losses that were read of an image, with its offset in units of the features.
struct Best {
    step: usize,
    total: f64,
    offset: Tensor<4>,
}

struct Search<'a> {
    objective: Objective<'a>,
    targets: Targets,
    w_plus: Tensor<3>,
    noise: &'a NoiseMode,
    block: BlockOutput,
    mask: Tensor<4>,
    /// The mask times the features' root mean square, `[batch, 1, side, side]`.
    scale: Tensor<4>,
    config: &'a RefinementConfig,
}

impl<'a> Search<'a> {
    fn new(
        objective: Objective<'a>,
        targets: Targets,
        w_plus: Tensor<3>,
        noise: &'a NoiseMode,
        side: usize,
        config: &'a RefinementConfig,
    ) -> Self {
        let network = &objective.generator().synthesis;
        let block = network.forward_to(side, w_plus.clone(), noise);
        let images = network.forward_from(block.clone(), w_plus.clone(), noise);
        let map = objective.spatial_distance(images, &targets);
        let mask = offset_mask(map, side, config.mask_level);
        let batch = w_plus.dims()[0];
        let size = mean_square(block.features.clone()).sqrt();
        let scale = mask.clone() * size.reshape([batch, 1, 1, 1]);
        Self {
            objective,
            targets,
            w_plus,
            noise,
            block,
            mask,
            scale,
            config,
        }
    }

    /// Images and losses with offsets `[batch, channels, side, side]` before their scale.
    fn evaluate(&self, offsets: Tensor<4>) -> Evaluation {
        let block = BlockOutput {
            resolution: self.block.resolution,
            features: self.block.features.clone() + offsets.clone() * self.scale.clone(),
            rgb: self.block.rgb.clone(),
        };
        let network = &self.objective.generator().synthesis;
        let images = network.forward_from(block, self.w_plus.clone(), self.noise);
        let mut evaluation = self.objective.judge(images, &self.w_plus, &self.targets);
        let pull = mean_square(offsets);
        evaluation.add(TermKind::OffsetPull, self.config.lambda_offset, pull);
        evaluation
    }

    fn run(
        self,
        on_progress: &mut impl FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Result<Vec<Refinement>, InversionError> {
        let steps = self.config.steps;
        let batch = self.w_plus.dims()[0];
        let active: Vec<usize> = (0..batch).collect();
        let mut offsets = AdamVariable::new(self.block.features.zeros_like());
        let mut best: Vec<Option<Best>> = (0..batch).map(|_| None).collect();
        let mut curves: Vec<Vec<LossTerms>> = vec![Vec::new(); batch];
        let mut stop = StopReason::Finished;
        for step in 0..=steps {
            let rate = self.config.learning_rate * self.config.schedule.factor(step, steps.max(1));
            let leaf = offsets.leaf();
            let evaluation = self.evaluate(leaf.clone());
            let is_last = step == steps;
            let mut gradients = (!is_last).then(|| evaluation.sum().backward());
            if is_last || step.is_multiple_of(self.config.report_every) {
                let losses = read([&evaluation]).remove(0);
                for (image, losses) in losses.iter().enumerate() {
                    if step == 0 && !losses.total.is_finite() {
                        return Err(InversionError::NonFiniteLoss { image, step });
                    }
                    if best[image]
                        .as_ref()
                        .is_none_or(|best| losses.total < best.total)
                    {
                        best[image] = Some(Best {
                            step,
                            total: losses.total,
                            offset: offsets.value().narrow(0, image, 1),
                        });
                    }
                    if !is_last {
                        curves[image].push(*losses);
                    }
                }
                let flow = match is_last {
                    true => ControlFlow::Continue(()),
                    false => on_progress(&Progress::Step(Step {
                        step,
                        steps,
                        learning_rate: rate,
                        active: &active,
                        losses: &losses,
                        w_plus: &self.w_plus,
                        images: &evaluation.images,
                        targets: self.targets.pixels(),
                    })),
                };
                if flow.is_break() {
                    stop = StopReason::Cancelled { step };
                    break;
                }
            }
            if let Some(gradients) = &mut gradients {
                offsets.step(rate, &leaf, gradients);
            }
        }
        let best: Vec<Best> = best.into_iter().flatten().collect();
        Ok(self.finish(best, curves, stop))
    }

    fn finish(
        self,
        best: Vec<Best>,
        curves: Vec<Vec<LossTerms>>,
        stop: StopReason,
    ) -> Vec<Refinement> {
        let offsets = Tensor::cat(best.iter().map(|best| best.offset.clone()).collect(), 0);
        let evaluation = self.evaluate(offsets.clone());
        let losses = read([&evaluation]).remove(0);
        let psnr = psnr_of_pictures(evaluation.images.clone(), self.targets.pixels().clone());
        let scaled = offsets * self.scale.clone();
        best.iter()
            .zip(curves)
            .enumerate()
            .map(|(row, (best, curve))| Refinement {
                offset: FeatureOffset {
                    resolution: self.block.resolution,
                    values: scaled.clone().narrow(0, row, 1),
                },
                mask: self.mask.clone().narrow(0, row, 1),
                step: best.step,
                image: evaluation.images.clone().narrow(0, row, 1),
                losses: losses[row],
                psnr: psnr[row],
                curve,
                stop,
            })
            .collect()
    }
}
