use std::process::ExitCode;
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::Device;
use serde::Serialize;
use vision_aided_finetune::{History, HistoryEntry, StepReport, Trainer, TrainingConfig};

use crate::options::Options;
use crate::publish::{Measurement, publish};
use crate::recipe::Recipe;
use examples::Failure;
use examples::progress::Bar;
use examples::training::provenance::Provenance;
use examples::training::run_folder::RunFolder;
use examples::training::{export, plot, samples};
use examples::{INTERRUPTED, output, progress};
use ganymede::BASE;

/// Iterations that one line of the history is the mean of: a round of R1.
const ITERATIONS_PER_ENTRY: u64 = 16;
const KILO: f64 = 1000.0;

/// What `--json` writes.
#[derive(Serialize)]
struct Results<'a> {
    name: &'a str,
    out: String,
    device: String,
    kimg: f64,
    finished: bool,
    /// Spent in iterations by this call.
    seconds: f64,
    generator_precision: Option<String>,
    options: &'a TrainingConfig,
    provenance: Option<Provenance>,
    history: &'a [HistoryEntry],
}

/// Trains until the run has its length or `interrupted` says that it is to end.
pub fn train(options: &Options, interrupted: &dyn Fn() -> bool) -> Result<ExitCode, Failure> {
    let device = options.common.device.open()?;
    let recipe = Recipe::new(options)?;
    let folder = RunFolder::open(&recipe.out)?;
    let trainer = recipe.trainer(options, &folder, &device)?;
    let provenance =
        Provenance::of(&trainer).map_err(|e| format!("{}: {e}", folder.checkpoint().display()))?;
    if options.publish && provenance.is_none() {
        return Err(format!(
            "{}: the run has no record of what it started from, which its card needs; write one into the metadata `provenance`, or leave --publish out",
            folder.checkpoint().display()
        )
        .into());
    }
    let stages = &trainer.config().progressive;
    if let (true, Some(last)) = (options.publish && recipe.name != BASE, stages.last())
        && recipe.kimg <= last.kimg
    {
        return Err(format!(
            "--kimg: a run of {} kimg ends in the stage {last}, in lower resolution; give it more, or leave --publish out",
            recipe.kimg
        )
        .into());
    }
    let start = provenance
        .as_ref()
        .map_or("an unknown start", |record| record.generator.from.as_str());
    eprintln!(
        "training {} from {start}: {} images of {side}x{side}, kept in {}",
        recipe.name,
        trainer.images().len(),
        folder.path().display(),
        side = trainer.images().side()
    );

    let mut run = Run {
        history: History::open(folder.history(), trainer.iterations())?,
        bar: progress::bar((recipe.kimg * KILO) as usize, "images"),
        total: (recipe.kimg * KILO) as u64,
        folder,
        trainer,
        device,
        reports: Vec::new(),
        unreported: Duration::ZERO,
        seconds: 0.0,
    };
    let mut finished = run.iterate(options, interrupted)?;
    let precision = finished
        .then(|| {
            let discriminator = run.trainer.discriminator().valid();
            let generator = run.trainer.generator_average();
            export::write(generator, &discriminator, run.folder.path(), &run.device)
        })
        .transpose()?;
    let kimg = run.trainer.images_shown() as f64 / KILO;
    if let (true, Some(precision), Some(provenance)) = (options.publish, precision, &provenance) {
        let published = publish(
            &recipe,
            &run.folder,
            &run.trainer,
            run.history.entries(),
            provenance,
            precision,
            &Measurement {
                images: options.frechet_images,
                device: &run.device,
                interrupted,
            },
        )?;
        if !published {
            eprintln!("interrupted while the model was measured; nothing was published");
            finished = false;
        }
    }
    if finished {
        println!(
            "{kimg:.1} kimg: wrote generator.safetensors, discriminator.safetensors, samples and history to {}",
            run.folder.path().display()
        );
    } else {
        println!("stopped at {kimg:.1} kimg; continue with --resume");
    }
    if let Some(path) = &options.common.json {
        let results = Results {
            name: &recipe.name,
            out: run.folder.path().display().to_string(),
            device: format!("{:?}", options.common.device).to_lowercase(),
            kimg,
            finished,
            seconds: run.seconds,
            generator_precision: precision.map(|precision| precision.to_string().to_lowercase()),
            options: run.trainer.config(),
            provenance,
            history: run.history.entries(),
        };
        output::write_json(path, &results)?;
    }
    Ok(if finished {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(INTERRUPTED)
    })
}

