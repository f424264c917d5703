//! Builds and changes the index of a zoo: the statistics of all models' features, which `search` ranks them by.

mod accuracies;
mod arguments;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use ganymede::Error;
use ganymede::index::{self, BuildOptions, Built, EvaluateOptions, WrittenPart};

use arguments::{Arguments, Command};
use examples::terminal::Terminal;
use examples::{CommonArgs, Failure, INTERRUPTED, output};

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
                    "{file}: {} new, {} sampled again, {} taken out{}; {} models",
                    updated.new,
                    updated.changed,
                    updated.gone,
                    match updated.left_out {
                        0 => String::new(),
                        left_out => format!(", {left_out} left out"),
                    },
                    updated.models
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
            accuracies::print(&found);
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
