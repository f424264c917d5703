//! Builds and changes the index of a zoo: the statistics of all models' features, which `search` ranks them by.

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use ganymede::Error;
use ganymede::index::{
    self, Accuracies, BuildOptions, Built, ChangeOptions, EvaluateOptions, MergeOptions, Row,
    Sampling, WrittenPart,
};
use ganymede::shard::Shard;

use examples::terminal::Terminal;
use examples::{CommonArgs, Failure, INTERRUPTED, output, table};

/// Build and change the index that `search` ranks models by
///
/// Each model makes samples, a feature network turns them into vectors of length 1, and mean and covariance of these are all that is kept. Ctrl-C stops
/// after a batch; the same command goes on from there.
#[derive(Parser, Debug)]
#[command(name = "index")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Sample all models and write the index, or a part of it
    Build {
        #[command(flatten)]
        options: BuildOptions,
        /// Sample only the I-th of N equal parts of the models, and write their statistics for `merge`
        #[arg(long, value_name = "I/N")]
        shard: Option<Shard>,
        /// Where --shard writes its part
        #[arg(long, value_name = "DIR", default_value = PARTS, requires = "shard")]
        parts: PathBuf,
        #[command(flatten)]
        moments: MomentsArgs,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Make the index of the parts that `build --shard` wrote; it is the same as that of one `build`
    Merge {
        #[command(flatten)]
        options: MergeOptions,
        /// Write one part into this folder in place of an index, to merge many parts in a tree
        #[arg(long, value_name = "DIR", conflicts_with_all = ["dimension", "ridge", "zoo", "features_file", "partial"])]
        into: Option<PathBuf>,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Sample models that are new in the zoo and append them, without touching the others
    Add {
        /// Names of the models
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        options: ChangeOptions,
        #[command(flatten)]
        moments: MomentsArgs,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Bring the index up to date: sample what is new or has another generator now, take out what is gone, and leave all else as it is
    ///
    /// The principal components stay those of the models that the index was built of; `build` fits them anew.
    Update {
        #[command(flatten)]
        options: ChangeOptions,
        #[command(flatten)]
        moments: MomentsArgs,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Take models out of the index
    Remove {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
        /// Folder of models [default: zoo/ in the weights folder]
        #[arg(long, value_name = "DIR")]
        zoo: Option<PathBuf>,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Accuracy on held-out images for several dimensions and ridges
    Evaluate {
        #[command(flatten)]
        options: EvaluateOptions,
        #[command(flatten)]
        moments: MomentsArgs,
        #[command(flatten)]
        common: CommonArgs,
    },
}

/// Where parts are written unless a folder is named.
const PARTS: &str = "out/index/parts";

/// What a run leaves for the next.
#[derive(Args, Debug)]
struct MomentsArgs {
    /// Where statistics are kept while they are made, to go on from and to evaluate
    #[arg(long, value_name = "DIR", default_value = "out/index")]
    moments: PathBuf,
}

impl MomentsArgs {
    fn sampling(self, common: &CommonArgs, sampling: Sampling) -> Sampling {
        Sampling {
            moments: Some(self.moments),
            seed: common.seed,
            ..sampling
        }
    }

    fn change(self, options: ChangeOptions) -> ChangeOptions {
        ChangeOptions {
            moments: Some(self.moments),
            ..options
        }
    }
}

fn main() -> ExitCode {
    examples::start();
    let arguments = examples::parse::<Arguments>();
    examples::exit(Terminal::listen().and_then(|mut terminal| {
        match run(arguments.command, &mut terminal) {
            Err(failure) if matches!(failure.downcast_ref(), Some(Error::Cancelled)) => {
                eprintln!(
                    "interrupted at {}; the same command goes on from there",
                    terminal.phase()
                );
                Ok(ExitCode::from(INTERRUPTED))
            }
            result => result.map(|()| ExitCode::SUCCESS),
        }
    }))
}

fn run(command: Command, terminal: &mut Terminal) -> Result<(), Failure> {
    match command {
        Command::Build {
            options,
            shard,
            parts,
            moments,
            common,
        } => {
            let sampling = moments.sampling(&common, options.sampling);
            let context = common.context()?;
            if let Some(shard) = shard {
                let written = index::build_part(&sampling, shard, &parts, &context, terminal)?;
                return part_written(&written, &common);
            }
            let options = BuildOptions {
                sampling,
                ..options
            };
            index_written(&index::build(&options, &context, terminal)?, &common)?;
        }
        Command::Merge {
            options,
            into,
            common,
        } => match into {
            Some(folder) => {
                let written = index::merge_parts(&options.parts, &folder, terminal)?;
                part_written(&written, &common)?;
            }
            None => {
                let built = index::merge(&options, &common.context()?, terminal)?;
                index_written(&built, &common)?;
            }
        },
        Command::Add {
            names,
            options,
            moments,
            common,
        } => {
            let options = moments.change(options);
            let models = index::add(&names, &options, &common.context()?, terminal)?;
            println!("added {}; {models} models", names.join(", "));
        }
        Command::Update {
            options,
            moments,
            common,
        } => {
            let updated = index::update(&moments.change(options), &common.context()?, terminal)?;
            let file = updated.index.0.display();
            match updated.was_up_to_date() {
                true => println!("{file}: up to date"),
                false => println!(
                    "{file}: {} new, {} sampled again, {} taken out; {} models",
                    updated.new, updated.changed, updated.gone, updated.models
                ),
            }
            if let Some(path) = &common.json {
                output::write_json(path, &updated)?;
            }
        }
        Command::Remove { names, zoo, common } => {
            let left = index::remove(&names, zoo.as_deref(), &common.context()?)?;
            println!("removed {}; {left} models are left", names.join(", "));
        }
        Command::Evaluate {
            options,
            moments,
            common,
        } => {
            let sampling = moments.sampling(&common, options.sampling);
            let options = EvaluateOptions {
                sampling,
                ..options
            };
            let found = index::evaluate(&options, &common.context()?, terminal)?;
            print(&found);
            if let Some(path) = &common.json {
                output::write_json(path, &found)?;
            }
        }
    }
    Ok(())
}

fn index_written(built: &Built, common: &CommonArgs) -> Result<(), Failure> {
    println!(
        "{}: {} models, {} dimensions, {} bytes",
        built.index.0.display(),
        built.models,
        built.dimension,
        built.bytes
    );
    match &common.json {
        Some(path) => output::write_json(path, built),
        None => Ok(()),
    }
}

fn part_written(written: &WrittenPart, common: &CommonArgs) -> Result<(), Failure> {
    println!(
        "{}: {} models",
        written.part.0.display(),
        written.models.len()
    );
    match &common.json {
        Some(path) => output::write_json(path, written),
        None => Ok(()),
    }
}

fn print(found: &Accuracies) {
    print_rows(&found.rows);
    println!("{} images of {} models", found.queries, found.models);
}

fn print_rows(rows: &[Row]) {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let ridge = match row.method.as_str() {
                "gaussian density" => format!("{:.0e}", row.ridge),
                _ => "-".to_owned(),
            };
            vec![
                row.method.clone(),
                row.dimension.to_string(),
                ridge,
                format!("{:.3}", row.top_1),
                format!("{:.3}", row.top_5),
                format!("{:.3}", row.top_10),
                format!("{:.3}", row.map_5),
                format!("{:.3}", row.map_10),
            ]
        })
        .collect();
    let header = [
        "method",
        "dimensions",
        "ridge",
        "top-1",
        "top-5",
        "top-10",
        "mAP@5",
        "mAP@10",
    ];
    table::print(&header, &cells);
}
