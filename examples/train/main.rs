//! Trains a StyleGAN2, from scratch or from given weights, on a folder of images, a packed file, or a style of the zoo.

mod card;
#[path = "../cli/mod.rs"]
mod cli;
mod held_out;
mod options;
mod publish;
mod recipe;
mod run;
#[cfg(test)]
mod tests;
#[path = "../training/mod.rs"]
mod training;

use std::process::ExitCode;

use cli::Failure;
use cli::interrupt::Interrupt;
use options::Options;
use training::{export, plot, provenance, run_folder, samples, vision_networks};

fn main() -> ExitCode {
    examples::start();
    let options =
        Options::parse_from_args(std::env::args_os()).unwrap_or_else(|error| error.exit());
    cli::exit(
        Interrupt::listen().and_then(|interrupt| run::train(&options, &|| interrupt.requested())),
    )
}