/// A run and what of it is not yet on disk.
struct Run {
    folder: RunFolder,
    trainer: Trainer,
    history: History,
    device: Device,
    bar: Bar,
    total: u64,
    /// Since the last entry of the history.
    reports: Vec<StepReport>,
    /// How long these iterations took, without what was written in between.
    unreported: Duration,
    seconds: f64,
}

impl Run {
    /// Iterates; `false` when it was interrupted before its time. The checkpoint is written in either case.
    fn iterate(
        &mut self,
        options: &Options,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<bool, Failure> {
        let snapshot_images = ((options.snapshot_kimg * KILO) as u64).max(1);
        self.bar.set_position(self.trainer.images_shown());
        self.bar.reset_eta();
        let mut saved = Instant::now();
        while self.trainer.images_shown() < self.total && !interrupted() {
            let before = self.trainer.images_shown();
            let begin = Instant::now();
            self.reports.push(self.trainer.step()?);
            self.unreported += begin.elapsed();
            self.bar.set_position(self.trainer.images_shown());
            // Multiples, also in a resumed run, so that its entries are those of a run in one piece.
            if self
                .trainer
                .iterations()
                .is_multiple_of(ITERATIONS_PER_ENTRY)
            {
                self.report()?;
            }
            if before / snapshot_images != self.trainer.images_shown() / snapshot_images {
                self.save()?;
                saved = Instant::now();
                self.snapshot();
            } else if saved.elapsed() >= options.checkpoint_minutes {
                self.save()?;
                saved = Instant::now();
            }
        }
        self.save()?;
        self.bar.finish_and_clear();
        self.snapshot();
        Ok(self.trainer.images_shown() >= self.total)
    }

    /// Moves what was measured since the last entry into the history.
    fn report(&mut self) -> Result<(), Failure> {
        if self.reports.is_empty() {
            return Ok(());
        }
        let batch = self.trainer.config().batch_size;
        let seconds = self.unreported.as_secs_f64();
        let entry = HistoryEntry::mean_of(&self.reports, batch, seconds);
        self.bar.set_message(format!(
            "{:.1} kimg, {:.1} img/s, G {:.3}, D {:.3}",
            entry.kimg, entry.images_per_second, entry.generator_loss, entry.discriminator_loss
        ));
        self.history.push(entry)?;
        self.reports.clear();
        self.seconds += seconds;
        self.unreported = Duration::ZERO;
        Ok(())
    }

    /// The history first: a resumed run drops what is beyond the checkpoint, and would miss what was never written.
    fn save(&mut self) -> Result<(), Failure> {
        self.report()?;
        Ok(self.trainer.save(self.folder.checkpoint())?)
    }

    /// Writes samples and the plot. Training does not end over a picture.
    fn snapshot(&self) {
        let kimg = self.trainer.images_shown() / KILO as u64;
        let sheet = self.folder.path().join(format!("samples-{kimg:06}.png"));
        let plot = self.folder.path().join("history.svg");
        let written = samples::write(self.trainer.generator_average(), &sheet, &self.device)
            .and_then(|()| plot::write(self.history.entries(), &plot));
        if let Err(failure) = written {
            self.bar
                .suspend(|| eprintln!("warning: no snapshot: {failure}"));
        }
    }
}
