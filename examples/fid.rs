//! Distances between two sets of images, or between images and what a model generates.
//!
//! `cargo run --release --example fid -- --real DIR --model micah`

mod measures;
mod perceptual;
mod set;

use ganymede::files;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use image_tensor::{Rgb, grid, write_png};
use metrics_fid::{BadImages, Keep, MetricsError, StreamOptions, write_npz_statistics};
use serde::Serialize;

use examples::interrupt::Interrupt;
use examples::protocol::Protocol;
use examples::{CommonArgs, Failure, INTERRUPTED, output, table};
use ganymede::files::ShownPath;
use ganymede::{DEFAULT_MODEL, Weights};
use measures::Measures;
use perceptual::Perceptual;
use set::{GeneratedImages, Set, SetReport};

/// Compare two sets of images by the features of a network: Fréchet distance, KID, precision and recall, density and coverage
///
/// A set is a folder (searched with its subfolders), a .zip or an uncompressed .tar of images, statistics (.npz of pytorch-fid or clean-fid, .safetensors of
/// this program), or what a model generates. Only a Fréchet distance of Inception features, under one of the protocols pytorch-fid, clean-fid and
/// torch-fidelity, is a FID; it needs the weights of pt_inception-2015-12-05.
#[derive(Parser, Debug)]
#[command(name = "fid")]
struct Args {
    /// Real images, or their statistics [default: the query images of the model's kind]
    #[arg(long, value_name = "PATH")]
    real: Option<PathBuf>,
    /// Generated images, or their statistics
    #[arg(long, value_name = "PATH", conflicts_with = "model")]
    fake: Option<PathBuf>,
    /// Generate the images with a model of the zoo, or a generator file [default without --fake: funEmoji]
    #[arg(long)]
    model: Option<String>,
    /// Number of images to generate, from the seeds --seed, --seed + 1, ...
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(2..))]
    samples: u32,
    /// Truncation of the generated images; distances are usually reported without
    #[arg(long, default_value_t = 1.0)]
    truncation_psi: f32,
    /// Class of a conditional model's images, counted from 0 [default: drawn uniformly]
    #[arg(long)]
    class: Option<usize>,
    /// What features are compared and how images become the network's input
    #[arg(long, value_enum, default_value_t = Protocol::EfficientnetLite0)]
    protocol: Protocol,
    /// The network's weights (.safetensors, .pth or .pt) [default for efficientnet_lite0: those in the weights folder]
    #[arg(long, value_name = "FILE")]
    features: Option<PathBuf>,
    /// Leave out images that cannot be read, and count them
    #[arg(long)]
    skip_bad: bool,
    /// Count images of another size than the set's first as bad
    #[arg(long)]
    same_size: bool,
    /// Images that pass the network at once
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// Average the KID over this many random subsets instead of taking all images at once
    #[arg(long, value_name = "SUBSETS", default_value_t = 0)]
    kid_subsets: usize,
    /// Images of such a subset
    #[arg(long, value_name = "IMAGES", default_value_t = 1000)]
    kid_subset_size: usize,
    /// Also follow the Fréchet distance to infinitely many generated images (FID-infinity)
    #[arg(long)]
    infinity: bool,
    /// Also measure the mean LPIPS distance of this many pairs of each set's first images
    #[arg(long, value_name = "PAIRS", default_value_t = 0)]
    diversity: usize,
    /// Also measure the model's perceptual path length in W on this many paths
    #[arg(long, value_name = "PATHS", default_value_t = 0)]
    path_length: usize,
    /// Also write the statistics of both sets, as .npz for other tools and as .safetensors that can be merged
    #[arg(long)]
    save_statistics: bool,
    /// Folder for statistics and a grid of generated images
    #[arg(long, default_value = "out/fid", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Serialize)]
struct Results {
    protocol: String,
    /// What the distance is to be called.
    distance: String,
    real: SetReport,
    generated: SetReport,
    #[serde(flatten)]
    measures: Measures,
    #[serde(flatten)]
    perceptual: Perceptual,
    seconds: f64,
    files: Vec<ShownPath>,
}

/// Fewer images than this say little about a distribution.
const FEW: u64 = 100;
const GRID_COLUMNS: usize = 8;
const GRID_PADDING: u32 = 2;
const WHITE: Rgb<u8> = Rgb([255; 3]);

fn main() -> ExitCode {
    examples::start();
    examples::exit(match run(&examples::parse::<Args>()) {
        Err(failure) if matches!(failure.downcast_ref(), Some(MetricsError::Cancelled { .. })) => {
            eprintln!("{failure}; nothing was measured");
            Ok(ExitCode::from(INTERRUPTED))
        }
        other => other,
    })
}

