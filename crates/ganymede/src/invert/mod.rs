//! Inverts images into a model: finds the latents whose images look like the given ones.

mod course;
mod files;
mod loss_plot;
mod search;
mod settings;
#[cfg(test)]
mod tests;
mod tuning;

use std::path::PathBuf;

use burn::tensor::Tensor;
use image_tensor::{RgbImage, from_signed_unit};
use inversion::{Inversion, Step, StopReason, TuningConfig};
use serde::{Deserialize, Serialize};
use web_time::Instant;

pub use course::tell;
pub use files::InversionFiles;
pub(crate) use files::write;
pub use search::{Found, Reached, Search};
pub use settings::{NoiseChoice, OptimizerChoice, ScheduleChoice, Settings, Space, StartChoice};
pub use tuning::TuningResult;

use crate::device::DeviceChoice;
use crate::feature_offset::Offset;
use crate::files::{Names, make_folder};
use crate::images::{Target, bad_images, image_of, query_image_of};
use crate::latents::from_tensor;
use crate::median::median;
use crate::picture::{Latent, LatentsText, OffsetText, Refined};
use crate::{Context, DEFAULT_MODEL, Error, Model, Observer, Preview};

/// What is inverted, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct Options {
    /// Images to invert: files, folders, .zip or .tar archives; - for standard input [default: a query image of the
    /// model's kind]
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE", num_args = 1..))]
    pub image: Vec<PathBuf>,
    /// Leave out images that cannot be read, and say so
    #[cfg_attr(feature = "clap", arg(long))]
    pub skip_bad: bool,
    /// A model of the zoo, or a generator file
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().model))]
    pub model: String,
    /// Also write the course of the optimization as an animated GIF
    #[cfg_attr(feature = "clap", arg(long))]
    pub animation: bool,
    /// Then tune the model to all images together; the change becomes a file for --tuned, and other images of the model
    /// stay
    #[cfg_attr(feature = "clap", arg(long))]
    pub tune: bool,
    /// Optimization steps of --tune
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().tune_steps))]
    pub tune_steps: usize,
    /// Adam's learning rate of --tune
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().tune_learning_rate))]
    pub tune_learning_rate: f64,
    /// Weight of what keeps other images of the model in --tune
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().lambda_locality))]
    pub lambda_locality: f32,
    /// Most bytes of the file of --tune [default: 100000, or 5 % of a larger model's weights]
    #[cfg_attr(feature = "clap", arg(long, value_name = "BYTES"))]
    pub tune_bytes: Option<u64>,
    /// How the inversion goes.
    #[cfg_attr(feature = "clap", command(flatten))]
    pub inversion: Settings,
    /// Seed of everything random
    #[cfg_attr(feature = "clap", arg(skip))]
    pub seed: u32,
    /// Folder for the pictures. None are written without
    #[cfg_attr(feature = "clap", arg(skip))]
    pub out: Option<PathBuf>,
    /// File for the change of the model [default: in the folder for the pictures]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "clap", arg(skip))]
    pub tuned_file: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        let tuning = TuningConfig::default();
        Self {
            tune: false,
            tune_steps: tuning.steps,
            tune_learning_rate: tuning.learning_rate,
            lambda_locality: tuning.locality.lambda,
            tune_bytes: None,
            image: Vec::new(),
            skip_bad: false,
            model: DEFAULT_MODEL.to_owned(),
            animation: false,
            inversion: Settings::default(),
            seed: 0,
            out: None,
            tuned_file: None,
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
        tuning::config(self, 0, 1).validate()?;
        self.inversion.validate()
    }
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
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
    /// The change of the model, where it was tuned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuning: Option<TuningResult>,
    /// Whether the observer ended the job: images are missing, or were inverted in fewer steps than were asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

/// An inverted image.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Inverted {
    /// Its file.
    pub image: String,
    /// The model's name.
    pub model: String,
    /// LPIPS of the reconstruction from the image.
    pub lpips: f64,
    /// Peak signal-to-noise ratio of the written picture, in dB; infinite, which is `null` in JSON, where it is the
    /// image.
    pub psnr: f64,
    /// Mean squared error of pixels in [-1, 1].
    pub mse: f64,
    /// Euclidean distance of the latents from the mean latent, over all layers.
    pub w_plus_distance: f64,
    /// Optimization steps done.
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
    /// What is added to the features that they make, where they were refined.
    #[serde(skip)]
    pub offset: Option<Offset>,
}

/// Why an optimization ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
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
        // All steps were done, or it ended for a reason that this version has no word for.
        _ => (inversion.curve.len(), Stop::Finished),
    }
}

