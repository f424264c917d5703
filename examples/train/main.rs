//! Trains a StyleGAN2, from scratch or from given weights, on a folder of images, a packed file, or a style of the zoo.

mod card;
#[path = "../cli/mod.rs"]
mod cli;
mod export;
mod held_out;
mod options;
mod plot;
mod provenance;
mod publish;
mod recipe;
mod run;
mod run_folder;
mod samples;
#[cfg(test)]
mod tests;
mod vision_networks;

use std::process::ExitCode;

use cli::Failure;
use cli::interrupt::Interrupt;
use options::Options;

fn main() -> ExitCode {
    examples::start();
    let options =
        Options::parse_from_args(std::env::args_os()).unwrap_or_else(|error| error.exit());
    cli::exit(
        Interrupt::listen().and_then(|interrupt| run::train(&options, &|| interrupt.requested())),
    )
}
