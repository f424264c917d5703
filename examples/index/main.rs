//! Builds and changes the index of a zoo: the statistics of all models' features, which `search` ranks them by.

mod arguments;
mod build;
#[path = "../cli/mod.rs"]
mod cli;
mod evaluate;
mod statistics;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Parser;
use retrieval_gaussian::IndexFile;

use arguments::{Arguments, Command};
use cli::Failure;
use cli::interrupt::Interrupt;

fn main() -> ExitCode {
    examples::keep_freed_memory();
    let arguments = Arguments::parse();
    cli::exit(Interrupt::listen().and_then(|interrupt| run(&arguments.command, &interrupt)))
}

fn run(command: &Command, interrupt: &Interrupt) -> Result<ExitCode, Failure> {
    match command {
        Command::Build(build) => build::build(build, interrupt),
        Command::Add(add) => build::add(add, interrupt),
        Command::Remove { names, place } => {
            let mut file = IndexFile::open(place.open()?.index_path())?;
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            file.remove(&names)?;
            println!(
                "removed {}; {} models are left",
                names.join(", "),
                file.len()
            );
            Ok(ExitCode::SUCCESS)
        }
        Command::Evaluate(evaluate) => evaluate::evaluate(evaluate, interrupt),
    }
}
