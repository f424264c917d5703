//! Lists the models of a zoo and measures how good they are.

mod arguments;
#[path = "../cli/mod.rs"]
mod cli;
mod list;
mod measure;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use cli::Failure;
use cli::interrupt::Interrupt;

fn main() -> ExitCode {
    examples::start();
    let arguments = Arguments::parse();
    cli::exit(
        Interrupt::listen()
            .and_then(|interrupt| run(&arguments.command, &|| interrupt.requested())),
    )
}

fn run(command: &Command, interrupted: &dyn Fn() -> bool) -> Result<ExitCode, Failure> {
    match command {
        Command::List(place) => list::list(place),
        Command::Measure(measure) => measure::measure(measure, interrupted),
    }
}
