//! Builds and changes the index of a zoo: the statistics of all models' features, which `search` ranks them by.

mod arguments;
mod build;
mod evaluate;
mod statistics;
#[cfg(test)]
mod tests;
mod training_statistics;
mod update;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use examples::Failure;
use examples::interrupt::Interrupt;

fn main() -> ExitCode {
    examples::start();
    let arguments = examples::parse::<Arguments>();
    examples::exit(Interrupt::listen().and_then(|interrupt| run(&arguments.command, &interrupt)))
}

fn run(command: &Command, interrupt: &Interrupt) -> Result<ExitCode, Failure> {
    match command {
        Command::Build(build) => build::build(build, interrupt),
        Command::Add(add) => update::add(add, interrupt),
        Command::Update(arguments) => update::update(arguments, interrupt),
        Command::Remove { names, place } => update::remove(names, place),
        Command::Evaluate(evaluate) => evaluate::evaluate(evaluate, interrupt),
    }
}
