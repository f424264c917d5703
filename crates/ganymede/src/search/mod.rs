//! Rank the models of a zoo by how likely each is to make an image.
//!
//! `cargo run --release --example search -- --image photo.png` prints the table.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use image_tensor::{DecodeLimits, RgbImage, decode_file};
use retrieval_gaussian::{Query, Ranking};
use serde::Serialize;

use examples::images::files_in;
use examples::search::{Method, Searcher};
use examples::weights::Weights;
use examples::{CommonArgs, Failure, output, table};

/// Rank the models of a zoo by how likely each is to make an image
///
/// Scores are log-densities of the image's features under each model's; only their differences mean something.
#[derive(Parser, Debug)]
#[command(name = "search")]
struct Args {
    /// Images, each a query of its own [default: the first query image of every kind]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    image: Vec<PathBuf>,
    /// Take all images as one query, such as a few-shot training set: the mean of their scores
    #[arg(long)]
    together: bool,
    /// Rank by likeness to this model of the zoo instead
    #[arg(long, value_name = "NAME", conflicts_with = "image")]
    like: Option<String>,
    /// Folder of models [default: zoo/ in the weights folder]
    #[arg(long, value_name = "DIR")]
    zoo: Option<PathBuf>,
    /// Weights of the feature network that the index was built with [default: features/NAME.safetensors in the weights folder]
    #[arg(long, value_name = "FILE")]
    features_file: Option<PathBuf>,
    /// Score
    #[arg(long, value_enum, default_value_t = Method::GaussianDensity)]
    method: Method,
    /// Models to print for each query; results in --json have all
    #[arg(long, default_value_t = 5)]
    top: usize,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Serialize)]
struct Results {
    method: &'static str,
    models: usize,
    /// To make the features of all images, and to score all models for all queries.
    feature_seconds: f64,
    scoring_seconds: f64,
    queries: Vec<QueryResult>,
}

#[derive(Serialize)]
struct QueryResult {
    /// File, files or model.
    query: String,
    ranking: Vec<Score>,
}

#[derive(Serialize)]
struct Score {
    model: String,
    score: f64,
}

fn main() -> ExitCode {
    examples::start();
    examples::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<ExitCode, Failure> {
    let device = args.common.device.open()?;
    let weights = Weights::open(args.common.weights.as_deref())?;
    let searcher = Searcher::open(
        args.zoo.as_deref(),
        args.features_file.as_deref(),
        &weights,
        &device,
    )?;
    let (queries, feature_time) = queries(args, &searcher, &weights)?;
    let mut results = Vec::new();
    let mut scoring = Duration::ZERO;
    for (name, query) in queries {
        let (ranking, time) = searcher.rank(&query, args.method)?;
        scoring += time;
        print(&name, &ranking, args.top);
        results.push(QueryResult {
            query: name,
            ranking: ranking
                .models
                .into_iter()
                .map(|model| Score {
                    model: model.model,
                    score: model.score,
                })
                .collect(),
        });
    }
    println!(
        "{} queries, {} models: features {:.0} ms, scoring {:.2} ms",
        results.len(),
        searcher.index.len(),
        1e3 * feature_time.as_secs_f64(),
        1e3 * scoring.as_secs_f64()
    );
    if let Some(path) = &args.common.json {
        let results = Results {
            method: args.method.name(),
            models: searcher.index.len(),
            feature_seconds: feature_time.as_secs_f64(),
            scoring_seconds: scoring.as_secs_f64(),
            queries: results,
        };
        output::write_json(path, &results)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Queries with what to call them, and how long their features took.
fn queries(
    args: &Args,
    searcher: &Searcher,
    weights: &Weights,
) -> Result<(Vec<(String, Query)>, Duration), Failure> {
    if let Some(model) = &args.like {
        let query = Query::model(model.as_str());
        return Ok((vec![(model.clone(), query)], Duration::ZERO));
    }
    let paths = if args.image.is_empty() {
        first_of_each_kind(weights)?
    } else {
        args.image.clone()
    };
    let images: Vec<RgbImage> = paths
        .iter()
        .map(|path| decode_file(path, &DecodeLimits::default()))
        .collect::<Result<_, _>>()?;
    let started = Instant::now();
    let features = searcher.features(&images);
    let time = started.elapsed();
    if args.together {
        let name = format!("{} images", paths.len());
        return Ok((vec![(name, Query::feature_set(features.view()))], time));
    }
    let each = paths.iter().zip(features.rows()).map(|(path, row)| {
        let query = Query::feature(&row.to_vec());
        (path.display().to_string(), query)
    });
    Ok((each.collect(), time))
}

fn first_of_each_kind(weights: &Weights) -> Result<Vec<PathBuf>, Failure> {
    let folder = weights.queries();
    let paths: Vec<PathBuf> = files_in(&folder)
        .iter()
        .filter_map(|kind| {
            files_in(kind)
                .into_iter()
                .find(|file| file.extension().is_some_and(|extension| extension == "png"))
        })
        .collect();
    if paths.is_empty() {
        return Err(format!(
            "{}: no query image there; name an image with --image",
            folder.display()
        )
        .into());
    }
    Ok(paths)
}

fn print(name: &str, ranking: &Ranking, top: usize) {
    println!("{name}");
    let rows: Vec<Vec<String>> = ranking
        .models
        .iter()
        .take(top)
        .enumerate()
        .map(|(rank, model)| {
            vec![
                format!("  {}", rank + 1),
                model.model.clone(),
                format!("{:.2}", model.score),
            ]
        })
        .collect();
    table::print(&["rank", "model", "score"], &rows);
}
