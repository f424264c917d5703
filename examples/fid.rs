//! Distances between two sets of images, or between images and what a model generates.
//!
//! `cargo run --release --example fid -- --real DIR --model micah`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ganymede::measure::{self, Options, Outcome};

use examples::terminal::Terminal;
use examples::{CommonArgs, Failure, TunedArgs, output, table};

/// Compare two sets of images by the features of a network: Fréchet distance, KID, precision and recall, density and
/// coverage
///
/// A set is a folder (searched with its subfolders), a .zip or an uncompressed .tar of images, statistics (.npz of
/// pytorch-fid or clean-fid, .safetensors of this program), or what a model generates. Only a Fréchet distance of
/// Inception features, under one of the protocols pytorch-fid, clean-fid and torch-fidelity, is a FID; it needs the
/// weights of pt_inception-2015-12-05.
#[derive(Parser, Debug)]
#[command(name = "fid")]
struct Args {
    #[command(flatten)]
    options: Options,
    /// Folder for statistics and a grid of generated images
    #[arg(long, default_value = "out/fid", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    tuned: TunedArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// Fewer images than this say little about a distribution.
const FEW: u64 = 100;

fn main() -> ExitCode {
    examples::start();
    examples::exit(run(examples::parse::<Args>()))
}

fn run(args: Args) -> Result<ExitCode, Failure> {
    let options = Options {
        seed: args.common.seed,
        out: Some(args.out),
        ..args.options
    };
    let mut terminal = Terminal::listen()?;
    let outcome = measure::run(&options, &args.tuned.context(&args.common)?, &mut terminal)?;
    print(&outcome);
    if let Some(path) = &args.common.json {
        output::write_json(path, &outcome)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(outcome: &Outcome) {
    let number = |value: Option<f64>| value.map(|value| format!("{value:.4}"));
    let measures = &outcome.measures;
    let perceptual = &outcome.perceptual;
    let rows: Vec<Vec<String>> = [
        (outcome.distance.as_str(), Some(measures.frechet_distance)),
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
    for (what, set) in [("real", &outcome.real), ("generated", &outcome.generated)] {
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
    for file in &outcome.files {
        println!("written: {}", file.0.display());
    }
}
