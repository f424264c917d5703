//! A run under way: stages, measurements on the way, snapshots and checkpoints.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use vision_aided_finetune::{History, HistoryEntry, ImageSet, SavedNetworks, StepReport, Trainer};

use super::distance::{Distances, Measurement, Yardstick, best, distances_file};
use super::job::{Job, Outcome};
use super::record::Record;
use super::snapshots::Snapshots;
use super::stages::{Schedule, Stage};
use super::{pictures, sheet};
use crate::Failure;
use crate::progress;
use crate::progress::Bar;
use crate::training::export;
use crate::training::run_folder::RunFolder;

/// Iterations that one line of the history is the mean of: a round of R1.
const ITERATIONS_PER_ENTRY: u64 = 16;
const KILO: f64 = 1000.0;

/// A run under way.
pub struct Run<'a> {
    job: &'a Job<'a>,
    folder: RunFolder,
    schedule: Schedule,
    yardstick: Yardstick,
    record: Record,
    trainer: Trainer,
    history: History,
    distances: Distances,
    device: &'a Device,
    bar: Bar,
    saved: Instant,
    /// Since the last entry of the history.
    reports: Vec<StepReport>,
    /// How long these iterations took, without what was done in between.
    unreported: Duration,
}

impl<'a> Run<'a> {
    /// The run of a trainer, with what its folder has of the iterations before.
    pub fn open(
        job: &'a Job<'a>,
        folder: RunFolder,
        schedule: Schedule,
        yardstick: Yardstick,
        record: Record,
        trainer: Trainer,
        device: &'a Device,
    ) -> Result<Self, Failure> {
        let iterations = trainer.iterations();
        Ok(Self {
            history: History::open(folder.history(), iterations)?,
            distances: Distances::open(distances_file(folder.path()), iterations)?,
            bar: progress::bar(0, &job.name),
            saved: Instant::now(),
            reports: Vec::new(),
            unreported: Duration::ZERO,
            job,
            folder,
            schedule,
            yardstick,
            record,
            trainer,
            device,
        })
    }

    /// Trains to the end, or until `interrupted` says that it is to end, writes pictures, and at the end the networks.
    pub fn finish(mut self, interrupted: &dyn Fn() -> bool) -> Result<Outcome, Failure> {
        let finished = self.iterate(interrupted)?;
        self.bar.finish_and_clear();
        let title = self.yardstick.distance_name();
        pictures::write(
            self.folder.path(),
            &title,
            self.distances.entries(),
            self.history.entries(),
        )?;
        if finished {
            self.export()?;
        }
        Ok(Outcome {
            finished,
            kimg: self.trainer.images_shown() as f64 / KILO,
            distance_name: title,
            record: self.record,
            measurements: self.distances.entries().to_vec(),
            history: self.history.entries().to_vec(),
        })
    }

    /// Goes through the stages; `false` when interrupted. The checkpoint is written in either case.
    fn iterate(&mut self, interrupted: &dyn Fn() -> bool) -> Result<bool, Failure> {
        // Those of a future that the checkpoint knows nothing of.
        let now = self.trainer.iterations();
        self.snapshots().keep(|iteration| iteration <= now)?;
        loop {
            let stage = self.record.stages.len();
            let start = self.record.stages[stage - 1].start_images;
            let end = start + (self.schedule.kimg[stage - 1] * KILO) as u64;
            if !self.train_until(end, interrupted)? {
                return Ok(false);
            }
            if stage == self.schedule.kimg.len() {
                return Ok(true);
            }
            self.next_stage()?;
        }
    }

    /// Trains until `end` images were shown, measuring on the way and at the end.
    fn train_until(&mut self, end: u64, interrupted: &dyn Fn() -> bool) -> Result<bool, Failure> {
        self.bar.set_length(end);
        self.bar.set_position(self.trainer.images_shown());
        self.bar.reset_eta();
        loop {
            let is_over = self.trainer.images_shown() >= end;
            if (is_over || self.is_snapshot()) && !self.measure(interrupted)? {
                self.save()?;
                return Ok(false);
            }
            if is_over {
                return Ok(true);
            }
            if interrupted() {
                self.save()?;
                return Ok(false);
            }
            if self.saved.elapsed() >= self.job.options.checkpoint_minutes {
                self.save()?;
            }
            let begin = Instant::now();
            self.reports.push(self.trainer.step()?);
            self.unreported += begin.elapsed();
            self.bar.set_position(self.trainer.images_shown());
            let iterations = self.trainer.iterations();
            // Multiples, also in a resumed run, so that its entries are those of a run in one piece.
            if iterations.is_multiple_of(ITERATIONS_PER_ENTRY) {
                self.report()?;
            }
        }
    }

    /// Whether the last iteration passed a multiple of the interval; the start is one.
    fn is_snapshot(&self) -> bool {
        let interval = ((self.job.settings.snapshot_kimg * KILO) as u64).max(1);
        let shown = self.trainer.images_shown();
        let before = shown.saturating_sub(self.trainer.config().batch_size as u64);
        shown == 0 || before / interval != shown / interval
    }

