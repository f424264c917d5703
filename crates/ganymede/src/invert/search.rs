//! One way from images to latents, whatever the settings combine.

use burn::tensor::Tensor;
use image_tensor::RgbImage;
use inversion::{
    Inversion, InversionConfig, LossTerms, Progress, Refinement, Start, Step, StopReason,
};
use lpips::Lpips;
use stylegan2::NoiseMode;

use super::settings::{NoiseChoice, Settings, StartChoice};
use super::tell;
use crate::images::to_targets;
use crate::latents::{FoundLatent, Offset, from_tensor};
use crate::regressed_start::RegressedStart;
use crate::{Context, Error, Model, Observer, Phase};

/// Inverts images into a model as settings say.
pub struct Search<'a> {
    settings: &'a Settings,
    config: InversionConfig,
    pub(super) model: &'a Model,
    pub(super) metric: &'a Lpips,
    pub(super) context: &'a Context,
    start: Option<RegressedStart>,
}

/// What was found for one image.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its latents, and what the model itself makes of them.
    pub inversion: Inversion,
    /// What was reached in the end.
    pub reached: Reached,
    /// What is added to the features that they make, where that was asked for.
    pub refinement: Option<Refinement>,
}

/// An image and how like its target it is.
#[derive(Clone, Debug)]
pub struct Reached {
    /// `[1, channels, side, side]` in [-1, 1] (not clipped).
    pub image: Tensor<4>,
    /// Its losses.
    pub losses: LossTerms,
    /// Its peak signal-to-noise ratio as a picture, in dB.
    pub psnr: f64,
}

impl Reached {
    /// By the latents alone.
    pub(crate) fn by_latents(inversion: &Inversion) -> Self {
        let best = &inversion.best;
        Self {
            image: best.image.clone(),
            losses: best.losses,
            psnr: best.psnr,
        }
    }

    fn by(refined: &Refinement) -> Self {
        Self {
            image: refined.image.clone(),
            losses: refined.losses,
            psnr: refined.psnr,
        }
    }
}

impl Found {
    /// Its latents, with what is added to the features.
    pub fn latent(&self) -> FoundLatent {
        FoundLatent {
            w_plus: from_tensor(self.inversion.best.w_plus.clone()).remove(0),
            offset: self
                .refinement
                .as_ref()
                .map(|refined| Offset::of_tensor(&refined.offset)),
        }
    }

    /// Whether it was ended early.
    pub fn is_cancelled(&self) -> bool {
        let is = |stop: StopReason| matches!(stop, StopReason::Cancelled { .. });
        is(self.inversion.stop)
            || self
                .refinement
                .as_ref()
                .is_some_and(|refined| is(refined.stop))
    }
}

impl<'a> Search<'a> {
    /// Prepares the searches; a regressed start may be fitted to the model first.
    ///
    /// # Errors
    ///
    /// As [`RegressedStart::of`], and [`Settings::check_side`]; the block to refine is none of the model's.
    pub fn new(
        settings: &'a Settings,
        seed: u32,
        model: &'a Model,
        metric: &'a Lpips,
        context: &'a Context,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        settings.check_side(&model.name, model.resolution())?;
        if settings.refine {
            settings
                .refinement(context.device())
                .block_of(&model.generator)?;
        }
        let start = match settings.start {
            StartChoice::Sampled | StartChoice::Mean => None,
            StartChoice::Regressed => Some(RegressedStart::of(model, context, observer)?),
        };
        Ok(Self {
            settings,
            config: settings.config(seed, context.device()),
            model,
            metric,
            context,
            start,
        })
    }

    /// Steps of a search for latents.
    pub fn steps(&self) -> usize {
        self.config.steps
    }

    /// Images optimized together.
    pub fn batch(&self) -> usize {
        usize::from(self.settings.batch)
    }

    /// As many steps as pass from one reading of the losses to the next.
    pub fn report_every(&self) -> usize {
        self.config.report_every
    }

