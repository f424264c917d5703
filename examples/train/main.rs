//! Trains a StyleGAN2, from scratch or from given weights, on a folder of images, a packed file, or a style of the zoo.

mod card;
mod decisive;
mod held_out;
mod options;
mod publish;
mod queue;
mod recipe;
mod run;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use examples::interrupt::Interrupt;
use options::Options;

fn main() -> ExitCode {
    examples::start();
    let options =
        Options::parse_from_args(std::env::args_os()).unwrap_or_else(|error| error.exit());
    examples::exit(
        Interrupt::listen().and_then(|interrupt| match options.whole_zoo() {
            true => queue::work(&options, &|| interrupt.requested()),
            false => run::train(&options, &|| interrupt.requested()),
        }),
    )
}
