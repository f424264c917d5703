//! Fine-tunes a generator on few images, with discriminators on frozen vision networks.
//!
//! The Fréchet distance is measured along the way, and the best snapshot is what remains. A run lies in a folder of its
//! own and goes on where it was ended.
//!
//! ```no_run
//! use ganymede::{Context, Device, transfer};
//!
//! let context = Context::new(Device::flex());
//! let options = transfer::Options {
//!     source: Some("micah".to_owned()),
//!     images: Some("pictures/".into()),
//!     out: Some("runs/pictures".into()),
//!     ..transfer::Options::default()
//! };
//! let outcome = transfer::run(&options, &context, &mut ())?;
//! assert!(outcome.best.is_some());
//! # Ok::<(), ganymede::Error>(())
//! ```

pub mod distance;
pub(crate) mod job;
mod options;
mod pictures;
pub mod ranking;
pub mod record;
mod run;
pub(crate) mod sheet;
mod snapshots;
pub mod stages;

use std::path::{Path, PathBuf};

use serde::Serialize;
use vision_aided_finetune::HistoryEntry;
use web_time::Instant;

pub use options::{FineTuning, Options, Settings};

use crate::device::DeviceChoice;
use crate::files::ShownPath;
use crate::runs::start::{generator_file, name_of};
use crate::{Context, Error, Milestone, Observer};
use distance::{Measurement, best};
use job::Job;
use ranking::ranking;
use record::Record;

/// What is fine-tuned on where nothing is named.
const DEMONSTRATION: &str = "avataaars";

/// What a run has come to.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// What it is called, after its images.
    pub name: String,
    /// Where it is kept.
    pub out: ShownPath,
    /// Where it was computed.
    pub device: DeviceChoice,
    /// Whether it has its length; the same options go on where not.
    pub finished: bool,
    /// Thousands of images that were shown.
    pub kimg: f64,
    /// Of this call.
    pub seconds: f64,
    /// What the distances are called.
    pub distance: String,
    /// The measurement of the best snapshot.
    pub best: Option<Measurement>,
    /// Where the run comes from and what it went through.
    pub record: Record,
    /// All measurements, in their order.
    pub history: Vec<Measurement>,
    /// Losses and times.
    pub training: Vec<HistoryEntry>,
}

impl Outcome {
    /// Whether what is written is the source: no snapshot is nearer to the reference than what the run started from.
    pub fn is_no_better_than_source(&self) -> bool {
        let start = self.history.iter().find(|m| m.iteration == 0);
        let is_best = |start: &Measurement| {
            best(&self.history).is_some_and(|best| best.iteration == start.iteration)
        };
        start.is_some_and(is_best) && self.history.len() > 1
    }
}

/// Fine-tunes until the run has its length or the observer ends it; what there is is kept in either case.
///
/// The observer sees samples of fixed latents at every measurement.
///
/// # Errors
///
/// [`Error::RunInUse`] and [`Error::RunDiffers`]; an option, a network or an image cannot be used; a file cannot be
/// read or written; [`Error::Cancelled`] when the observer ends the job before the first measurement.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    let started = Instant::now();
    options.validate()?;
    let device = context.device();
    let images = match &options.images {
        Some(path) => path.clone(),
        None => context.weights()?.few_shot(DEMONSTRATION),
    };
    let weights = context.weights().ok();
    let source = match &options.source {
        Some(which) => generator_file("source", which, weights.as_ref())?,
        None => first_ranked(options, &images, context, observer)?,
    };
    let name = name_of(&images);
    let tuning = &options.tuning;
    let features =
        tuning
            .protocol
            .load(tuning.features.as_deref(), context.weights_folder(), device)?;
    let out = options
        .out
        .clone()
        .unwrap_or_else(|| Path::new("out/finetune").join(&name));
    let job = Job {
        name: name.clone(),
        source,
        discriminator: options.discriminator.clone(),
        images,
        reference: options.reference.clone(),
        statistics: out.clone(),
        out,
        kimg: options.kimg.clone(),
        settings: tuning.settings(options.seed, options.plain),
        options: tuning,
        weights: weights.as_ref(),
        features: &features,
    };
    let ended = job.run(observer, device)?;
    Ok(Outcome {
        name,
        out: ShownPath(job.out),
        device: DeviceChoice::of(device),
        finished: ended.finished,
        kimg: ended.kimg,
        seconds: started.elapsed().as_secs_f64(),
        distance: ended.distance_name,
        best: best(&ended.measurements).cloned(),
        record: ended.record,
        history: ended.measurements,
        training: ended.history,
    })
}

/// The model that is most likely to have made the images.
fn first_ranked(
    options: &Options,
    images: &Path,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<PathBuf, Error> {
    let weights = context.weights()?;
    let models = options.models.as_deref();
    let skip_bad = options.tuning.skip_bad;
    let ranked = ranking(
        models,
        images,
        skip_bad,
        &weights,
        context.device(),
        observer,
    )?;
    let first = ranked.into_iter().next().ok_or_else(|| Error::File {
        path: models.map_or_else(|| weights.zoo(), Path::to_owned),
        problem: "the zoo has no models; name a source".to_owned(),
    })?;
    observer.milestone(&Milestone::Source {
        model: first.model.clone(),
    });
    Ok(first.generator(models, &weights))
}