/// A search for latents gives an animation at most this many frames, and an observer as many previews; a refinement
/// adds its own at the same interval of steps.
const MOST_FRAMES: usize = 60;

/// Inverts the images, `batch` at a time. The observer hears LPIPS and PSNR, means over the images that are optimized
/// together, at every step that is read, and sees each image's reconstruction under the name of its files,
/// `MODEL-IMAGE`: on the way where it wants previews, and at its end. When it ends the job, what was found until then
/// is written and returned.
///
/// Images of any size are cut to their central square and resized to the model's. For each image target, reconstruction
/// and difference are written as one PNG, the losses as SVG, and the latents as safetensors.
///
/// ```
/// use ganymede::invert::{self, Settings};
/// use ganymede::{Context, Device};
/// # if ganymede::Weights::open(None).is_err() { return Ok(()) }
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
/// The model or an image cannot be loaded, LPIPS does not take images of the model's size, a loss is not finite, or a
/// file cannot be written.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    options.validate()?;
    if options.tune && context.is_tuned() {
        return Err(Error::option(
            "tune",
            "",
            "the model is tuned already, and a change of a tuned model fits none that can be loaded; tune the model as it was",
        ));
    }
    let settings = &options.inversion;
    let model = context.model(&options.model)?;
    if options.tune {
        tuning::check(options, &model)?;
    }
    let paths = match options.image.is_empty() {
        true => vec![query_image_of(&model.name, &context.weights()?)?],
        false => options.image.clone(),
    };
    // All images are read first, so that a wrong name is found before the work and not after it.
    settings.check_side(&model.name, model.resolution())?;
    let bad_images = bad_images(options.skip_bad);
    let targets = Target::load_all(&paths, model.resolution(), bad_images, observer)?;
    let network = settings.lpips;
    let metric = context.lpips(network)?;
    if let Some(out) = &options.out {
        make_folder(out)?;
    }
    let search = Search::new(settings, options.seed, &model, &metric, context, observer)?;
    let mut job = Job {
        options,
        search,
        inversions: Vec::new(),
        cancelled: false,
    };
    let mut names = Names::default();
    let mut waiting: Vec<Batch<'_>> = Vec::new();
    let mut begun = 0;
    for batch in targets.chunks(usize::from(settings.batch)) {
        if observer.cancelled() {
            job.cancelled = true;
            break;
        }
        let named: Vec<String> = batch
            .iter()
            .map(|target| names.unique(&format!("{}-{}", model.name, target.stem)))
            .collect();
        begun += batch.len();
        let what = format!("image {begun} of {}", targets.len());
        let batch = job.latents(batch, named, what, observer)?;
        match options.tune {
            // What changes the model for all images needs all of them.
            true => waiting.push(batch),
            false => job.finish(batch, &model, None, observer)?,
        }
    }
    let mut tuning = None;
    if !waiting.is_empty() && observer.cancelled() {
        // Nothing is tuned yet: what the latents reach is kept, and so is the change that an earlier run wrote.
        job.cancelled = true;
        for batch in waiting {
            job.finish(batch, &model, None, observer)?;
        }
    } else if !waiting.is_empty() {
        let tuned = tuning::tune(options, &model, &waiting, &job.search, context, observer)?;
        for (batch, reached) in waiting.into_iter().zip(tuned.reached) {
            job.finish(
                batch,
                &tuned.model,
                Some((reached, tuned.seconds)),
                observer,
            )?;
        }
        job.cancelled |= tuned.cancelled;
        tuning = Some(tuned.result);
    }
    let Job {
        inversions,
        cancelled,
        ..
    } = job;
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
        tuning,
        cancelled,
    })
}

impl Inverted {
    /// The latent as a recipe takes it, with the offset of a refined one.
    pub fn latent(&self) -> Latent {
        let w_plus = LatentsText::of(&from_tensor(self.w_plus.clone())[0]);
        match &self.offset {
            Some(offset) => Latent::Refined(Refined {
                w_plus,
                offset: OffsetText::of(offset),
            }),
            None => Latent::WPlus(w_plus),
        }
    }

    fn new(
        model: &Model,
        target: &Target,
        found: Found,
        seconds: f64,
        files: Option<InversionFiles>,
    ) -> Self {
        let (steps, stop) = ended(&found.inversion);
        let latent = found.latent();
        let best = found.inversion.best;
        Self {
            image: target.path.display().to_string(),
            model: model.name.clone(),
            lpips: found.reached.losses.lpips,
            psnr: found.reached.psnr,
            mse: found.reached.losses.mse,
            w_plus_distance: best.w_plus_distance,
            steps,
            seconds,
            stop,
            original_size: target.original_size,
            files,
            w_plus: best.w_plus,
            offset: latent.offset,
        }
    }
}

