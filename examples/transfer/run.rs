//! One run: from a source to a generator of the target's images.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use image_tensor::write_png;
use indicatif::ProgressBar;
use metrics_fid::ImageFeatures;
use stylegan2::Generator;
use vision_aided_finetune::vision_aided::VisionBackbone;
use vision_aided_finetune::{
    History, HistoryEntry, ImageSet, SavedNetworks, StepReport, Trainer,
    freeze_discriminator_layers,
};

use super::distance::{Distances, Measurement, Yardstick, best};
use super::options::{Settings, TransferArgs};
use super::record::Record;
use super::sheet;
use super::stages::{Schedule, Stage};
use crate::Failure;
use crate::cli::line_plot::{Axis, Series, line_plot};
use crate::cli::weights::Weights;
use crate::cli::{output, progress};
use crate::training::provenance::{DataFile, Start};
use crate::training::run_folder::RunFolder;
use crate::training::start::Networks;
use crate::training::{export, plot};

/// Iterations that one line of the history is the mean of: a round of R1.
const ITERATIONS_PER_ENTRY: u64 = 16;
const KILO: f64 = 1000.0;

/// What a run is to do.
pub struct Job<'a> {
    /// Shown beside the progress.
    pub name: String,
    /// The generator's file.
    pub source: PathBuf,
    /// Instead of the discriminator beside it.
    pub discriminator: Option<PathBuf>,
    /// Folder or packed file.
    pub images: PathBuf,
    /// What distances are measured against; the images themselves without.
    pub reference: Option<PathBuf>,
    pub out: PathBuf,
    /// Where statistics of real images are kept.
    pub statistics: PathBuf,
    /// Thousands of images of each stage.
    pub kimg: Vec<f64>,
    pub settings: Settings,
    pub options: &'a TransferArgs,
    pub weights: Option<&'a Weights>,
    /// The network of the distances.
    pub features: &'a ImageFeatures,
}

/// How a call ended.
pub struct Outcome {
    pub finished: bool,
    pub kimg: f64,
    pub record: Record,
    pub measurements: Vec<Measurement>,
    pub history: Vec<HistoryEntry>,
    /// The distances' name.
    pub distance_name: String,
}

impl Job<'_> {
    /// Starts the run, or goes on with the one in the folder, until it has its length or `interrupted` says that it is to end; `None` when that was before
    /// anything could be measured.
    pub fn run(
        &self,
        interrupted: &dyn Fn() -> bool,
        device: &Device,
    ) -> Result<Option<Outcome>, Failure> {
        let folder = RunFolder::open(&self.out)?;
        output::make_folder(&self.statistics)?;
        let checkpoint = folder.checkpoint();
        let side = if checkpoint.is_file() {
            Trainer::image_side(&checkpoint)?
        } else {
            self.source_side(device)?
        };
        let images = Arc::new(ImageSet::open(&self.images, side)?);
        let reference = match &self.reference {
            Some(path) => Arc::new(ImageSet::open(path, side)?),
            None => images.clone(),
        };
        let reference_path = self.reference.as_ref().unwrap_or(&self.images);
        let networks = self.networks(device)?;
        let schedule = Schedule::new(self.kimg.clone(), networks)?;
        let mut record = Record {
            source: Start::file(&self.source, self.weights)?,
            discriminator: Start::random(0),
            images: DataFile::new(&self.images, &images, self.weights),
            reference: DataFile::new(reference_path, &reference, self.weights),
            settings: self.settings.clone(),
            kimg: self.kimg.clone(),
            stages: Vec::new(),
        };
        let trainer = if checkpoint.is_file() {
            let kept = Record::read(&checkpoint)?;
            kept.check_same(&record)?;
            record = Record {
                kimg: record.kimg,
                ..kept
            };
            let mut trainer = resumed(&checkpoint, images.clone(), &schedule, device)?;
            record.keep(&mut trainer)?;
            trainer
        } else {
            self.started(images.clone(), &schedule, &mut record, device)?
        };
        let yardstick = Yardstick::new(
            self.features,
            self.settings.samples,
            &reference,
            &images,
            &self.statistics,
            interrupted,
            device,
        )?;
        let Some(yardstick) = yardstick else {
            return Ok(None);
        };
        let iterations = trainer.iterations();
        let mut run = Run {
            history: History::open(folder.history(), iterations)?,
            distances: Distances::open(distances(&self.out), iterations)?,
            bar: progress::bar(0, &self.name),
            saved: Instant::now(),
            reports: Vec::new(),
            unreported: Duration::ZERO,
            job: self,
            folder,
            schedule,
            yardstick,
            record,
            trainer,
            device,
        };
        let finished = run.iterate(interrupted)?;
        run.bar.finish_and_clear();
        run.write_pictures()?;
        if finished {
            run.export()?;
        }
        Ok(Some(Outcome {
            finished,
            kimg: run.trainer.images_shown() as f64 / KILO,
            distance_name: run.yardstick.distance_name(),
            record: run.record,
            measurements: run.distances.entries().to_vec(),
            history: run.history.entries().to_vec(),
        }))
    }

    /// Side of the images that the source makes.
    fn source_side(&self, device: &Device) -> Result<usize, Failure> {
        Ok(Generator::load(&self.source, device)?
            .config()
            .img_resolution)
    }

    fn networks(&self, device: &Device) -> Result<Vec<VisionBackbone>, Failure> {
        let wanted = &self.settings.vision_aided;
        self.options
            .vision_aided
            .iter()
            .filter(|network| wanted.contains(&network.name()))
            .map(|network| network.load(self.settings.vision_aided_input, self.weights, device))
            .collect()
    }

    fn started(
        &self,
        images: Arc<ImageSet>,
        schedule: &Schedule,
        record: &mut Record,
        device: &Device,
    ) -> Result<Trainer, Failure> {
        let config = self.settings.training.clone();
        let seeds = config.initial_weight_seeds();
        let chosen = self.discriminator.as_deref();
        let networks = Networks::open(&self.source, chosen, seeds, self.weights, device)?;
        // Also for 0: the file's discriminator may have frozen layers.
        let discriminator = freeze_discriminator_layers(
            &networks.discriminator,
            self.settings.freeze_layers,
            device,
        )?;
        record.source = networks.generator_start;
        record.discriminator = networks.discriminator_start;
        let mut trainer = Trainer::new(
            config,
            networks.generator,
            networks.average,
            discriminator,
            images,
            device,
        )?;
        begin_stage(&mut trainer, schedule, record, 0, device)?;
        Ok(trainer)
    }
}

