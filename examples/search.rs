//! Rank the models of a zoo by how likely each is to make an image.
//!
//! `cargo run --release --example search -- --image photo.png` prints the table.

use std::process::ExitCode;

use clap::Parser;
use ganymede::search::{self, Options, QueryResult};

use examples::terminal::Terminal;
use examples::{CommonArgs, Failure, output, table};

/// Rank the models of a zoo by how likely each is to make an image
///
/// Scores are log-densities of the image's features under each model's; only their differences mean something.
#[derive(Parser, Debug)]
#[command(name = "search")]
struct Args {
    #[command(flatten)]
    options: Options,
    /// Models to print for each query; results in --json have all
    #[arg(long, default_value_t = 5)]
    top: usize,
    #[command(flatten)]
    common: CommonArgs,
}

fn main() -> ExitCode {
    examples::start();
    examples::exit(run(&examples::parse::<Args>()))
}

fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut terminal = Terminal::listen()?;
    let outcome = search::run(&args.options, &args.common.context()?, &mut terminal)?;
    for query in &outcome.queries {
        print(query, args.top);
    }
    println!(
        "{} queries, {} models: features {:.0} ms, scoring {:.2} ms",
        outcome.queries.len(),
        outcome.models,
        1e3 * outcome.feature_seconds,
        1e3 * outcome.scoring_seconds
    );
    if let Some(path) = &args.common.json {
        output::write_json(path, &outcome)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(query: &QueryResult, top: usize) {
    println!("{}", query.query);
    if let Some(fit) = &query.fit {
        println!("  {fit}");
    }
    let rows: Vec<Vec<String>> = query
        .ranking
        .iter()
        .take(top)
        .enumerate()
        .map(|(rank, model)| {
            vec![
                format!("  {}", rank + 1),
                model.model.clone(),
                format!("{:.2}", model.score),
                model
                    .typicality
                    .map_or(String::new(), |share| format!("{:.1} %", 100.0 * share)),
            ]
        })
        .collect();
    table::print(&["rank", "model", "score", "typicality"], &rows);
}