    /// Latents of images that are optimized together, and their refinement where the settings ask for it. `what` is the
    /// name of the phase; `seen` sees every step that is read.
    ///
    /// # Errors
    ///
    /// A loss is not finite, or a setting does not fit the model.
    pub fn run(
        &self,
        pixels: &[RgbImage],
        what: &str,
        observer: &mut dyn Observer,
        mut seen: impl FnMut(&mut dyn Observer, &Step<'_>),
    ) -> Result<Vec<Found>, Error> {
        let found = self.latents(pixels, what, observer, &mut seen)?;
        let reached = found.iter().map(Reached::by_latents).collect();
        self.refined(
            found, reached, self.model, pixels, what, observer, &mut seen,
        )
    }

    /// The first half of [`run`](Self::run).
    pub(crate) fn latents(
        &self,
        pixels: &[RgbImage],
        what: &str,
        observer: &mut dyn Observer,
        seen: &mut impl FnMut(&mut dyn Observer, &Step<'_>),
    ) -> Result<Vec<Inversion>, Error> {
        let device = self.context.device();
        let targets = to_targets(pixels, &self.model.generator, device);
        let regressed = self
            .start
            .as_ref()
            .map(|start| start.latents(pixels, device));
        let config = match regressed.transpose()? {
            Some(latents) => &InversionConfig {
                start: Start::Given(latents),
                ..self.config.clone()
            },
            None => &self.config,
        };
        observer.begin(&Phase::new(what, config.steps));
        let generator = &self.model.generator;
        let found = inversion::invert_with(generator, self.metric, targets, config, |progress| {
            tell(observer, progress);
            if let Progress::Step(step) = progress {
                seen(observer, step);
            }
            observer.flow()
        })?;
        observer.end();
        Ok(found)
    }

    /// The second half, with `model` in place of the one that was searched, such as a tuned one, and what that has
    /// reached.
    #[expect(
        clippy::too_many_arguments,
        reason = "the halves of one function share what it has"
    )]
    pub(crate) fn refined(
        &self,
        found: Vec<Inversion>,
        reached: Vec<Reached>,
        model: &Model,
        pixels: &[RgbImage],
        what: &str,
        observer: &mut dyn Observer,
        seen: &mut impl FnMut(&mut dyn Observer, &Step<'_>),
    ) -> Result<Vec<Found>, Error> {
        if !self.settings.refine || observer.cancelled() {
            let plain = |(inversion, reached)| Found {
                inversion,
                reached,
                refinement: None,
            };
            return Ok(found.into_iter().zip(reached).map(plain).collect());
        }
        let device = self.context.device();
        let targets = to_targets(pixels, &model.generator, device);
        let config = self.settings.refinement(device);
        let w_plus = found.iter().map(|i| i.best.w_plus.clone()).collect();
        let noise = self.noise(&found);
        observer.begin(&Phase::new(&format!("{what}, refined"), config.steps));
        let refined = inversion::refine_with(
            &model.generator,
            self.metric,
            targets,
            Tensor::cat(w_plus, 0),
            &noise,
            &config,
            |progress| {
                tell(observer, progress);
                if let Progress::Step(step) = progress {
                    seen(observer, step);
                }
                observer.flow()
            },
        )?;
        observer.end();
        let pairs = found.into_iter().zip(refined);
        Ok(pairs
            .map(|(inversion, refinement)| Found {
                inversion,
                reached: Reached::by(&refinement),
                refinement: Some(refinement),
            })
            .collect())
    }

    /// The noise images that the latents were found with.
    pub(crate) fn noise(&self, found: &[Inversion]) -> NoiseMode {
        match self.settings.noise {
            NoiseChoice::Constant => NoiseMode::Constant,
            NoiseChoice::None => NoiseMode::None,
            NoiseChoice::Optimized => {
                let layers = found
                    .first()
                    .map_or(0, |first| first.best.noise_images.len());
                let of_layer = |layer: usize| {
                    let images = found.iter().map(|i| i.best.noise_images[layer].clone());
                    Tensor::cat(images.collect(), 0)
                };
                NoiseMode::Given((0..layers).map(of_layer).collect())
            }
        }
    }
}
