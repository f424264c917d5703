//! Trains a StyleGAN2, from scratch or from given weights, on a folder of images, a packed file, or a style of the zoo;
//! or the whole zoo in turns.
//!
//! A run lies in a folder of its own: checkpoint, history, samples, and at the end the networks. It goes on exactly
//! where it was ended, also when the process was killed.
//!
//! ```no_run
//! use ganymede::{Context, Device, train};
//!
//! let context = Context::new(Device::flex());
//! let options = train::Options {
//!     images: vec!["pictures/".into()],
//!     out: Some("runs/pictures".into()),
//!     kimg: Some(90.0),
//!     ..train::Options::default()
//! };
//! let outcome = train::run(&options, &context, &mut ())?;
//! assert!(outcome.finished);
//! # Ok::<(), ganymede::Error>(())
//! ```

mod card;
#[cfg(all(test, feature = "clap"))]
mod command_line;
mod credits;
mod decisive;
mod held_out;
mod options;
mod publish;
mod queue;
mod recipe;
mod standing;

use std::time::Duration;

use burn::module::Module;
use burn::tensor::Device;
use serde::Serialize;
use vision_aided_finetune::{History, HistoryEntry, StepReport, Trainer, TrainingConfig};
use web_time::Instant;

pub use options::{Options, Stages};
pub use queue::{ZooOutcome, zoo};
pub use recipe::Recipe;
pub use standing::{MOST_PUBLICATIONS, Standing, TARGET, Turn};

use crate::device::DeviceChoice;
use crate::files::ShownPath;
use crate::runs::provenance::Provenance;
use crate::runs::run_folder::RunFolder;
use crate::runs::{export, plot, samples};
use crate::{BASE, Context, Error, Milestone, Number, Observer, Phase, Preview, Warning};
use publish::publish;

/// Iterations that one line of the history is the mean of: a round of R1.
const ITERATIONS_PER_ENTRY: u64 = 16;
const KILO: f64 = 1000.0;

/// What a run has come to.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// What it is called.
    pub name: String,
    /// Where it is kept.
    pub out: ShownPath,
    /// Where it was computed.
    pub device: DeviceChoice,
    /// Thousands of images that were shown.
    pub kimg: f64,
    /// Whether it has its length, and was published where that was asked for; the same options with `resume` go on
    /// where not.
    pub finished: bool,
    /// Spent in iterations by this call.
    pub seconds: f64,
    /// `f16` or `f32`, where the networks were written.
    pub generator_precision: Option<String>,
    /// Options of the trainer.
    pub options: TrainingConfig,
    /// What the run comes from, where that is known.
    pub provenance: Option<Provenance>,
    /// Losses and times.
    pub history: Vec<HistoryEntry>,
}

/// Trains until the run has its length or the observer ends it; what there is is kept in either case.
///
/// The observer hears losses and speed every 16 iterations, and sees samples whenever they are written.
///
/// # Errors
///
/// [`Error::RunInUse`] and [`Error::RunExists`]; an option, a network or an image cannot be used; a file cannot be read
/// or written.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    let device = context.device();
    let recipe = Recipe::new(options, context)?;
    let folder = RunFolder::open(&recipe.out)?;
    let trainer = recipe.trainer(options, &folder, device, observer)?;
    let provenance = Provenance::of(&trainer, &folder.checkpoint())?;
    if options.publish && provenance.is_none() {
        return Err(Error::File {
            path: folder.checkpoint(),
            problem: "the run has no record of what it started from, which its card needs; write one into the metadata `provenance`, or do not publish it"
                .to_owned(),
        });
    }
    let stages = &trainer.config().progressive;
    if let (true, Some(last)) = (options.publish && recipe.name != BASE, stages.last())
        && recipe.kimg <= last.kimg
    {
        return Err(Error::option(
            "kimg",
            "",
            format!(
                "a run of {} kimg ends in the stage {last}, in lower resolution; give it more, or do not publish it",
                recipe.kimg
            ),
        ));
    }
    let start = provenance
        .as_ref()
        .map_or("an unknown start", |record| record.generator.from.as_str());
    observer.milestone(&Milestone::Training {
        name: recipe.name.clone(),
        start: start.to_owned(),
        images: trainer.images().len(),
        side: trainer.images().side(),
        folder: folder.path().to_owned(),
    });

    let mut run = Run {
        history: History::open(folder.history(), trainer.iterations())?,
        total: (recipe.kimg * KILO) as u64,
        folder,
        trainer,
        device,
        reports: Vec::new(),
        unreported: Duration::ZERO,
        seconds: 0.0,
    };
    let mut finished = run.iterate(options, observer)?;
    let precision = finished
        .then(|| {
            let discriminator = run.trainer.discriminator().valid();
            let generator = run.trainer.generator_average();
            export::write(generator, &discriminator, run.folder.path(), device)
        })
        .transpose()?;
    let kimg = run.trainer.images_shown() as f64 / KILO;
    if let (true, Some(precision), Some(provenance)) = (options.publish, precision, &provenance) {
        let finished_run = card::Run {
            recipe: &recipe,
            trainer: &run.trainer,
            history: run.history.entries(),
            provenance,
            precision,
        };
        match publish(
            &finished_run,
            &run.folder,
            options.frechet_images,
            device,
            observer,
        ) {
            Err(Error::Cancelled) => {
                observer.warn(&Warning::Unpublished);
                finished = false;
            }
            published => published?,
        }
    }
    observer.milestone(&match finished {
        true => Milestone::Trained {
            kimg,
            folder: run.folder.path().to_owned(),
        },
        false => Milestone::Stopped { kimg },
    });
    Ok(Outcome {
        name: recipe.name,
        out: ShownPath(run.folder.path().to_owned()),
        device: DeviceChoice::of(device),
        kimg,
        finished,
        seconds: run.seconds,
        generator_precision: precision.map(|precision| precision.to_string().to_lowercase()),
        options: run.trainer.config().clone(),
        provenance,
        history: run.history.entries().to_vec(),
    })
}

