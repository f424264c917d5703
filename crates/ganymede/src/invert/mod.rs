//! Inverts images into a model: finds the latents whose images look like the given ones.

mod course;
mod files;
mod loss_plot;
mod settings;

use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::{Device, Tensor};
use image_tensor::{RgbImage, from_signed_unit};
use inversion::{Inversion, InversionConfig, Progress, StopReason};
use lpips::Lpips;
use serde::{Deserialize, Serialize};

pub use course::tell;
pub use files::InversionFiles;
pub(crate) use files::write;
pub use settings::{LpipsNetwork, Noise, Schedule, Settings, Space};

use crate::device::DeviceChoice;
use crate::files::{Names, make_folder};
use crate::images::{Target, bad_images, image_of, query_image_of, to_targets};
use crate::{Context, DEFAULT_MODEL, Error, Model, Observer, Phase, Preview};

/// What is inverted, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct Options {
    /// Images to invert: files, folders, .zip or .tar archives; - for standard input [default: a query image of the model's kind]
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE", num_args = 1..))]
    pub image: Vec<PathBuf>,
    /// Leave out images that cannot be read, and say so
    #[cfg_attr(feature = "clap", arg(long))]
    pub skip_bad: bool,
    /// A model of the zoo, or a generator file
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().model))]
    pub model: String,
    /// Also write the course of the optimisation as an animated GIF
    #[cfg_attr(feature = "clap", arg(long))]
    pub animation: bool,
    /// How the inversion goes.
    #[cfg_attr(feature = "clap", command(flatten))]
    pub inversion: Settings,
    /// Seed of everything random
    #[cfg_attr(feature = "clap", arg(skip))]
    pub seed: u32,
    /// Folder for the pictures. None are written without
    #[cfg_attr(feature = "clap", arg(skip))]
    pub out: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            image: Vec::new(),
            skip_bad: false,
            model: DEFAULT_MODEL.to_owned(),
            animation: false,
            inversion: Settings::default(),
            seed: 0,
            out: None,
        }
    }
}

impl Options {
    /// Whether the values make sense together, as far as that can be said before the model is known.
    ///
    /// # Errors
    ///
    /// As [`Settings::validate`].
    pub fn validate(&self) -> Result<(), Error> {
        self.inversion.validate()
    }
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The model's name.
    pub model: String,
    /// As in the options.
    pub space: Space,
    /// Steps that were asked for.
    pub steps: usize,
    /// Network of the LPIPS distance.
    pub lpips_network: String,
    /// Where it was computed.
    pub device: DeviceChoice,
    /// In the order of the images.
    pub inversions: Vec<Inverted>,
    /// Median over the images, in dB; none without images.
    pub median_psnr: Option<f64>,
    /// Median over the images; none without images.
    pub median_lpips: Option<f64>,
    /// Whether the observer ended the job: images are missing, or were inverted in fewer steps than were asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

/// An inverted image.
#[derive(Clone, Debug, Serialize)]
pub struct Inverted {
    /// Its file.
    pub image: String,
    /// The model's name.
    pub model: String,
    /// LPIPS of the reconstruction from the image.
    pub lpips: f64,
    /// Peak signal-to-noise ratio of the written picture, in dB; infinite, which is `null` in JSON, where it is the image.
    pub psnr: f64,
    /// Mean squared error of pixels in [-1, 1].
    pub mse: f64,
    /// Euclidean distance of the latents from the mean latent, over all layers.
    pub w_plus_distance: f64,
    /// Optimisation steps done.
    pub steps: usize,
    /// Wall time of the image's batch, divided by its images.
    pub seconds: f64,
    /// Why it ended.
    pub stop: Stop,
    /// Width and height in the file.
    pub original_size: (u32, u32),
    /// What was written, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<InversionFiles>,
    /// The latents that were found, `[1, num_ws, w_dim]`.
    #[serde(skip)]
    pub w_plus: Tensor<3>,
}

/// Why an optimisation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// All steps were done.
    Finished,
    /// The loss no longer fell.
    EarlyStopping,
    /// The observer ended the job.
    Cancelled,
    /// The loss was no longer finite; the latents are from before.
    NonFiniteLoss,
}

/// Updates of the latents that were done, and why no more were.
pub fn ended(inversion: &Inversion) -> (usize, Stop) {
    match inversion.stop {
        StopReason::EarlyStopping { step } => (step, Stop::EarlyStopping),
        StopReason::Cancelled { step } => (step, Stop::Cancelled),
        StopReason::NonFiniteLoss { step } => (step, Stop::NonFiniteLoss),
        StopReason::Finished => (inversion.curve.len(), Stop::Finished),
    }
}

/// An animation has at most this many frames before the last, and an observer sees as many.
const MOST_FRAMES: usize = 60;

