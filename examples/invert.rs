//! Invert real images into a StyleGAN2 model: find the latents whose image looks like the given one.
//!
//! `cargo run --release --example invert` inverts a query image of the repository into one of its models.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ganymede::invert::{self, Options, Outcome};

use examples::terminal::Terminal;
use examples::{CommonArgs, Failure, TunedArgs, output, table};

/// Invert images into the latent space of a StyleGAN2 model
///
/// Images of any size are cut to their central square and resized to the model's. For each image this writes target,
/// reconstruction and difference as one PNG, the losses as SVG, and the latents as safetensors.
#[derive(Parser, Debug)]
#[command(name = "invert")]
struct Args {
    #[command(flatten)]
    options: Options,
    /// Folder for the pictures
    #[arg(long, default_value = "out/invert", value_name = "DIR")]
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
    let outcome = invert::run(&options, &args.tuned.context(&args.common)?, &mut terminal)?;
    print(&outcome);
    println!("written to {}", args.out.display());
    if let Some(path) = &args.common.json {
        output::write_json(path, &outcome)?;
    }
    Ok(examples::exit_code(outcome.cancelled))
}

fn print(outcome: &Outcome) {
    let header = [
        "image",
        "LPIPS",
        "PSNR dB",
        "MSE",
        "|w+ - w_avg|",
        "steps",
        "seconds",
    ];
    let rows: Vec<Vec<String>> = outcome
        .inversions
        .iter()
        .map(|found| {
            vec![
                found.image.clone(),
                format!("{:.4}", found.lpips),
                format!("{:.2}", found.psnr),
                format!("{:.5}", found.mse),
                format!("{:.1}", found.w_plus_distance),
                found.steps.to_string(),
                format!("{:.1}", found.seconds),
            ]
        })
        .collect();
    table::print(&header, &rows);
    if let (Some(psnr), Some(lpips), true) = (
        outcome.median_psnr,
        outcome.median_lpips,
        outcome.inversions.len() > 1,
    ) {
        println!("median: LPIPS {lpips:.4}, PSNR {psnr:.2} dB");
    }
}