/// Where a run keeps its measurements.
pub fn distances(folder: &Path) -> PathBuf {
    folder.join("distances.jsonl")
}

/// Continues a checkpoint on its networks.
fn resumed(
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
fn begin_stage(
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

struct Run<'a> {
    job: &'a Job<'a>,
    folder: RunFolder,
    schedule: Schedule,
    yardstick: Yardstick,
    record: Record,
    trainer: Trainer,
    history: History,
    distances: Distances,
    device: &'a Device,
    bar: ProgressBar,
    saved: Instant,
    /// Since the last entry of the history.
    reports: Vec<StepReport>,
    /// How long these iterations took, without what was done in between.
    unreported: Duration,
}

impl Run<'_> {
    /// Goes through the stages; `false` when interrupted. The checkpoint is written in either case.
    fn iterate(&mut self, interrupted: &dyn Fn() -> bool) -> Result<bool, Failure> {
        self.forget_later_snapshots()?;
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
            self.trainer.save(self.snapshot(iteration))?;
        }
        self.distances.push(measured)?;
        self.save()?;
        if is_best {
            self.keep_snapshots(|kept| kept == iteration)?;
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
        self.trainer = resumed(&self.snapshot(from), images, &self.schedule, self.device)?;
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
        self.distances = Distances::open(distances(self.folder.path()), from)?;
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

    /// The checkpoint of a measurement that was the best.
    fn snapshot(&self, iteration: u64) -> PathBuf {
        let name = format!("{SNAPSHOT}{iteration:06}{SNAPSHOT_EXTENSION}");
        self.folder.path().join(name)
    }

    /// Removes the snapshots of a future that the checkpoint knows nothing of.
    fn forget_later_snapshots(&self) -> Result<(), Failure> {
        let now = self.trainer.iterations();
        self.keep_snapshots(|iteration| iteration <= now)
    }

    fn keep_snapshots(&self, keep: impl Fn(u64) -> bool) -> Result<(), Failure> {
        let folder = self.folder.path();
        let unreadable = |e: std::io::Error| format!("{}: {e}", folder.display());
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let iteration = path
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| {
                    name.strip_prefix(SNAPSHOT)?
                        .strip_suffix(SNAPSHOT_EXTENSION)
                })
                .and_then(|number| number.parse().ok());
            if iteration.is_some_and(|iteration| !keep(iteration)) {
                std::fs::remove_file(&path)
                    .map_err(|e| format!("{}: cannot be removed ({e})", path.display()))?;
            }
        }
        Ok(())
    }

    fn write_pictures(&self) -> Result<(), Failure> {
        let folder = self.folder.path();
        let measurements = self.distances.entries();
        if let Some(samples) = sheet::over_time(folder, measurements)? {
            write_png(folder.join("samples.png"), &samples)?;
        }
        let series = |name, colour, value: fn(&Measurement) -> f64| Series {
            name,
            colour,
            points: measurements.iter().map(|m| (m.kimg, value(m))).collect(),
            spread: Vec::new(),
        };
        let series = [
            series("to the reference images", plot::GENERATOR, |m| {
                m.frechet_distance
            }),
            series("to the training images", plot::DISCRIMINATOR, |m| {
                m.frechet_distance_training
            }),
        ];
        let title = self.yardstick.distance_name();
        let svg = line_plot(&title, "thousands of images", &series, Axis::Linear)?;
        output::write(&folder.join("distances.svg"), svg.as_bytes())?;
        plot::write(self.history.entries(), &folder.join("history.svg"))
    }

    /// Writes the networks of the best snapshot as models of their own.
    fn export(&self) -> Result<(), Failure> {
        let best = best(self.distances.entries()).ok_or("nothing was measured")?;
        let path = self.snapshot(best.iteration);
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

const SNAPSHOT: &str = "best-";
const SNAPSHOT_EXTENSION: &str = ".safetensors";
