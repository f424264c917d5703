//! Fine-tunes a generator on few images, measuring how close it comes.
//!
//! `cargo run --release --example finetune -- --source micah --images pictures/ --kimg 5`

#[path = "../cli/mod.rs"]
mod cli;
mod options;
mod report;
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
        Interrupt::listen()
            .and_then(|interrupt| report::finetune(&options, &|| interrupt.requested())),
    )
}