/// A run and what of it is not yet on disk.
struct Run<'a> {
    folder: RunFolder,
    trainer: Trainer,
    history: History,
    device: &'a Device,
    total: u64,
    /// Since the last entry of the history.
    reports: Vec<StepReport>,
    /// How long these iterations took, without what was written in between.
    unreported: Duration,
    seconds: f64,
}

impl Run<'_> {
    /// Iterates; `false` when it was ended before its time. The checkpoint is written in either case.
    fn iterate(&mut self, options: &Options, observer: &mut dyn Observer) -> Result<bool, Error> {
        let snapshot_images = ((options.snapshot_kimg * KILO) as u64).max(1);
        observer.begin(&Phase::new("images", self.total as usize));
        observer.resume(self.trainer.images_shown());
        let mut saved = Instant::now();
        while self.trainer.images_shown() < self.total && !observer.cancelled() {
            let before = self.trainer.images_shown();
            let begin = Instant::now();
            self.reports.push(self.trainer.step()?);
            self.unreported += begin.elapsed();
            observer.position(self.trainer.images_shown());
            // Multiples, also in a resumed run, so that its entries are those of a run in one piece.
            if self
                .trainer
                .iterations()
                .is_multiple_of(ITERATIONS_PER_ENTRY)
            {
                self.report(observer)?;
            }
            if before / snapshot_images != self.trainer.images_shown() / snapshot_images {
                self.save(observer)?;
                saved = Instant::now();
                self.snapshot(observer);
            } else if saved.elapsed() >= options.checkpoint_interval() {
                self.save(observer)?;
                saved = Instant::now();
            }
        }
        self.save(observer)?;
        observer.end();
        self.snapshot(observer);
        Ok(self.trainer.images_shown() >= self.total)
    }

    /// Moves what was measured since the last entry into the history.
    fn report(&mut self, observer: &mut dyn Observer) -> Result<(), Error> {
        if self.reports.is_empty() {
            return Ok(());
        }
        let batch = self.trainer.config().batch_size;
        let seconds = self.unreported.as_secs_f64();
        let entry = HistoryEntry::mean_of(&self.reports, batch, seconds);
        observer.numbers(&[
            Number::new("shown", entry.kimg, "kimg", 1),
            Number::new("speed", entry.images_per_second, "img/s", 1),
            Number::new("G", entry.generator_loss.into(), "", 3),
            Number::new("D", entry.discriminator_loss.into(), "", 3),
        ]);
        self.history.push(entry)?;
        self.reports.clear();
        self.seconds += seconds;
        self.unreported = Duration::ZERO;
        Ok(())
    }

    /// The history first: a resumed run drops what is beyond the checkpoint, and would miss what was never written.
    fn save(&mut self, observer: &mut dyn Observer) -> Result<(), Error> {
        self.report(observer)?;
        Ok(self.trainer.save(self.folder.checkpoint())?)
    }

    /// Writes samples and the plot. Training does not end over a picture.
    fn snapshot(&self, observer: &mut dyn Observer) {
        let kimg = self.trainer.images_shown() / KILO as u64;
        let file = self.folder.path().join(format!("samples-{kimg:06}.png"));
        let sheet = samples::sheet(self.trainer.generator_average(), self.device);
        observer.preview(&Preview::new("samples", &sheet));
        let plot = self.folder.path().join("history.svg");
        let written =
            samples::write(&sheet, &file).and_then(|()| plot::write(self.history.entries(), &plot));
        if let Err(error) = written {
            observer.warn(&Warning::NoSnapshot {
                reason: error.to_string(),
            });
        }
    }
}