/// Images whose latents were searched together.
struct Batch<'a> {
    targets: &'a [Target],
    inversions: Vec<Inversion>,
    seen: Seen,
    what: String,
    /// Of all its images.
    seconds: f64,
}

impl Batch<'_> {
    fn pixels(&self) -> Vec<RgbImage> {
        self.targets
            .iter()
            .map(|target| target.pixels.clone())
            .collect()
    }
}

/// What a job has so far.
struct Job<'a> {
    options: &'a Options,
    search: Search<'a>,
    inversions: Vec<Inverted>,
    cancelled: bool,
}

impl Job<'_> {
    fn latents<'t>(
        &self,
        targets: &'t [Target],
        names: Vec<String>,
        what: String,
        observer: &mut dyn Observer,
    ) -> Result<Batch<'t>, Error> {
        let started = Instant::now();
        let keeps = self.options.animation && self.options.out.is_some();
        let mut batch = Batch {
            targets,
            inversions: Vec::new(),
            seen: Seen::new(&self.search, names, keeps),
            what,
            seconds: 0.0,
        };
        let pixels = batch.pixels();
        let seen = &mut batch.seen;
        batch.inversions =
            self.search
                .latents(&pixels, &batch.what, observer, &mut |observer, step| {
                    seen.see(observer, step);
                })?;
        batch.seconds = started.elapsed().as_secs_f64();
        Ok(batch)
    }

    /// Refines where that was asked for, writes, and keeps the results. `tuned` is what a tuned model has reached, and
    /// how long that took for each image.
    fn finish(
        &mut self,
        batch: Batch<'_>,
        model: &Model,
        tuned: Option<(Vec<Reached>, f64)>,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let started = Instant::now();
        let pixels = batch.pixels();
        let Batch {
            targets,
            inversions,
            mut seen,
            what,
            seconds,
        } = batch;
        let (reached, more_seconds) = match tuned {
            Some(tuned) => tuned,
            None => (inversions.iter().map(Reached::by_latents).collect(), 0.0),
        };
        let found = self.search.refined(
            inversions,
            reached,
            model,
            &pixels,
            &what,
            observer,
            &mut |observer, step| seen.see(observer, step),
        )?;
        let refining = started.elapsed().as_secs_f64();
        let seconds = (seconds + refining) / targets.len() as f64 + more_seconds;
        let named = seen.names.iter().zip(&seen.frames);
        for ((target, (name, frames)), found) in targets.iter().zip(named).zip(found) {
            let files = match &self.options.out {
                Some(out) => Some(write(out, name, model, target, &found, frames)?),
                None => None,
            };
            observer.preview(&Preview::new(name, &image_of(&found.reached.image)));
            self.cancelled |= found.is_cancelled();
            let inverted = Inverted::new(model, target, found, seconds, files);
            self.inversions.push(inverted);
        }
        Ok(())
    }
}

/// Shows the steps of a search as previews, and keeps some as frames.
pub(crate) struct Seen {
    names: Vec<String>,
    frames: Vec<Vec<RgbImage>>,
    keeps: bool,
    every: usize,
    report_every: usize,
}

impl Seen {
    /// `names` are those of the previews; frames are kept where `keeps` says so.
    pub(crate) fn new(search: &Search<'_>, names: Vec<String>, keeps: bool) -> Self {
        Self::within(search.steps(), search.report_every(), names, keeps)
    }

    /// Of so many steps, of which one in `report_every` is read.
    fn within(steps: usize, report_every: usize, names: Vec<String>, keeps: bool) -> Self {
        Self {
            frames: vec![Vec::new(); names.len()],
            names,
            keeps,
            every: steps.div_ceil(MOST_FRAMES).max(1),
            report_every,
        }
    }

    pub(crate) fn see(&mut self, observer: &mut dyn Observer, step: &Step<'_>) {
        let is_shown = step.step % self.every < self.report_every;
        if !is_shown || !(self.keeps || observer.wants_previews()) {
            return;
        }
        let images = from_signed_unit(step.images.clone());
        for (image, frame) in step.active.iter().zip(images) {
            observer.preview(&Preview::new(&self.names[*image], &frame));
            if self.keeps {
                self.frames[*image].push(frame);
            }
        }
    }
}
