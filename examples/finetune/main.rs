//! Fine-tunes a generator on few images, measuring how close it comes.
//!
//! `cargo run --release --example finetune -- --source micah --images pictures/ --kimg 5`

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Parser;
use ganymede::transfer::{self, Options, Outcome};
use ganymede::{Error as JobError, Observer};

use examples::terminal::Terminal;
use examples::{CommonArgs, Failure, output, table};

/// Fine-tune a generator on few images, with discriminators on frozen vision networks
///
/// The Fréchet distance is measured along the way, and the best snapshot is what remains. Ctrl-C saves; the same
/// command goes on with the run in --out, and a longer --kimg makes it longer. Without arguments it fine-tunes the
/// zoo's best model for the first of the repository's few-shot sets.
#[derive(Parser, Debug)]
#[command(name = "finetune")]
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
    let outcome = match transfer::run(&options, &args.common.context()?, observer) {
        Err(JobError::Cancelled) => {
            println!("stopped before the first measurement; the same command starts anew");
            return Ok(examples::exit_code(true));
        }
        outcome => outcome?,
    };
    print(&outcome);
    if let Some(path) = &args.common.json {
        output::write_json(path, &outcome)?;
    }
    Ok(examples::exit_code(!outcome.finished))
}

fn print(outcome: &Outcome) {
    let chosen = outcome.best.as_ref().map(|best| best.iteration);
    let rows: Vec<Vec<String>> = outcome
        .history
        .iter()
        .map(|m| {
            let is_best = chosen == Some(m.iteration);
            vec![
                format!("{:.1}", m.kimg),
                format!("{:.2}", m.frechet_distance),
                format!("{:.2}", m.frechet_distance_training),
                if is_best { "best" } else { "" }.to_owned(),
            ]
        })
        .collect();
    if outcome.is_no_better_than_source() {
        println!(
            "no snapshot was better than its source, so that what is written is the source; try a lower --learning-rate, more images or another --source"
        );
    }
    println!("{}", outcome.distance);
    table::print(&["kimg", "reference", "training images", ""], &rows);
    for (number, stage) in (1..).zip(&outcome.record.stages) {
        if !stage.candidates.is_empty() {
            let scores: Vec<String> = stage
                .candidates
                .iter()
                .map(|c| format!("{} {:.3}", c.network, c.score.accuracy))
                .collect();
            println!(
                "stage {number} added {}; linear probes: {}",
                stage.added.join(", "),
                scores.join(", ")
            );
        }
    }
    if outcome.finished {
        println!(
            "{:.1} kimg: wrote generator.safetensors and discriminator.safetensors (the best snapshot), samples.png and distances.svg to {}",
            outcome.kimg,
            outcome.out.0.display()
        );
    } else {
        println!(
            "stopped at {:.1} kimg; the same command goes on",
            outcome.kimg
        );
    }
}
