//! Lists the models of a zoo and measures how good they are.

mod arguments;
mod list;
mod measure;
mod status;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use examples::Failure;
use examples::interrupt::Interrupt;

fn main() -> ExitCode {
    examples::start();
    let arguments = examples::parse::<Arguments>();
    examples::exit(
        Interrupt::listen()
            .and_then(|interrupt| run(&arguments.command, &|| interrupt.requested())),
    )
}

fn run(command: &Command, interrupted: &dyn Fn() -> bool) -> Result<ExitCode, Failure> {
    match command {
        Command::List(place) => list::list(place),
        Command::Status(status) => status::status(status),
        Command::Measure(measure) => measure::measure(measure, interrupted),
    }
}
