//! Trains a StyleGAN2, from scratch or from given weights, on a folder of images, a packed file, or a style of the zoo.

mod card;
mod diversity;
mod export;
mod options;
mod plot;
mod recipe;
mod run;
mod samples;

use std::process::ExitCode;

use clap::Parser;

use options::Options;

/// Whatever ends the program early; its message is for the user.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run::train(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