fn run(args: &Args) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let context = args.common.context()?;
    let device = context.device();
    let weights = args.common.weights.as_deref();
    let model = match (&args.fake, &args.model) {
        (Some(_), _) => None,
        (None, name) => {
            let name = name.as_deref().unwrap_or(DEFAULT_MODEL);
            Some(context.model(name)?)
        }
    };
    if args.path_length > 0 && model.is_none() {
        return Err("--path-length: it is measured on a model; name one with --model".into());
    }
    let real_path = match (&args.real, &model) {
        (Some(path), _) => path.clone(),
        (None, Some(model)) => default_images(&model.name, weights)?,
        (None, None) => return Err("--fake: name the images to compare with by --real".into()),
    };
    let features = args
        .protocol
        .load(args.features.as_deref(), weights, device)?;
    let options = StreamOptions {
        batch_size: usize::from(args.batch),
        bad_images: if args.skip_bad {
            BadImages::Skip
        } else {
            BadImages::Refuse
        },
        one_size: args.same_size,
        keep: Keep::Features,
        ..StreamOptions::default()
    };
    let interrupt = Interrupt::listen()?;
    let stored =
        |path: &PathBuf, what: &str| Set::read(path, what, &features, &options, device, &interrupt);
    let real = stored(&real_path, "real images")?;
    let generated = match (&args.fake, &model) {
        (Some(path), _) => stored(path, "generated images")?,
        (None, Some(model)) => {
            let images = GeneratedImages {
                model,
                count: args.samples,
                first_seed: args.common.seed,
                psi: args.truncation_psi,
                class: args.class,
                batch: usize::from(args.batch),
                device,
            };
            Set::generate(&images, &features, &interrupt)?
        }
        (None, None) => unreachable!("a model is loaded where no images are named"),
    };

    let measures = Measures::new(args, &real, &generated)?;
    let perceptual = Perceptual::new(args, &real, &generated, model.as_deref(), device)?;
    let files = write_files(args, &real, &generated)?;
    let results = Results {
        protocol: features.name().to_owned(),
        distance: features.distance_name(),
        real: real.report(),
        generated: generated.report(),
        measures,
        perceptual,
        seconds: started.elapsed().as_secs_f64(),
        files,
    };
    print(&results);
    if let Some(path) = &args.common.json {
        output::write_json(path, &results)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The held-out images of a model's kind.
fn default_images(model: &str, weights: Option<&std::path::Path>) -> Result<PathBuf, Failure> {
    let folder = Weights::open(weights)?.queries().join(model);
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(format!(
        "{}: no images there; name the real images with --real",
        folder.display()
    )
    .into())
}

fn write_files(args: &Args, real: &Set, generated: &Set) -> Result<Vec<ShownPath>, Failure> {
    let mut files = Vec::new();
    if !generated.first_images.is_empty() && args.fake.is_none() {
        files::make_folder(&args.out)?;
        let file = files::file(&args.out, "generated", "png");
        let shown = &generated.first_images[..generated.first_images.len().min(4 * GRID_COLUMNS)];
        write_png(&file, &grid(shown, GRID_COLUMNS, GRID_PADDING, WHITE))?;
        files.push(ShownPath(file));
    }
    if args.save_statistics {
        files::make_folder(&args.out)?;
        for (name, set) in [("real", real), ("generated", generated)] {
            let file = files::file(&args.out, name, "npz");
            write_npz_statistics(&file, &set.statistics)?;
            files.push(ShownPath(file));
            if let Some(images) = &set.images {
                let file = files::file(&args.out, name, "safetensors");
                images.moments().save(&file)?;
                files.push(ShownPath(file));
            }
        }
    }
    Ok(files)
}

fn print(results: &Results) {
    let number = |value: Option<f64>| value.map(|value| format!("{value:.4}"));
    let measures = &results.measures;
    let perceptual = &results.perceptual;
    let rows: Vec<Vec<String>> = [
        (results.distance.as_str(), Some(measures.frechet_distance)),
        ("  of it from the means", Some(measures.mean_term)),
        (
            "with infinitely many images",
            measures.frechet_distance_infinity,
        ),
        ("KID x 1000", measures.kid.map(|kid| 1000.0 * kid)),
        ("precision", measures.precision),
        ("recall", measures.recall),
        ("density", measures.density),
        ("coverage", measures.coverage),
        ("LPIPS diversity, real", perceptual.real_diversity),
        ("LPIPS diversity, generated", perceptual.diversity),
        ("perceptual path length", perceptual.perceptual_path_length),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(vec![name.to_owned(), number(value)?]))
    .collect();
    table::print(&["measure", "value"], &rows);
    for (what, set) in [("real", &results.real), ("generated", &results.generated)] {
        let count = match set.images {
            Some(count) => format!("{count} images"),
            None => "statistics".to_owned(),
        };
        println!("{what}: {count} of {}", set.source);
        if let Some(skipped) = set.skipped.first() {
            println!("  {} left out, the first: {skipped}", set.skipped.len());
        }
        if set.sizes.len() > 1 {
            println!(
                "  images of {} sizes; --same-size refuses that",
                set.sizes.len()
            );
        }
        if set.images.is_some_and(|count| count < FEW) {
            println!(
                "  fewer than {FEW} images: the values are rough, and the distance is too large"
            );
        }
    }
    for file in &results.files {
        println!("written: {}", file.0.display());
    }
}
