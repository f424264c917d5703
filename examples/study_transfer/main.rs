//! Which source converges faster when it is fine-tuned on few images: models at several ranks of retrieval, with the
//! same budget and seeds.
//!
//! `cargo run --release --example study_transfer` runs the whole study; the same command goes on where it was
//! interrupted.

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Parser;
use ganymede::Observer;
use ganymede::study::transfer::{self, Options};

use examples::terminal::Terminal;
use examples::{CommonArgs, Failure, output};

/// Fine-tune the models at several ranks of retrieval on few images and compare how fast they converge
///
/// For each target the zoo is ranked by the mean Gaussian density of the target's images, once, when its study begins.
/// Everything is kept in --out: the same command goes on where it was interrupted or killed. It writes figure.svg
/// (Fréchet distance against kimg, mean and spread over the seeds), TARGET-samples.svg, study.md and study.json.
#[derive(Parser, Debug)]
#[command(name = "study_transfer")]
struct Args {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    common: CommonArgs,
}

fn main() -> ExitCode {
    examples::start();
    let args = examples::parse::<Args>();
    examples::exit(Terminal::listen().and_then(|mut terminal| run(&args, &mut terminal)))
}

fn run(args: &Args, observer: &mut dyn Observer) -> Result<ExitCode, Failure> {
    let options = Options {
        seed: args.common.seed,
        ..args.options.clone()
    };
    let outcome = transfer::run(&options, &args.common.context()?, observer)?;
    print!("{}", outcome.to_markdown());
    if let Some(path) = &args.common.json {
        output::write_json(path, &outcome)?;
    }
    println!(
        "\nwritten to {}: figure.svg, study.md, study.json and samples",
        options.out.display()
    );
    if let Some(part) = &outcome.part {
        println!("the part's runs: {}", part.0.display());
    }
    if outcome.cancelled {
        println!("stopped; the same command goes on");
    }
    Ok(examples::exit_code(outcome.cancelled))
}
