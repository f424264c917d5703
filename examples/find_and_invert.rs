//! Find the models that could have made an image, and invert the image into them.
//!
//! `cargo run --release --example find_and_invert` takes a query image of the repository, ranks the zoo for it, and
//! inverts it with the models at ranks 1, 10 and 15, as the paper does.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ganymede::find_and_invert::{self, Inverted, Options, Ranked};

use examples::terminal::Terminal;
use examples::{CommonArgs, Failure, TunedArgs, output, table};

/// Find the models that could have made an image, and invert the image into them
///
/// Ranks all models of the zoo by the density of the image's features, shows samples of the best, inverts the image
/// with the models at some ranks, and writes one figure. An image that a good model could have made is inverted well;
/// one that it could not is inverted badly, or far from its mean.
#[derive(Parser, Debug)]
#[command(name = "find_and_invert")]
struct Args {
    #[command(flatten)]
    options: Options,
    /// Folder for the pictures
    #[arg(long, default_value = "out/find_and_invert", value_name = "DIR")]
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
        out: Some(args.out),
        ..args.options
    };
    let context = args.tuned.context(&args.common)?;
    let mut terminal = Terminal::listen()?;
    let found = find_and_invert::rank(&options, &context, &mut terminal)?;
    println!("query: {}", found.image());
    if let Some(fit) = found.fit() {
        println!("{fit}");
    }
    print_ranking(&found.ranking());
    let scoring = found.scoring_time().as_secs_f64();
    println!("scored in {:.2} ms\n", 1e3 * scoring);
    let outcome = found.invert(&mut terminal)?;
    print_inversions(&outcome.inversions);
    if let Some(figure) = &outcome.figure {
        println!("\n{} in {:.1} s", figure.0.display(), outcome.seconds);
    }
    if let Some(json) = &args.common.json {
        output::write_json(json, &outcome)?;
    }
    Ok(examples::exit_code(outcome.cancelled))
}

fn print_ranking(ranked: &[Ranked]) {
    let best = ranked.first().map_or(0.0, |model| model.score);
    let rows: Vec<Vec<String>> = ranked
        .iter()
        .map(|model| {
            vec![
                model.rank.to_string(),
                model.model.clone(),
                format!("{:.2}", model.score),
                format!("{:.2}", model.score - best),
            ]
        })
        .collect();
    table::print(&["rank", "model", "score", "to the best"], &rows);
}

fn print_inversions(inversions: &[Inverted]) {
    let rows: Vec<Vec<String>> = inversions
        .iter()
        .map(|found| {
            vec![
                found.rank.to_string(),
                found.model.clone(),
                format!("{:.4}", found.lpips),
                format!("{:.2}", found.psnr),
                format!("{:.1}", found.w_plus_distance),
                format!("{:.1}", found.seconds),
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