    /// Measures the averaged generator, unless that was done, and keeps it where it is the best so far; `false` when interrupted.
    ///
    /// Snapshots are removed only after a checkpoint that has their successor's measurement, so that a run that is killed at any time finds the best of
    /// its checkpoint's past.
    fn measure(&mut self, interrupted: &dyn Fn() -> bool) -> Result<bool, Failure> {
        let iteration = self.trainer.iterations();
        let is_done = |last: &Measurement| last.iteration == iteration;
        if self.distances.entries().last().is_some_and(is_done) {
            return Ok(true);
        }
        let generator = self.trainer.generator_average();
        let shown = self.trainer.images_shown();
        let measured =
            self.yardstick
                .measure(generator, iteration, shown, interrupted, self.device)?;
        let Some(measured) = measured else {
            return Ok(false);
        };
        self.bar.set_message(format!(
            "Fréchet distance {:.2} at {:.1} kimg",
            measured.frechet_distance, measured.kimg
        ));
        sheet::write(generator, self.folder.path(), iteration, self.device)?;
        let is_best = best(self.distances.entries())
            .is_none_or(|best| measured.frechet_distance < best.frechet_distance);
        if is_best {
            self.trainer.save(self.snapshots().file(iteration))?;
        }
        self.distances.push(measured)?;
        self.save()?;
        if is_best {
            self.snapshots().keep(|kept| kept == iteration)?;
        }
        Ok(true)
    }

    /// The next stage: back to the best snapshot, and one more network.
    fn next_stage(&mut self) -> Result<(), Failure> {
        let from = best(self.distances.entries())
            .ok_or("nothing was measured, so that there is no best snapshot")?
            .iteration;
        let shown = self.trainer.images_shown();
        let images = Arc::new(self.trainer.images().clone());
        self.trainer = resumed(
            &self.snapshots().file(from),
            images,
            &self.schedule,
            self.device,
        )?;
        let discarded = shown - self.trainer.images_shown();
        begin_stage(
            &mut self.trainer,
            &self.schedule,
            &mut self.record,
            discarded,
            self.device,
        )?;
        // First the checkpoint: from it a run that is killed here opens its files anew, as is done below.
        self.save()?;
        self.history = History::open(self.folder.history(), from)?;
        self.distances = Distances::open(distances_file(self.folder.path()), from)?;
        let stage = self
            .record
            .stages
            .last()
            .map(|stage| stage.added.join(", "));
        self.bar.suspend(|| {
            eprintln!(
                "{}: stage {} adds {} to the snapshot of {:.1} kimg",
                self.job.name,
                self.record.stages.len(),
                stage.unwrap_or_default(),
                self.trainer.images_shown() as f64 / KILO
            );
        });
        Ok(())
    }

    /// Moves what was measured of the iterations since the last entry into the history.
    fn report(&mut self) -> Result<(), Failure> {
        if self.reports.is_empty() {
            return Ok(());
        }
        let batch = self.trainer.config().batch_size;
        let seconds = self.unreported.as_secs_f64();
        self.history
            .push(HistoryEntry::mean_of(&self.reports, batch, seconds))?;
        self.reports.clear();
        self.unreported = Duration::ZERO;
        Ok(())
    }

    /// The history first: a resumed run drops what is beyond the checkpoint, and would miss what was never written.
    fn save(&mut self) -> Result<(), Failure> {
        self.report()?;
        self.trainer.save(self.folder.checkpoint())?;
        self.saved = Instant::now();
        Ok(())
    }

    fn snapshots(&self) -> Snapshots<'_> {
        Snapshots {
            folder: self.folder.path(),
        }
    }

    /// Writes the networks of the best snapshot as models of their own.
    fn export(&self) -> Result<(), Failure> {
        let best = best(self.distances.entries()).ok_or("nothing was measured")?;
        let path = self.snapshots().file(best.iteration);
        let saved = SavedNetworks::open(&path, self.device)?
            .ok_or_else(|| format!("{}: not a snapshot of a run", path.display()))?;
        export::write(
            &saved.generator_average,
            &saved.discriminator,
            self.folder.path(),
            self.device,
        )?;
        Ok(())
    }
}

/// Continues a checkpoint on its networks.
pub fn resumed(
    checkpoint: &Path,
    images: Arc<ImageSet>,
    schedule: &Schedule,
    device: &Device,
) -> Result<Trainer, Failure> {
    let names: Vec<String> = Trainer::vision_networks(checkpoint)?
        .into_iter()
        .map(|(kind, _)| kind.to_string())
        .collect();
    let networks = schedule.named(&names)?;
    Ok(Trainer::resume(checkpoint, images, &networks, device)?)
}

/// Adds the networks of the next stage and writes it down.
pub fn begin_stage(
    trainer: &mut Trainer,
    schedule: &Schedule,
    record: &mut Record,
    discarded_images: u64,
    device: &Device,
) -> Result<(), Failure> {
    let present: Vec<String> = trainer
        .vision_aided()
        .iter()
        .map(|discriminator| discriminator.backbone().kind().to_string())
        .collect();
    let (added, candidates) = schedule.next(
        record.stages.len(),
        &present,
        trainer.generator_average(),
        trainer.images(),
        trainer.config().seed,
        device,
    )?;
    record.stages.push(Stage {
        start_images: trainer.images_shown(),
        added: added.iter().map(|n| n.kind().to_string()).collect(),
        candidates,
        discarded_images,
    });
    for network in added {
        trainer.add_vision_aided(network);
    }
    record.keep(trainer)
}
