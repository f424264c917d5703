//! Which source converges faster when it is fine-tuned on few images: models at several ranks of retrieval, with the same budget and seeds.
//!
//! `cargo run --release --example study_transfer` runs the whole study; the same command goes on where it was interrupted.

#[path = "../cli/mod.rs"]
mod cli;
mod independent;
mod options;
mod plan;
mod report;
mod study;
mod summary;
#[cfg(test)]
mod tests;
#[path = "../training/mod.rs"]
mod training;
#[path = "../transfer/mod.rs"]
mod transfer;

use std::process::ExitCode;

use clap::Parser;

use cli::Failure;
use cli::interrupt::Interrupt;
use options::Options;

fn main() -> ExitCode {
    examples::start();
    let options = Options::parse();
    cli::exit(
        Interrupt::listen().and_then(|interrupt| study::run(&options, &|| interrupt.requested())),
    )
}