/// Inverts the images, `batch` at a time. The observer hears LPIPS and PSNR, means over the images that are optimised together, at every step that is read,
/// and sees each image's reconstruction under the name of its files, `MODEL-IMAGE`: on the way where it wants previews, and at its end. When it ends the job,
/// what was found until then is written and returned.
///
/// Images of any size are cut to their central square and resized to the model's. For each image target, reconstruction and difference are written as one
/// PNG, the losses as SVG, and the latents as safetensors.
///
/// ```
/// use ganymede::invert::{self, Settings};
/// use ganymede::{Context, Device};
///
/// let context = Context::new(Device::flex());
/// let options = invert::Options {
///     model: "micah".to_owned(),
///     image: vec![context.weights()?.queries().join("micah/2.png")],
///     inversion: Settings { steps: 20, ..Settings::default() },
///     ..invert::Options::default()
/// };
/// let outcome = invert::run(&options, &context, &mut ())?;
/// let found = &outcome.inversions[0];
/// assert_eq!(found.w_plus.dims(), [1, 10, 64]);
/// assert!(found.psnr > 10.0 && found.lpips < 0.5);
/// # Ok::<(), ganymede::Error>(())
/// ```
///
/// # Errors
///
/// The model or an image cannot be loaded, LPIPS does not take images of the model's size, a loss is not finite, or a file cannot be written.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    options.validate()?;
    let settings = &options.inversion;
    let model = context.model(&options.model)?;
    let paths = match options.image.is_empty() {
        true => vec![query_image_of(&model.name, &context.weights()?)?],
        false => options.image.clone(),
    };
    // All images are read first, so that a wrong name is found before the work and not after it.
    settings.check_side(&model.name, model.resolution())?;
    let bad_images = bad_images(options.skip_bad);
    let targets = Target::load_all(&paths, model.resolution(), bad_images, observer)?;
    let network = settings.lpips.network();
    let metric = context.lpips(network)?;
    if let Some(out) = &options.out {
        make_folder(out)?;
    }
    let job = Job {
        config: settings.config(options.seed, context.device()),
        model: &model,
        metric: &metric,
        device: context.device(),
        animation: options.animation && options.out.is_some(),
    };
    let mut names = Names::default();
    let mut inversions: Vec<Inverted> = Vec::new();
    let mut cancelled = false;
    for batch in targets.chunks(usize::from(settings.batch)) {
        if observer.cancelled() {
            cancelled = true;
            break;
        }
        let named: Vec<String> = batch
            .iter()
            .map(|target| names.unique(&format!("{}-{}", model.name, target.stem)))
            .collect();
        let started = Instant::now();
        let what = format!(
            "image {} of {}",
            inversions.len() + batch.len(),
            targets.len()
        );
        let done = job.invert(batch, &named, &what, observer)?;
        let seconds = started.elapsed().as_secs_f64() / batch.len() as f64;
        for ((target, name), (inversion, frames)) in batch.iter().zip(&named).zip(done) {
            let files = match &options.out {
                Some(out) => Some(write(out, name, &model, target, &inversion, &frames)?),
                None => None,
            };
            observer.preview(&Preview::new(name, &image_of(&inversion.best.image)));
            let found = Inverted::new(&model, target, inversion, seconds, files);
            cancelled |= found.stop == Stop::Cancelled;
            inversions.push(found);
        }
    }
    let median = |value: fn(&Inverted) -> f64| median(inversions.iter().map(value).collect());
    Ok(Outcome {
        model: model.name.clone(),
        space: settings.space,
        steps: settings.steps,
        lpips_network: network.to_string(),
        device: DeviceChoice::of(context.device()),
        median_psnr: median(|found| found.psnr),
        median_lpips: median(|found| found.lpips),
        inversions,
        cancelled,
    })
}

impl Inverted {
    fn new(
        model: &Model,
        target: &Target,
        inversion: Inversion,
        seconds: f64,
        files: Option<InversionFiles>,
    ) -> Self {
        let (steps, stop) = ended(&inversion);
        let best = inversion.best;
        Self {
            image: target.path.display().to_string(),
            model: model.name.clone(),
            lpips: best.losses.lpips,
            psnr: best.psnr,
            mse: best.losses.mse,
            w_plus_distance: best.w_plus_distance,
            steps,
            seconds,
            stop,
            original_size: target.original_size,
            files,
            w_plus: best.w_plus,
        }
    }
}

/// What all batches of a job share.
pub(crate) struct Job<'a> {
    pub(crate) config: InversionConfig,
    pub(crate) model: &'a Model,
    pub(crate) metric: &'a Lpips,
    pub(crate) device: &'a Device,
    /// Whether frames are kept.
    pub(crate) animation: bool,
}

impl Job<'_> {
    /// Each image's result and frames. `names` are those of its previews, `what` that of the phase.
    pub(crate) fn invert(
        &self,
        batch: &[Target],
        names: &[String],
        what: &str,
        observer: &mut dyn Observer,
    ) -> Result<Vec<(Inversion, Vec<RgbImage>)>, Error> {
        let pixels: Vec<RgbImage> = batch.iter().map(|target| target.pixels.clone()).collect();
        let targets = to_targets(&pixels, &self.model.generator, self.device);
        let mut frames = vec![Vec::new(); batch.len()];
        let frame_steps = self.config.steps.div_ceil(MOST_FRAMES).max(1);
        observer.begin(&Phase::new(what, self.config.steps));
        let inversions = inversion::invert(
            &self.model.generator,
            self.metric,
            targets,
            &self.config,
            |progress| {
                tell(observer, progress);
                if let Progress::Step(now) = progress
                    && (self.animation || observer.wants_previews())
                    && now.step % frame_steps < self.config.report_every
                {
                    let images = from_signed_unit(now.images.clone());
                    for (image, frame) in now.active.iter().zip(images) {
                        observer.preview(&Preview::new(&names[*image], &frame));
                        if self.animation {
                            frames[*image].push(frame);
                        }
                    }
                }
                observer.flow()
            },
        )?;
        observer.end();
        Ok(inversions.into_iter().zip(frames).collect())
    }
}

/// The middle value, the mean of the two in the middle for an even number; none for no values.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}
