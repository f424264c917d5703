use std::process::ExitCode;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use checkpoint::FloatPrecision;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use vision_aided_finetune::{History, HistoryEntry, StepReport, Trainer};

use crate::cli::interrupt::Interrupt;
use crate::cli::{INTERRUPTED, output};
use crate::diversity::Diversity;
use crate::options::Options;
use crate::recipe::Recipe;
use crate::{Failure, card, export, plot, samples};

/// Iterations that one line of the history is the mean of: a round of R1.
const ITERATIONS_PER_ENTRY: usize = 16;
const KILO: f64 = 1000.0;

/// What `--json` writes.
#[derive(Serialize)]
struct Results<'a> {
    name: &'a str,
    out: String,
    kimg: f64,
    finished: bool,
    generator_precision: Option<String>,
    history: &'a [HistoryEntry],
}

/// Trains until the run has its length or Ctrl-C is pressed.
pub fn train(options: &Options) -> Result<ExitCode, Failure> {
    let device = options.common.device.open()?;
    let recipe = Recipe::new(options)?;
    let mut trainer = recipe.trainer(options, &device)?;
    output::make_folder(&recipe.out)?;
    let history_path = recipe.out.join("history.jsonl");
    let mut history = History::open(&history_path, trainer.iterations())?;
    eprintln!(
        "training {} from {}: {} images of {side}x{side}, kept in {}",
        recipe.name,
        recipe.start(),
        trainer.images().len(),
        recipe.out.display(),
        side = trainer.images().side()
    );

    let total = (recipe.kimg * KILO) as u64;
    let finished = run(options, &recipe, &mut trainer, &mut history, &device, total)?;
    snapshot(&recipe, &trainer, &history, &device)?;
    let precision = finished
        .then(|| export::write(&trainer, &recipe.out, &device))
        .transpose()?;
    let kimg = trainer.images_shown() as f64 / KILO;
    if let (true, Some(precision)) = (options.publish, precision) {
        publish(&recipe, &trainer, &history, precision, &device)?;
    }
    if finished {
        println!(
            "{kimg:.1} kimg: wrote generator.safetensors, discriminator.safetensors, samples and history to {}",
            recipe.out.display()
        );
    } else {
        println!("stopped at {kimg:.1} kimg; continue with --resume");
    }
    if let Some(path) = &options.common.json {
        let results = Results {
            name: &recipe.name,
            out: recipe.out.display().to_string(),
            kimg,
            finished,
            generator_precision: precision.map(|precision| format!("{precision:?}")),
            history: history.entries(),
        };
        output::write_json(path, &results)?;
    }
    Ok(if finished {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(INTERRUPTED)
    })
}

/// Puts the finished model into the zoo, with its card.
fn publish(
    recipe: &Recipe,
    trainer: &Trainer,
    history: &History,
    precision: FloatPrecision,
    device: &Device,
) -> Result<(), Failure> {
    let folder = recipe.weights.zoo().join(&recipe.name);
    output::make_folder(&folder)?;
    for file in ["generator.safetensors", "discriminator.safetensors"] {
        std::fs::copy(recipe.out.join(file), folder.join(file))?;
    }
    let generator = trainer.generator_average();
    samples::write(generator, &folder.join("samples.png"), device)?;
    let run = card::Run {
        name: &recipe.name,
        trainer,
        history: history.entries(),
        start: &recipe.start(),
        precision: format!("{precision:?}"),
        diversity: Diversity::measure(
            generator,
            trainer.images(),
            &recipe.weights.features(),
            device,
        )?,
    };
    card::write(&run, &recipe.weights.queries(), &folder.join("card.toml"))
}

/// Iterates; `false` when Ctrl-C ended it before its time. The checkpoint is written in either case.
fn run(
    options: &Options,
    recipe: &Recipe,
    trainer: &mut Trainer,
    history: &mut History,
    device: &Device,
    total: u64,
) -> Result<bool, Failure> {
    let interrupt = Interrupt::listen()?;
    let checkpoint_interval = Duration::from_secs_f64(60.0 * options.checkpoint_minutes);
    let snapshot_images = ((options.snapshot_kimg * KILO) as u64).max(1);
    let batch = trainer.config().batch_size;

    let bar = progress_bar(total, trainer.images_shown());
    let mut reports: Vec<StepReport> = Vec::with_capacity(ITERATIONS_PER_ENTRY);
    let mut entry_start = Instant::now();
    let mut saved = Instant::now();
    while trainer.images_shown() < total && !interrupt.requested() {
        let before = trainer.images_shown();
        reports.push(trainer.step()?);
        bar.set_position(trainer.images_shown());
        if reports.len() == ITERATIONS_PER_ENTRY {
            let seconds = entry_start.elapsed().as_secs_f64();
            let entry = HistoryEntry::mean_of(&reports, batch, seconds);
            bar.set_message(message(&entry));
            history.push(entry)?;
            reports.clear();
            entry_start = Instant::now();
        }
        if saved.elapsed() >= checkpoint_interval {
            trainer.save(recipe.checkpoint())?;
            saved = Instant::now();
        }
        if before / snapshot_images != trainer.images_shown() / snapshot_images {
            snapshot(recipe, trainer, history, device)?;
        }
    }
    bar.finish_and_clear();
    trainer.save(recipe.checkpoint())?;
    Ok(trainer.images_shown() >= total)
}

fn snapshot(
    recipe: &Recipe,
    trainer: &Trainer,
    history: &History,
    device: &Device,
) -> Result<(), Failure> {
    let kimg = trainer.images_shown() / KILO as u64;
    let path = recipe.out.join(format!("samples-{kimg:06}.png"));
    samples::write(trainer.generator_average(), &path, device)?;
    plot::write(history.entries(), &recipe.out.join("history.svg"))
}

fn progress_bar(total: u64, position: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} images, {msg}, ETA {eta}")
            .expect("a template that is written here");
    let bar = ProgressBar::new(total).with_style(style);
    bar.set_position(position);
    bar.reset_eta();
    bar.set_message("starting");
    bar
}

fn message(entry: &HistoryEntry) -> String {
    format!(
        "{:.1} kimg, {:.1} img/s, G {:.3}, D {:.3}",
        entry.kimg, entry.images_per_second, entry.generator_loss, entry.discriminator_loss
    )
}
