//! Find the models that could have made an image, and invert the image into them.
//!
//! `cargo run --release --example find_and_invert` takes a query image of the repository, ranks the zoo for it, and inverts it with the models at ranks
//! 1, 10 and 15, as the paper does.

use ganymede::files;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use burn::tensor::Device;
use clap::Parser;
use image_source::SourceImage;
use image_tensor::{Rgb, RgbImage, center_crop_square, from_signed_unit, grid};
use inversion::{Inversion, InversionConfig};
use lpips::{Lpips, Version};
use retrieval_gaussian::{Query, RankedModel};
use serde::Serialize;
use stylegan2::{Generator, NoiseMode, Truncation, latents_from_seeds};

use examples::figure::{Panel, Row};
use examples::image_sets::BadImageArgs;
use examples::interrupt::Interrupt;
use examples::inversion_args::InversionArgs;
use examples::inversion_files::{self, InversionFiles};
use examples::numbers::rank;
use examples::terminal::warn_of_outdated;
use examples::{CommonArgs, Failure, figure, output, progress, table};
use ganymede::Model;
use ganymede::Weights;
use ganymede::files::ShownPath;
use ganymede::images::{Target, to_targets};
use ganymede::search::{Method, Searcher};

/// Find the models that could have made an image, and invert the image into them
///
/// Ranks all models of the zoo by the density of the image's features, shows samples of the best, inverts the image with the models at some ranks, and
/// writes one figure. An image that a good model could have made is inverted well; one that it could not is inverted badly, or far from its mean.
#[derive(Parser, Debug)]
#[command(name = "find_and_invert")]
struct Args {
    /// The query: an image, or a folder or archive with one; - for standard input [default: a query image of the repository]
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    #[command(flatten)]
    bad_images: BadImageArgs,
    /// Ranks of the models to invert with; those beyond the zoo are left out
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 15], value_parser = rank)]
    ranks: Vec<usize>,
    /// Models whose samples are shown beside the query
    #[arg(long, default_value_t = 3)]
    show: usize,
    /// Folder of models [default: zoo/ in the weights folder]
    #[arg(long, value_name = "DIR")]
    zoo: Option<PathBuf>,
    /// Weights of the feature network that the index was built with [default: features/NAME.safetensors in the weights folder]
    #[arg(long, value_name = "FILE")]
    features_file: Option<PathBuf>,
    /// Score
    #[arg(long, value_enum, default_value_t = Method::GaussianDensity)]
    method: Method,
    /// Folder for the pictures
    #[arg(long, default_value = "out/find_and_invert", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    inversion: InversionArgs,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Serialize)]
struct Results {
    image: String,
    method: &'static str,
    ranking: Vec<Score>,
    inversions: Vec<InversionResult>,
    figure: ShownPath,
    /// Of the whole run.
    seconds: f64,
}

#[derive(Serialize)]
struct Score {
    rank: usize,
    model: String,
    score: f64,
}

#[derive(Serialize)]
struct InversionResult {
    rank: usize,
    model: String,
    lpips: f64,
    psnr: f64,
    mse: f64,
    w_plus_distance: f64,
    steps: usize,
    seconds: f64,
    files: InversionFiles,
}

/// The query of a run without arguments: a kind and the number of its image.
const DEFAULT_QUERY: &str = "micah/2.png";
/// Samples of a model beside the query, in rows of two.
const SAMPLES: u32 = 4;
/// Truncation of those samples.
const SAMPLES_PSI: f32 = 0.7;
const WHITE: Rgb<u8> = Rgb([255; 3]);

fn main() -> ExitCode {
    examples::start();
    examples::exit(run(&examples::parse::<Args>()))
}

fn run(args: &Args) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let device = args.common.device.open()?;
    let weights = Weights::open(args.common.weights.as_deref())?;
    let path = match &args.image {
        Some(path) => path.clone(),
        None => weights.queries().join(DEFAULT_QUERY),
    };
    let image = args.bad_images.only(&path)?;
    let searcher = Searcher::open(
        args.zoo.as_deref(),
        args.features_file.as_deref(),
        &weights,
        &device,
    )?;
    warn_of_outdated(&searcher.outdated);
    let interrupt = Interrupt::listen()?;
    files::make_folder(&args.out)?;

    let features = searcher.features(std::slice::from_ref(&image.pixels));
    let feature = Query::feature(&features.row(0).to_vec());
    let (ranking, scoring) = searcher.rank(&feature, args.method)?;
    let ranked = ranking.models;
    println!("query: {}", path.display());
    print_ranking(&ranked);
    println!("scored in {:.2} ms\n", 1e3 * scoring.as_secs_f64());

    let mut best = Vec::new();
    for model in ranked.iter().take(args.show) {
        let generator = searcher.zoo.model(&model.model)?.load_generator(&device)?;
        best.push(samples(&generator, args.common.seed, &device));
    }

    let metric = Lpips::load(
        args.inversion.lpips.network(),
        Version::V0_1,
        weights.features(),
        &device,
    )?;
    let inverter = Inverter {
        config: args.inversion.config(args.common.seed, args.common.device),
        metric,
        device,
        interrupt,
        out: &args.out,
    };
    let mut inversions = Vec::new();
    for rank in &args.ranks {
        let Some(model) = ranked.get(rank - 1) else {
            eprintln!(
                "rank {rank} is left out: the zoo has {} models",
                ranked.len()
            );
            continue;
        };
        if inverter.interrupt.requested() {
            break;
        }
        let model = Model::of_zoo(searcher.zoo.model(&model.model)?, &inverter.device)?;
        inversions.push(inverter.invert(&image, *rank, model)?);
    }
    print_inversions(&inversions);

    let rows = figure_rows(&image.pixels, &ranked, best, &inversions);
    let file = figure::write(&args.out, "figure", &rows)?;
    let seconds = started.elapsed().as_secs_f64();
    println!("\n{} in {seconds:.1} s", file.0.display());

    if let Some(json) = &args.common.json {
        let results = Results {
            image: path.display().to_string(),
            method: args.method.name(),
            ranking: ranked
                .into_iter()
                .enumerate()
                .map(|(index, model)| Score {
                    rank: index + 1,
                    model: model.model,
                    score: model.score,
                })
                .collect(),
            inversions: inversions.into_iter().map(|done| done.result).collect(),
            figure: file,
            seconds,
        };
        output::write_json(json, &results)?;
    }
    Ok(inverter.interrupt.exit_code())
}

