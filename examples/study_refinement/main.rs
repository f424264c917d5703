//! What goes beyond W+: inversions of held-out images by the starts, the prior, the refinement and the tuning of `invert`, side by side in one table.
//!
//! `cargo run --release --example study_refinement -- --images 1` takes the first held-out image of every kind.

mod edits;
mod measures;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use burn::tensor::Tensor;
use clap::Parser;
use ganymede::images::{Target, image_of, to_targets};
use ganymede::invert::{ScheduleChoice, Search, Settings, StartChoice};
use ganymede::search::{Method, Searcher};
use ganymede::{Context, Model, Observer, Phase};
use image_tensor::{Rgb, RgbImage, magnify, strip, write_png};
use inversion::{Refinement, TuningConfig, refine, tune};
use retrieval_gaussian::Query;
use stylegan2::NoiseMode;

use edits::{Edits, Made};
use examples::terminal::Terminal;
use examples::{CommonArgs, Failure, output, table};
use measures::{Measured, Metrics, Row, summary};

/// Compare what goes beyond W+ on held-out images of the zoo
#[derive(Parser, Debug)]
#[command(name = "study_refinement")]
struct Args {
    /// Models of the zoo [default: all]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    models: Vec<String>,
    /// Held-out images of each kind
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..))]
    images: u16,
    /// Invert into the model that search gives this rank, in place of the images' own
    #[arg(long, value_name = "RANK", value_parser = ganymede::search::rank)]
    rank: Option<usize>,
    /// Leave out some rows: regressed, prior, refined, tuned
    #[arg(long, value_name = "ROW", num_args = 1.., value_parser = ["regressed", "prior", "refined", "tuned"])]
    without: Vec<String>,
    /// Steps of the regressed start
    #[arg(long, default_value_t = 100)]
    regressed_steps: usize,
    /// Steps of the tuning
    #[arg(long, default_value_t = TuningConfig::default().steps)]
    tune_steps: usize,
    /// Adam's learning rate of the tuning
    #[arg(long, default_value_t = TuningConfig::default().learning_rate)]
    tune_learning_rate: f64,
    /// Weight of what keeps other images in the tuning
    #[arg(long, default_value_t = TuningConfig::default().locality.lambda)]
    lambda_locality: f32,
    /// Write a picture of each image into this folder: target, W+, refined, tuned, and the first named edit of the model on W+ and on refined
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// How inversions go
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    common: CommonArgs,
}

fn main() -> ExitCode {
    examples::start();
    examples::exit(run(&examples::parse::<Args>()).map(|()| ExitCode::SUCCESS))
}

fn run(args: &Args) -> Result<(), Failure> {
    args.settings.validate()?;
    let context = args.common.context()?;
    let weights = context.weights()?;
    let names = match args.models.is_empty() {
        true => weights.model_names(),
        false => args.models.clone(),
    };
    let searcher = match args.rank {
        Some(_) => Some(Searcher::open(None, None, &weights, context.device())?),
        None => None,
    };
    let metrics = Metrics::load(&context)?;
    let mut terminal = Terminal::listen()?;
    let mut rows: BTreeMap<&'static str, Vec<Measured>> = BTreeMap::new();
    terminal.begin(&Phase::new(
        "images",
        names.len() * usize::from(args.images),
    ));
    let mut done = 0;
    for name in &names {
        for number in 0..args.images {
            terminal.go_on()?;
            let file = weights.queries().join(name).join(format!("{number}.png"));
            let which = match (&searcher, args.rank) {
                (Some(searcher), Some(rank)) => ranked(searcher, &file, rank)?,
                _ => name.clone(),
            };
            let model = context.model(&which)?;
            let study = Study {
                args,
                model: &model,
                metrics: &metrics,
                context: &context,
                edits: Edits::of(&model, &context)?,
            };
            let label = format!("{name}-{number}");
            for (row, measured) in study.image(&file, &label)? {
                rows.entry(row).or_default().push(measured);
            }
            done += 1;
            terminal.position(done);
        }
    }
    terminal.end();
    let found: Vec<Row> = ROWS
        .iter()
        .filter_map(|name| Some(summary(name, rows.get(name)?)))
        .collect();
    table::print(
        &Row::HEADER,
        &found.iter().map(Row::cells).collect::<Vec<_>>(),
    );
    if let Some(path) = &args.common.json {
        output::write_json(path, &found)?;
    }
    Ok(())
}

const PLAIN: &str = "W+";
const REGRESSED: &str = "regressed start";
const PRIOR: &str = "prior";
const REFINED: &str = "refined";
const TUNED: &str = "tuned";
const ROWS: [&str; 5] = [PLAIN, REGRESSED, PRIOR, REFINED, TUNED];

/// The model at a rank for an image.
fn ranked(searcher: &Searcher, file: &std::path::Path, rank: usize) -> Result<String, Failure> {
    let image = image_tensor::decode_file(file, &image_tensor::DecodeLimits::default())?;
    let features = searcher.features(&[image]);
    let query = Query::feature(&features.row(0).to_vec());
    let (ranking, _) = searcher.rank(&query, Method::GaussianDensity)?;
    let found = ranking.models.into_iter().nth(rank - 1);
    let found = found.ok_or_else(|| format!("--rank {rank}: the zoo has fewer models"))?;
    Ok(found.model)
}

