//! Invert real images into a StyleGAN2 model: find the latents whose image looks like the given one.
//!
//! `cargo run --release --example invert` inverts a query image of the repository into one of its models.

use ganymede::files;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use clap::Parser;
use image_tensor::{RgbImage, from_signed_unit};
use inversion::{Inversion, InversionConfig, Progress, StopReason};
use lpips::Lpips;
use serde::Serialize;

use examples::image_sets::BadImageArgs;
use examples::interrupt::Interrupt;
use examples::inversion_args::InversionArgs;
use examples::inversion_files::{self, InversionFiles};
use examples::{CommonArgs, Failure, output, progress, table};
use ganymede::DEFAULT_MODEL;
use ganymede::Model;
use ganymede::Weights;
use ganymede::files::Names;
use ganymede::images::{Target, files_in, to_targets};

/// Invert images into the latent space of a StyleGAN2 model
///
/// Images of any size are cut to their central square and resized to the model's. For each image this writes target, reconstruction and difference as
/// one PNG, the losses as SVG, and the latents as safetensors.
#[derive(Parser, Debug)]
#[command(name = "invert")]
struct Args {
    /// Images to invert: files, folders, .zip or .tar archives; - for standard input [default: a query image of the model's kind]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    image: Vec<PathBuf>,
    #[command(flatten)]
    bad_images: BadImageArgs,
    /// A model of the zoo, or a generator file
    #[arg(long, default_value = DEFAULT_MODEL)]
    model: String,
    /// Also write the course of the optimisation as an animated GIF
    #[arg(long)]
    animation: bool,
    /// Folder for the pictures
    #[arg(long, default_value = "out/invert", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    inversion: InversionArgs,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Serialize)]
struct Results {
    model: String,
    space: &'static str,
    steps: usize,
    lpips_network: String,
    device: String,
    inversions: Vec<InversionResult>,
    /// Medians over the images.
    median_psnr: Option<f64>,
    median_lpips: Option<f64>,
}

#[derive(Serialize)]
struct InversionResult {
    image: String,
    model: String,
    lpips: f64,
    /// Of the picture that is written; null where it is the target.
    psnr: f64,
    mse: f64,
    w_plus_distance: f64,
    /// Optimisation steps done.
    steps: usize,
    /// Wall time of the image's batch, divided by its images.
    seconds: f64,
    /// finished, early_stopping, cancelled or non_finite_loss.
    stop: &'static str,
    original_size: (u32, u32),
    files: InversionFiles,
}

/// An animation has at most this many frames before the last.
const MOST_FRAMES: usize = 60;

fn main() -> ExitCode {
    examples::start();
    examples::exit(run(examples::parse::<Args>()))
}

fn run(args: Args) -> Result<ExitCode, Failure> {
    let context = args.common.context()?;
    let weights = context.weights()?;
    let model = context.model(&args.model)?;
    let paths = if args.image.is_empty() {
        vec![default_image(&model.name, &weights)?]
    } else {
        args.image.clone()
    };
    // All images are read first, so that a wrong name is found before the work and not after it.
    args.inversion.check_side(&model.name, model.resolution())?;
    let targets = args.bad_images.targets(&paths, model.resolution())?;
    let metric = context.lpips(args.inversion.lpips.network())?;
    files::make_folder(&args.out)?;
    let job = Job {
        config: args.inversion.config(args.common.seed, args.common.device),
        model,
        metric,
        device: context.device().clone(),
        interrupt: Interrupt::listen()?,
        animation: args.animation,
    };

    let mut names = Names::default();
    let mut results: Vec<InversionResult> = Vec::new();
    for batch in targets.chunks(usize::from(args.inversion.batch)) {
        if job.interrupt.requested() {
            break;
        }
        let started = Instant::now();
        let done = job.invert(batch, targets.len(), results.len())?;
        let seconds = started.elapsed().as_secs_f64() / batch.len() as f64;
        for (target, (inversion, frames)) in batch.iter().zip(done) {
            let name = names.unique(&format!("{}-{}", job.model.name, target.stem));
            let files =
                inversion_files::write(&args.out, &name, &job.model, target, &inversion, &frames)?;
            results.push(result_of(&job.model, target, &inversion, seconds, files));
        }
    }

    let medians = print_results(&results);
    println!("written to {}", args.out.display());
    if let Some(path) = &args.common.json {
        output::write_json(
            path,
            &Results {
                model: job.model.name.clone(),
                space: args.inversion.space.name(),
                steps: args.inversion.steps,
                lpips_network: args.inversion.lpips.network().to_string(),
                device: format!("{:?}", args.common.device).to_lowercase(),
                inversions: results,
                median_psnr: medians.0,
                median_lpips: medians.1,
            },
        )?;
    }
    Ok(job.interrupt.exit_code())
}

/// What all batches of a run share.
struct Job {
    config: InversionConfig,
    model: Arc<Model>,
    metric: Arc<Lpips>,
    device: Device,
    interrupt: Interrupt,
    animation: bool,
}

impl Job {
    /// Inverts one batch; `done` of `all` images were inverted before. Gives each image's result and frames.
    fn invert(
        &self,
        batch: &[Target],
        all: usize,
        done: usize,
    ) -> Result<Vec<(Inversion, Vec<RgbImage>)>, Failure> {
        let pixels: Vec<RgbImage> = batch.iter().map(|target| target.pixels.clone()).collect();
        let targets = to_targets(&pixels, &self.model.generator, &self.device);
        let what = format!("image {} of {all}", done + batch.len());
        let bar = progress::bar(self.config.steps, &what);
        let mut frames = vec![Vec::new(); batch.len()];
        let frame_steps = self.config.steps.div_ceil(MOST_FRAMES).max(1);
        let inversions = inversion::invert(
            &self.model.generator,
            &self.metric,
            targets,
            &self.config,
            |progress| {
                progress::show_inversion(&bar, progress);
                if let Progress::Step(now) = progress
                    && self.animation
                    && now.step % frame_steps < self.config.report_every
                {
                    let images = from_signed_unit(now.images.clone());
                    for (image, frame) in now.active.iter().zip(images) {
                        frames[*image].push(frame);
                    }
                }
                self.interrupt.flow()
            },
        )?;
        bar.finish_and_clear();
        Ok(inversions.into_iter().zip(frames).collect())
    }
}

/// The first query image of the model's kind, or of any kind for another model.
fn default_image(model: &str, weights: &Weights) -> Result<PathBuf, Failure> {
    let queries = weights.queries();
    let mut kinds: Vec<PathBuf> = files_in(&queries);
    kinds.sort_by_key(|kind| (kind.file_name() != Some(model.as_ref()), kind.clone()));
    kinds
        .iter()
        .flat_map(|kind| files_in(kind))
        .find(|file| file.extension().is_some_and(|extension| extension == "png"))
        .ok_or_else(|| {
            format!(
                "{}: no query image there; name an image with --image",
                queries.display()
            )
            .into()
        })
}

fn result_of(
    model: &Model,
    target: &Target,
    inversion: &Inversion,
    seconds: f64,
    files: InversionFiles,
) -> InversionResult {
    let best = &inversion.best;
    let (steps, stop) = match inversion.stop {
        StopReason::EarlyStopping { step } => (step, "early_stopping"),
        StopReason::Cancelled { step } => (step, "cancelled"),
        StopReason::NonFiniteLoss { step } => (step, "non_finite_loss"),
        StopReason::Finished => (inversion.curve.len(), "finished"),
    };
    InversionResult {
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
    }
}

/// Prints the table; returns the medians of PSNR and LPIPS.
fn print_results(results: &[InversionResult]) -> (Option<f64>, Option<f64>) {
    let header = [
        "image",
        "LPIPS",
        "PSNR dB",
        "MSE",
        "|w+ - w_avg|",
        "steps",
        "seconds",
    ];
    let rows: Vec<Vec<String>> = results
        .iter()
        .map(|result| {
            vec![
                result.image.clone(),
                format!("{:.4}", result.lpips),
                format!("{:.2}", result.psnr),
                format!("{:.5}", result.mse),
                format!("{:.1}", result.w_plus_distance),
                result.steps.to_string(),
                format!("{:.1}", result.seconds),
            ]
        })
        .collect();
    table::print(&header, &rows);
    let median = |value: fn(&InversionResult) -> f64| {
        table::median(&results.iter().map(value).collect::<Vec<_>>())
    };
    let medians = (median(|r| r.psnr), median(|r| r.lpips));
    if let (Some(psnr), Some(lpips), true) = (medians.0, medians.1, results.len() > 1) {
        println!("median: LPIPS {lpips:.4}, PSNR {psnr:.2} dB");
    }
    medians
}
