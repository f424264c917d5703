use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;
use vision_aided_finetune::HistoryEntry;

use crate::options::Options;
use examples::Failure;
use examples::training::start::{generator_file, name_of};
use examples::transfer::distance::{Measurement, best};
use examples::transfer::job::{Job, Outcome};
use examples::transfer::ranking::ranking;
use examples::transfer::record::Record;
use examples::{INTERRUPTED, output, table};
use ganymede::Weights;

/// What is fine-tuned on without arguments.
const DEMONSTRATION: &str = "avataaars";

/// What `--json` writes.
#[derive(Serialize)]
struct Results<'a> {
    name: &'a str,
    out: String,
    device: String,
    finished: bool,
    kimg: f64,
    /// Of this call.
    seconds: f64,
    /// What the distances are called.
    distance: &'a str,
    best: Option<&'a Measurement>,
    record: &'a Record,
    history: &'a [Measurement],
    training: &'a [HistoryEntry],
}

/// Fine-tunes until the run has its length or `interrupted` says that it is to end.
pub fn finetune(options: &Options, interrupted: &dyn Fn() -> bool) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let device = options.common.device.open()?;
    let weights = Weights::open(options.common.weights.as_deref());
    let images = match &options.images {
        Some(path) => path.clone(),
        None => weights
            .as_ref()
            .map_err(ToString::to_string)?
            .few_shot(DEMONSTRATION),
    };
    let weights = weights.ok();
    let source = match &options.source {
        Some(which) => generator_file("--source", which, weights.as_ref())?,
        None => first_ranked(options, &images, weights.as_ref(), &device)?,
    };
    let name = name_of(&images);
    let features = options.transfer.protocol.load(
        options.transfer.features.as_deref(),
        options.common.weights.as_deref(),
        &device,
    )?;
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
        settings: options
            .transfer
            .settings(options.common.seed, options.plain),
        options: &options.transfer,
        weights: weights.as_ref(),
        features: &features,
    };
    let Some(outcome) = job.run(interrupted, &device)? else {
        println!("stopped before the first measurement; the same command starts anew");
        return Ok(ExitCode::from(INTERRUPTED));
    };
    print(&outcome, &job.out);
    if let Some(path) = &options.common.json {
        let results = Results {
            name: &name,
            out: job.out.display().to_string(),
            device: format!("{:?}", options.common.device).to_lowercase(),
            finished: outcome.finished,
            kimg: outcome.kimg,
            seconds: started.elapsed().as_secs_f64(),
            distance: &outcome.distance_name,
            best: best(&outcome.measurements),
            record: &outcome.record,
            history: &outcome.measurements,
            training: &outcome.history,
        };
        output::write_json(path, &results)?;
    }
    Ok(if outcome.finished {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(INTERRUPTED)
    })
}

/// The model that is most likely to have made the images.
fn first_ranked(
    options: &Options,
    images: &Path,
    weights: Option<&Weights>,
    device: &burn::tensor::Device,
) -> Result<PathBuf, Failure> {
    let weights = weights.ok_or(
        "--source: without one the zoo is ranked, which needs a weights folder; name either with --source or --weights",
    )?;
    let ranked = ranking(
        options.models.as_deref(),
        images,
        options.transfer.bad_images,
        weights,
        device,
    )?;
    let first = ranked.into_iter().next().ok_or("the zoo has no models")?;
    eprintln!("source: {}, ranked first of the zoo", first.model);
    Ok(first.generator(options.models.as_deref(), weights))
}

/// Said where no snapshot is nearer to the reference than what the run started from.
fn no_better_than_source(measurements: &[Measurement]) -> Option<&'static str> {
    let start = measurements.iter().find(|m| m.iteration == 0)?;
    let is_best = best(measurements)?.iteration == start.iteration;
    (is_best && measurements.len() > 1).then_some(
        "no snapshot was better than its source, so that what is written is the source; try a lower --learning-rate, more images or another --source",
    )
}

fn print(outcome: &Outcome, out: &Path) {
    let chosen = best(&outcome.measurements).map(|best| best.iteration);
    let rows: Vec<Vec<String>> = outcome
        .measurements
        .iter()
        .map(|m| {
            vec![
                format!("{:.1}", m.kimg),
                format!("{:.2}", m.frechet_distance),
                format!("{:.2}", m.frechet_distance_training),
                if chosen == Some(m.iteration) {
                    "best"
                } else {
                    ""
                }
                .to_owned(),
            ]
        })
        .collect();
    if let Some(source_is_best) = no_better_than_source(&outcome.measurements) {
        println!("{source_is_best}");
    }
    println!("{}", outcome.distance_name);
    table::print(&["kimg", "reference", "training images", ""], &rows);
    for (number, stage) in (1..).zip(&outcome.record.stages) {
        if !stage.candidates.is_empty() {
            let scores: Vec<String> = stage
                .candidates
                .iter()
                .map(|c| format!("{} {:.3}", c.network, c.score.accuracy))
                .collect();
            println!(
                "stage {number} added {}; linear probes: {}",
                stage.added.join(", "),
                scores.join(", ")
            );
        }
    }
    if outcome.finished {
        println!(
            "{:.1} kimg: wrote generator.safetensors and discriminator.safetensors (the best snapshot), samples.png and distances.svg to {}",
            outcome.kimg,
            out.display()
        );
    } else {
        println!(
            "stopped at {:.1} kimg; the same command goes on",
            outcome.kimg
        );
    }
}
