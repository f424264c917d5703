//! Generate images with a StyleGAN2 model: seeds, truncation, grids.
//!
//! `cargo run --release --example generate -- --model micah --seeds 0-31 --truncation-psi 0.7`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ganymede::generate::{self, Options};

use examples::terminal::Terminal;
use examples::{CommonArgs, Failure, TunedArgs, output};

/// Generate images with a StyleGAN2 model: one file each, or a grid
#[derive(Parser, Debug)]
#[command(name = "generate")]
struct Args {
    #[command(flatten)]
    options: Options,
    /// Folder for the pictures; pictures of an earlier run with the same names are replaced
    #[arg(long, default_value = "out/generate", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    tuned: TunedArgs,
    #[command(flatten)]
    common: CommonArgs,
}

fn main() -> ExitCode {
    examples::start();
    examples::exit(run(examples::parse::<Args>()))
}

fn run(args: Args) -> Result<ExitCode, Failure> {
    let options = Options {
        seed: args.common.seed,
        out: Some(args.out.clone()),
        ..args.options
    };
    let mut terminal = Terminal::listen()?;
    let outcome = generate::run(&options, &args.tuned.context(&args.common)?, &mut terminal)?;
    println!(
        "{0}: {1} of {2} images, {3} x {3} pixels, in {4}",
        outcome.model,
        outcome.images.len(),
        outcome.wanted,
        outcome.resolution,
        args.out.display()
    );
    if let Some(path) = &args.common.json {
        output::write_json(path, &outcome)?;
    }
    Ok(examples::exit_code(outcome.cancelled))
}
