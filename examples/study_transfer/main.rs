//! Which source converges faster when it is fine-tuned on few images: models at several ranks of retrieval, with the same budget and seeds.
//!
//! `cargo run --release --example study_transfer` runs the whole study; the same command goes on where it was interrupted.

mod independent;
mod options;
mod plan;
mod report;
mod study;
mod summary;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use examples::interrupt::Interrupt;
use options::Options;

fn main() -> ExitCode {
    examples::start();
    let options = examples::parse::<Options>();
    examples::exit(
        Interrupt::listen().and_then(|interrupt| study::run(&options, &|| interrupt.requested())),
    )
}
