//! Generate images with a StyleGAN2 model: seeds, truncation, grids.
//!
//! `cargo run --release --example generate -- --model micah --seeds 0-31 --truncation-psi 0.7`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use image_tensor::{Rgb, RgbImage, from_signed_unit, grid, write_png};
use serde::Serialize;
use stylegan2::{NoiseMode, Truncation, latents_from_seeds};

use examples::interrupt::Interrupt;
use examples::model::Model;
use examples::output::ShownPath;
use examples::seeds::Seeds;
use examples::{CommonArgs, Failure, class, latents, output, progress};

/// Generate images with a StyleGAN2 model: one file each, or a grid
#[derive(Parser, Debug)]
#[command(name = "generate")]
struct Args {
    /// A model of the zoo, or a generator file
    #[arg(long, default_value = "micah")]
    model: String,
    /// Seeds of the images, such as 0-31,40; the official generator script draws the same latents
    #[arg(long, default_value = "0-31")]
    seeds: Seeds,
    /// Truncation: 1 leaves latents as they are, smaller values pull them to the mean
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    truncation_psi: f32,
    /// Truncate only this many of the first layers
    #[arg(long, value_name = "LAYERS")]
    truncation_cutoff: Option<usize>,
    /// Noise images; random ones are drawn from --seed
    #[arg(long, value_enum, default_value_t = NoiseChoice::Constant)]
    noise_mode: NoiseChoice,
    /// Class of a conditional model, counted from 0
    #[arg(long)]
    class: Option<usize>,
    /// Write each image to a file of its own instead of a grid
    #[arg(long)]
    single: bool,
    /// Columns of the grid
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    columns: u16,
    /// Images in one forward pass
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// Folder for the pictures; pictures of an earlier run with the same names are replaced
    #[arg(long, default_value = "out/generate", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum NoiseChoice {
    /// The model's own
    Constant,
    Random,
    None,
}

#[derive(Serialize)]
struct Results {
    model: String,
    truncation_psi: f32,
    truncation_cutoff: Option<usize>,
    images: Vec<ImageResult>,
}

#[derive(Serialize)]
struct ImageResult {
    seed: u32,
    file: ShownPath,
    /// Place in a grid's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

/// Grids leave this many white pixels between images.
const PADDING: u32 = 2;
const WHITE: Rgb<u8> = Rgb([255; 3]);

fn main() -> ExitCode {
    examples::start();
    examples::exit(run(Args::parse()))
}

fn run(args: Args) -> Result<ExitCode, Failure> {
    let device = args.common.device.open()?;
    let model = Model::load(&args.model, args.common.weights.as_deref(), &device)?;
    let generator = &model.generator;
    let mapping = &generator.mapping;
    latents::check_truncation(args.truncation_psi, &model)?;
    let class = class::check(args.class, &model)?;
    output::make_folder(&args.out)?;
    let interrupt = Interrupt::listen()?;
    let truncation = Truncation {
        psi: args.truncation_psi,
        cutoff: args.truncation_cutoff,
    };

    let seeds = &args.seeds.0;
    let bar = progress::bar(seeds.len(), "images");
    let mut images: Vec<RgbImage> = Vec::new();
    let mut results = Vec::new();
    let at_once = match args.noise_mode {
        // Drawn for a batch as a whole: one image at a time keeps a seed's image the same whatever seeds stand beside it.
        NoiseChoice::Random => 1,
        NoiseChoice::Constant | NoiseChoice::None => usize::from(args.batch),
    };
    for batch in seeds.chunks(at_once) {
        if interrupt.requested() {
            break;
        }
        let z = latents_from_seeds(batch, mapping.z_dim(), &device);
        let labels = class::labels(class, batch.len(), &model, &device);
        let noise = match args.noise_mode {
            NoiseChoice::Constant => NoiseMode::Constant,
            NoiseChoice::None => NoiseMode::None,
            // Other noise for every image, the same in every run.
            NoiseChoice::Random => NoiseMode::Random {
                seed: (u64::from(args.common.seed) << 32) | u64::from(batch[0]),
            },
        };
        let made = from_signed_unit(generator.forward(z, labels, truncation, &noise));
        for (seed, image) in batch.iter().zip(made) {
            if args.single {
                let name = format!("{}-seed{seed:04}", model.name);
                let file = output::file(&args.out, &name, "png");
                write_png(&file, &image)?;
                results.push(ImageResult {
                    seed: *seed,
                    file: ShownPath(file),
                    row: None,
                    column: None,
                });
            } else {
                images.push(image);
            }
        }
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();

    if !images.is_empty() {
        let columns = usize::from(args.columns);
        let file = output::file(&args.out, &format!("{}-grid", model.name), "png");
        write_png(&file, &grid(&images, columns, PADDING, WHITE))?;
        results.extend(
            seeds
                .iter()
                .take(images.len())
                .enumerate()
                .map(|(index, seed)| ImageResult {
                    seed: *seed,
                    file: ShownPath(file.clone()),
                    row: Some(index / columns),
                    column: Some(index % columns),
                }),
        );
    }
    println!(
        "{}: {} of {} images, {} x {} pixels, in {}",
        model.name,
        results.len(),
        seeds.len(),
        model.resolution(),
        model.resolution(),
        args.out.display()
    );
    if let Some(path) = &args.common.json {
        output::write_json(
            path,
            &Results {
                model: model.name,
                truncation_psi: args.truncation_psi,
                truncation_cutoff: args.truncation_cutoff,
                images: results,
            },
        )?;
    }
    Ok(interrupt.exit_code())
}
