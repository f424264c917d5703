//! Interpolate between two images of a StyleGAN2 model, and measure how smooth the way is.
//!
//! `cargo run --release --example interpolate` goes from one seed's image of a model of this repository to another's.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ganymede::interpolate::{self, Options, Outcome};

use examples::terminal::Terminal;
use examples::{CommonArgs, Failure, TunedArgs, output, table};

/// Interpolate between images of a StyleGAN2 model, and measure how smooth the way is
///
/// Latents are seeds, files that `invert` wrote, or images, which are inverted first with the options of an inversion
/// below. Writes the frames as PNG, a GIF, an MP4 where ffmpeg is on the PATH, a strip of frames and the steps' sizes
/// as SVG. Smoothness is measured by LPIPS between successive frames: the perceptual path length (mean of LPIPS over
/// the squared step) and the largest step over the mean step.
#[derive(Parser, Debug)]
#[command(name = "interpolate")]
struct Args {
    #[command(flatten)]
    options: Options,
    /// Folder for the pictures; those of an earlier run with the same model are replaced
    #[arg(long, default_value = "out/interpolate", value_name = "DIR")]
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
    let outcome = interpolate::run(&options, &args.tuned.context(&args.common)?, &mut terminal)?;
    print(&outcome);
    if outcome.mp4.is_none() && !options.no_mp4 && !outcome.cancelled {
        println!("no MP4: there is no ffmpeg on the PATH");
    }
    println!("written to {}", args.out.display());
    if let Some(path) = &args.common.json {
        output::write_json(path, &outcome)?;
    }
    Ok(examples::exit_code(outcome.cancelled))
}

fn print(outcome: &Outcome) {
    let header = [
        "model",
        "frames",
        "path length",
        "mean step",
        "largest / mean",
    ];
    let main = outcome
        .smoothness
        .as_ref()
        .map(|found| (&outcome.model, found));
    let others = outcome.comparison.iter();
    let rows: Vec<Vec<String>> = main
        .into_iter()
        .chain(others.map(|other| (&other.model, &other.smoothness)))
        .map(|(model, found)| {
            vec![
                model.clone(),
                outcome.frames.len().to_string(),
                format!("{:.4}", found.perceptual_path_length),
                format!("{:.5}", found.mean_step),
                format!("{:.2}", found.largest_step_over_mean),
            ]
        })
        .collect();
    table::print(&header, &rows);
}