/// One model's images.
struct Study<'a> {
    args: &'a Args,
    model: &'a Model,
    metrics: &'a Metrics,
    context: &'a Context,
    edits: Edits,
}

impl Study<'_> {
    fn image(
        &self,
        file: &std::path::Path,
        label: &str,
    ) -> Result<Vec<(&'static str, Measured)>, Failure> {
        let (args, model, context) = (self.args, self.model, self.context);
        let device = context.device();
        let wants = |row: &str| !args.without.iter().any(|without| without == row);
        let target = Target::load(file, model.resolution())?.pixels;
        let targets = to_targets(std::slice::from_ref(&target), &model.generator, device);
        let metric = context.lpips(args.settings.lpips)?;
        let mut rows = Vec::new();
        let mut search = |row: &'static str, settings: &Settings| -> Result<_, Failure> {
            // What is fitted once is not a part of an image's time.
            let search = Search::new(settings, args.common.seed, model, &metric, context, &mut ())?;
            let started = Instant::now();
            let pixels = std::slice::from_ref(&target);
            let found = search.run(pixels, row, &mut (), |_, _| {})?.remove(0);
            let seconds = started.elapsed().as_secs_f64();
            let best = found.inversion.best;
            let mut measured = self.metrics.measure(&best.image, &targets, seconds)?;
            measured.distance = best.w_plus_distance;
            measured.total = best.losses.total;
            rows.push((row, measured));
            Ok(best.w_plus)
        };
        let plain = search(PLAIN, &args.settings)?;
        if wants("regressed") {
            let settings = Settings {
                start: StartChoice::Regressed,
                steps: args.regressed_steps,
                schedule: ScheduleChoice::Ramp,
                ..args.settings.clone()
            };
            search(REGRESSED, &settings)?;
        }
        if wants("prior") {
            let settings = Settings {
                prior: true,
                ..args.settings.clone()
            };
            search(PRIOR, &settings)?;
        }
        let before = self.edits.made(model, &plain, None, device)?;
        let base = rows[0].1.clone();
        let mut strip_of = vec![target, picture(model, &plain)];
        let mut refined: Option<Refinement> = None;
        if wants("refined") {
            let config = args.settings.refinement(device);
            let started = Instant::now();
            let noise = NoiseMode::Constant;
            let found = refine(
                &model.generator,
                &metric,
                targets.clone(),
                plain.clone(),
                &noise,
                &config,
            )?
            .remove(0);
            let seconds = base.seconds + started.elapsed().as_secs_f64();
            let mut measured = self.metrics.measure(&found.image, &targets, seconds)?;
            measured.distance = base.distance;
            measured.mask = Some(f64::from(found.mask.clone().mean().into_scalar::<f32>()));
            let after = self
                .edits
                .made(model, &plain, Some(&found.offset), device)?;
            measured.edits = Made::compare(&before, &after, self.metrics)?;
            rows.push((REFINED, measured));
            strip_of.push(image_of(&found.image));
            refined = Some(found);
        }
        if wants("tuned") {
            let usual = TuningConfig::default();
            let config = TuningConfig {
                steps: args.tune_steps,
                learning_rate: args.tune_learning_rate,
                locality: inversion::Locality {
                    lambda: args.lambda_locality,
                    ..usual.locality
                },
                ..usual
            };
            let started = Instant::now();
            let noise = NoiseMode::Constant;
            let found = tune(
                &model.generator,
                &metric,
                targets.clone(),
                plain.clone(),
                &noise,
                &config,
            )?;
            let seconds = base.seconds + started.elapsed().as_secs_f64();
            let mut measured = self.metrics.measure(&found.images, &targets, seconds)?;
            measured.distance = base.distance;
            measured.moved = Some(found.moved);
            let tuned = Model {
                name: model.name.clone(),
                path: model.path.clone(),
                generator: model.generator.with_changes(&found.delta.weights),
            };
            let after = self.edits.made(&tuned, &plain, None, device)?;
            measured.edits = Made::compare(&before, &after, self.metrics)?;
            rows.push((TUNED, measured));
            strip_of.push(image_of(&found.images));
        }
        if let Some(folder) = &args.pictures {
            strip_of.extend(before.iter().take(1).flat_map(|made| made.ends.clone()));
            let offset = refined.as_ref().map(|refined| &refined.offset);
            let after = self.edits.made(model, &plain, offset, device)?;
            strip_of.extend(after.into_iter().take(1).flat_map(|made| made.ends));
            write_strip(folder, label, &strip_of)?;
        }
        Ok(rows)
    }
}

fn picture(model: &Model, w_plus: &Tensor<3>) -> RgbImage {
    let noise = NoiseMode::Constant;
    image_of(&model.generator.synthesis.forward(w_plus.clone(), &noise))
}

fn write_strip(folder: &std::path::Path, label: &str, images: &[RgbImage]) -> Result<(), Failure> {
    const FACTOR: u32 = 2;
    const PADDING: u32 = 2;
    ganymede::files::make_folder(folder)?;
    let shown: Vec<RgbImage> = images.iter().map(|image| magnify(image, FACTOR)).collect();
    let file = folder.join(format!("{label}.png"));
    Ok(write_png(file, &strip(&shown, PADDING, Rgb([255; 3])))?)
}
