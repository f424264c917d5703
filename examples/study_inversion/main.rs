//! Reproduces the paper's inversion study: are images inverted better by the models that retrieval ranks higher?
//!
//! `cargo run --release --example study_inversion` does the whole protocol on the zoo; `docs/inversion_study.md` says
//! how to spread it over machines.

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Parser;
use ganymede::study::inversion::{self, Options, Outcome, WrittenPart};
use ganymede::{Error, Observer};

use examples::terminal::Terminal;
use examples::{CommonArgs, Failure, INTERRUPTED, output};

/// Reproduce the paper's inversion study: do models that retrieval ranks higher invert an image better?
///
/// Each image of some categories ranks the same models by the density of its features, and is inverted with those at
/// some ranks. Writes report.md (LPIPS, PSNR and the distance from the mean latent with standard errors, the
/// differences between ranks with bootstrap intervals, and which claims hold), and figures of inversions, edits and
/// interpolations. Every inversion is kept in the cache by its content: the same command goes on where it was
/// interrupted or killed.
#[derive(Parser, Debug)]
#[command(name = "study_inversion")]
struct Args {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    common: CommonArgs,
}

fn main() -> ExitCode {
    examples::start();
    let args = examples::parse::<Args>();
    match Terminal::listen().and_then(|mut terminal| run(&args, &mut terminal)) {
        Err(failure) if matches!(failure.downcast_ref(), Some(Error::Cancelled)) => {
            eprintln!(
                "interrupted; what was inverted is kept in {}, and the same command goes on from there",
                args.options.cache().display()
            );
            ExitCode::from(INTERRUPTED)
        }
        result => examples::exit(result.map(|()| ExitCode::SUCCESS)),
    }
}

fn run(args: &Args, observer: &mut dyn Observer) -> Result<(), Failure> {
    let options = Options {
        seed: args.common.seed,
        ..args.options.clone()
    };
    let outcome = inversion::run(&options, &args.common.context()?, observer)?;
    match (&outcome, options.shard) {
        (Outcome::Part(WrittenPart { part, effort, .. }), Some(shard)) => println!(
            "part {shard}: {} inversions, {} of them made now, in {:.1} s; all are in {}",
            effort.needed,
            effort.made,
            effort.seconds,
            part.0.display()
        ),
        (Outcome::Whole(report), _) => {
            print!("{}", report.text);
            let effort = report.inversions;
            println!(
                "\n{}: report.md and figures; {} inversions, {} of them made now, in {:.1} s",
                options.out.display(),
                effort.needed,
                effort.made,
                effort.seconds
            );
        }
        (Outcome::Part(_), None) => {}
    }
    if let Some(path) = &args.common.json {
        output::write_json(path, &outcome)?;
    }
    Ok(())
}
