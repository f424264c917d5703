//! A run under way: stages, measurements on the way, snapshots and checkpoints.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use burn::tensor::Device;
use vision_aided_finetune::{History, HistoryEntry, ImageSet, SavedNetworks, StepReport, Trainer};
use web_time::Instant;

use super::distance::{Distances, Yardstick, best, distances_file};
use super::job::{Ended, Job};
use super::record::Record;
use super::snapshots::Snapshots;
use super::stages::{Schedule, Stage};
use super::{pictures, sheet};
use crate::runs::export;
use crate::runs::run_folder::RunFolder;
use crate::{Error, Milestone, Number, Observer, Phase};

/// Iterations that one line of the history is the mean of: a round of R1.
const ITERATIONS_PER_ENTRY: u64 = 16;
const KILO: f64 = 1000.0;

/// A run under way.
pub(super) struct Run<'a> {
    job: &'a Job<'a>,
    folder: RunFolder,
    schedule: Schedule,
    yardstick: Yardstick,
    record: Record,
    trainer: Trainer,
    history: History,
    distances: Distances,
    device: &'a Device,
    saved: Instant,
    /// Since the last entry of the history.
    reports: Vec<StepReport>,
    /// How long these iterations took, without what was done in between.
    unreported: Duration,
}

impl<'a> Run<'a> {
    /// The run of a trainer, with what its folder has of the iterations before.
    pub(super) fn open(
        job: &'a Job<'a>,
        folder: RunFolder,
        schedule: Schedule,
        yardstick: Yardstick,
        record: Record,
        trainer: Trainer,
        device: &'a Device,
    ) -> Result<Self, Error> {
        let iterations = trainer.iterations();
        Ok(Self {
            history: History::open(folder.history(), iterations)?,
            distances: Distances::open(distances_file(folder.path()), iterations)?,
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

    /// Trains to the end, or until the observer ends it, writes pictures, and at the end the networks.
    pub(super) fn finish(mut self, observer: &mut dyn Observer) -> Result<Ended, Error> {
        let finished = self.iterate(observer)?;
        observer.end();
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
        Ok(Ended {
            finished,
            kimg: self.trainer.images_shown() as f64 / KILO,
            distance_name: title,
            record: self.record,
            measurements: self.distances.entries().to_vec(),
            history: self.history.entries().to_vec(),
        })
    }

    /// Goes through the stages; `false` when the observer ended it. The checkpoint is written in either case.
    fn iterate(&mut self, observer: &mut dyn Observer) -> Result<bool, Error> {
        // Those of a future that the checkpoint knows nothing of.
        let now = self.trainer.iterations();
        self.snapshots().keep(|iteration| iteration <= now)?;
        loop {
            let stage = self.record.stages.len();
            let start = self.record.stages[stage - 1].start_images;
            let end = start.saturating_add((self.schedule.kimg[stage - 1] * KILO) as u64);
            if !self.train_until(end, observer)? {
                return Ok(false);
            }
            if stage == self.schedule.kimg.len() {
                return Ok(true);
            }
            self.next_stage(observer)?;
        }
    }

    /// Trains until `end` images were shown, measuring on the way and at the end.
    fn train_until(&mut self, end: u64, observer: &mut dyn Observer) -> Result<bool, Error> {
        self.begin(end, observer);
        loop {
            let is_over = self.trainer.images_shown() >= end;
            if (is_over || self.is_snapshot()) && self.is_unmeasured() {
                match self.measure(observer) {
                    Err(Error::Cancelled) => {
                        self.save()?;
                        return Ok(false);
                    }
                    measured => measured?,
                }
                self.begin(end, observer);
            }
            if is_over {
                return Ok(true);
            }
            if observer.cancelled() {
                self.save()?;
                return Ok(false);
            }
            if self.saved.elapsed() >= self.job.options.checkpoint_interval() {
                self.save()?;
            }
            let begin = Instant::now();
            self.reports.push(self.trainer.step()?);
            self.unreported += begin.elapsed();
            observer.position(self.trainer.images_shown());
            let iterations = self.trainer.iterations();
            // Multiples, also in a resumed run, so that its entries are those of a run in one piece.
            if iterations.is_multiple_of(ITERATIONS_PER_ENTRY) {
                self.report()?;
            }
        }
    }

    /// The observer is told of training where it is now, with what was measured last.
    fn begin(&self, end: u64, observer: &mut dyn Observer) {
        observer.begin(&Phase::new(&self.job.name, end as usize));
        observer.resume(self.trainer.images_shown());
        if let Some(last) = self.distances.entries().last() {
            observer.numbers(&[
                Number::new("Fréchet distance", last.frechet_distance, "", 2),
                Number::new("at", last.kimg, "kimg", 1),
            ]);
        }
    }

    /// Whether the last iteration passed a multiple of the interval; the start is one.
    fn is_snapshot(&self) -> bool {
        let interval = ((self.job.settings.snapshot_kimg * KILO) as u64).max(1);
        let shown = self.trainer.images_shown();
        let before = shown.saturating_sub(self.trainer.config().batch_size as u64);
        shown == 0 || before / interval != shown / interval
    }

    /// Whether the generator as it is now was not measured yet.
    fn is_unmeasured(&self) -> bool {
        let last = self.distances.entries().last();
        last.is_none_or(|last| last.iteration != self.trainer.iterations())
    }

    /// Measures the averaged generator and keeps it where it is the best so far.
    ///
    /// Snapshots are removed only after a checkpoint that has their successor's measurement, so that a run that is
    /// killed at any time finds the best of its checkpoint's past.
    fn measure(&mut self, observer: &mut dyn Observer) -> Result<(), Error> {
        let iteration = self.trainer.iterations();
        let generator = self.trainer.generator_average();
        let shown = self.trainer.images_shown();
        let measured =
            self.yardstick
                .measure(generator, iteration, shown, observer, self.device)?;
        sheet::write(
            generator,
            self.folder.path(),
            iteration,
            self.device,
            observer,
        )?;
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
        Ok(())
    }

    /// The next stage: back to the best snapshot, and one more network.
    fn next_stage(&mut self, observer: &mut dyn Observer) -> Result<(), Error> {
        let from = self.best()?;
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
        let stage = self.record.stages.last();
        observer.milestone(&Milestone::Stage {
            run: self.job.name.clone(),
            stage: self.record.stages.len(),
            added: stage.map_or_else(Vec::new, |stage| stage.added.clone()),
            kimg: self.trainer.images_shown() as f64 / KILO,
        });
        Ok(())
    }

    /// Moves what was measured of the iterations since the last entry into the history.
    fn report(&mut self) -> Result<(), Error> {
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
    fn save(&mut self) -> Result<(), Error> {
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

    /// The iteration of the best snapshot.
    fn best(&self) -> Result<u64, Error> {
        let best = best(self.distances.entries()).ok_or_else(|| Error::File {
            path: distances_file(self.folder.path()),
            problem: "it has no measurement, so that there is no best snapshot".to_owned(),
        })?;
        Ok(best.iteration)
    }

    /// Writes the networks of the best snapshot as models of their own.
    fn export(&self) -> Result<(), Error> {
        let path = self.snapshots().file(self.best()?);
        let saved = SavedNetworks::open(&path, self.device)?.ok_or_else(|| Error::File {
            path,
            problem: "not a snapshot of a run".to_owned(),
        })?;
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
pub(super) fn resumed(
    checkpoint: &Path,
    images: Arc<ImageSet>,
    schedule: &Schedule,
    device: &Device,
) -> Result<Trainer, Error> {
    let names: Vec<String> = Trainer::vision_networks(checkpoint)?
        .into_iter()
        .map(|network| network.kind.to_string())
        .collect();
    let networks = schedule.named(&names)?;
    Ok(Trainer::resume(checkpoint, images, &networks, device)?)
}

/// Adds the networks of the next stage and writes it down.
pub(super) fn begin_stage(
    trainer: &mut Trainer,
    schedule: &Schedule,
    record: &mut Record,
    discarded_images: u64,
    device: &Device,
) -> Result<(), Error> {
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
