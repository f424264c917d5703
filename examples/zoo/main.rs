//! Takes models into a zoo, lists them and measures how good they are.

mod add;
mod arguments;
mod list;
mod measure;
mod status;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use examples::Failure;
use examples::terminal::Terminal;
use ganymede::Observer;

fn main() -> ExitCode {
    examples::start();
    let arguments = examples::parse::<Arguments>();
    examples::exit(
        Terminal::listen().and_then(|mut terminal| run(&arguments.command, &mut terminal)),
    )
}

fn run(command: &Command, observer: &mut dyn Observer) -> Result<ExitCode, Failure> {
    match command {
        Command::Add(add) => add::add(add),
        Command::List(place) => list::list(place),
        Command::Status(status) => status::status(status),
        Command::Measure(measure) => measure::measure(measure, observer),
    }
}
