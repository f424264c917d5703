//! Trains a StyleGAN2, from scratch or from given weights, on a folder of images, a packed file, or a style of the zoo.

mod card;
#[path = "../cli/mod.rs"]
mod cli;
mod diversity;
mod export;
mod options;
mod plot;
mod recipe;
mod run;
mod samples;

use std::process::ExitCode;

use clap::Parser;

use cli::Failure;
use options::Options;

fn main() -> ExitCode {
    cli::exit(run::train(&Options::parse()))
}