/// A finished inversion and its picture.
struct Done {
    result: InversionResult,
    image: RgbImage,
}

/// What all inversions share.
struct Inverter<'a> {
    config: InversionConfig,
    metric: Lpips,
    device: Device,
    interrupt: Interrupt,
    out: &'a Path,
}

impl Inverter<'_> {
    fn invert(&self, image: &SourceImage, rank: usize, model: Model) -> Result<Done, Failure> {
        let target = Target::of(image.clone(), model.resolution());
        let pixels = std::slice::from_ref(&target.pixels);
        let targets = to_targets(pixels, &model.generator, &self.device);
        let bar = progress::bar(self.config.steps, &format!("rank {rank}"));
        let started = Instant::now();
        let inversion: Inversion = inversion::invert(
            &model.generator,
            &self.metric,
            targets,
            &self.config,
            |now| {
                progress::show_inversion(&bar, now);
                self.interrupt.flow()
            },
        )?
        .remove(0);
        bar.finish_and_clear();
        let seconds = started.elapsed().as_secs_f64();
        let name = format!("rank-{rank:02}-{}", model.name);
        let files = inversion_files::write(self.out, &name, &model, &target, &inversion, &[])?;
        let best = &inversion.best;
        Ok(Done {
            image: inversion_files::image_of(&best.image),
            result: InversionResult {
                rank,
                model: model.name,
                lpips: best.losses.lpips,
                psnr: best.psnr,
                mse: best.losses.mse,
                w_plus_distance: best.w_plus_distance,
                steps: inversion.curve.len(),
                seconds,
                files,
            },
        })
    }
}

/// Samples of a model as one picture.
fn samples(generator: &Generator, seed: u32, device: &Device) -> RgbImage {
    let seeds: Vec<u32> = (0..SAMPLES).map(|index| seed.wrapping_add(index)).collect();
    let z = latents_from_seeds(&seeds, generator.config().z_dim, device);
    let psi = Truncation::psi(SAMPLES_PSI);
    let images = generator.forward(
        z,
        generator.drawn_labels(&seeds, device),
        psi,
        &NoiseMode::Constant,
    );
    grid(&from_signed_unit(images), 2, 2, WHITE)
}

fn figure_rows(
    query: &RgbImage,
    ranked: &[RankedModel],
    samples: Vec<RgbImage>,
    inversions: &[Done],
) -> Vec<Row> {
    let query = Panel::new(&center_crop_square(query), vec!["query".to_owned()]);
    let found = ranked.iter().zip(samples).enumerate();
    let found = found.map(|(index, (model, image))| {
        let caption = vec![
            format!("rank {}: {}", index + 1, model.model),
            format!("score {:.1}", model.score),
        ];
        Panel::new(&image, caption)
    });
    let inverted = inversions.iter().map(|done| {
        let caption = vec![
            format!("rank {}: {}", done.result.rank, done.result.model),
            format!(
                "LPIPS {:.3}, PSNR {:.1} dB",
                done.result.lpips, done.result.psnr
            ),
            format!("|w+ - w_avg| {:.1}", done.result.w_plus_distance),
        ];
        Panel::new(&done.image, caption)
    });
    vec![
        Row {
            heading: "Samples of the models found".to_owned(),
            panels: std::iter::once(query.clone()).chain(found).collect(),
        },
        Row {
            heading: "Inversions".to_owned(),
            panels: std::iter::once(query).chain(inverted).collect(),
        },
    ]
}

fn print_ranking(ranked: &[RankedModel]) {
    let best = ranked.first().map_or(0.0, |model| model.score);
    let rows: Vec<Vec<String>> = ranked
        .iter()
        .enumerate()
        .map(|(index, model)| {
            vec![
                (index + 1).to_string(),
                model.model.clone(),
                format!("{:.2}", model.score),
                format!("{:.2}", model.score - best),
            ]
        })
        .collect();
    table::print(&["rank", "model", "score", "to the best"], &rows);
}

fn print_inversions(inversions: &[Done]) {
    let rows: Vec<Vec<String>> = inversions
        .iter()
        .map(|Done { result, .. }| {
            vec![
                result.rank.to_string(),
                result.model.clone(),
                format!("{:.4}", result.lpips),
                format!("{:.2}", result.psnr),
                format!("{:.1}", result.w_plus_distance),
                format!("{:.1}", result.seconds),
            ]
        })
        .collect();
    let header = [
        "rank",
        "model",
        "LPIPS",
        "PSNR dB",
        "|w+ - w_avg|",
        "seconds",
    ];
    table::print(&header, &rows);
}
