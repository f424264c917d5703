//! Fine-tunes a generator on few images, measuring how close it comes.
//!
//! `cargo run --release --example finetune -- --source micah --images pictures/ --kimg 5`

mod options;
mod report;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use examples::interrupt::Interrupt;
use options::Options;

fn main() -> ExitCode {
    examples::start();
    let options = examples::parse::<Options>();
    examples::exit(
        Interrupt::listen()
            .and_then(|interrupt| report::finetune(&options, &|| interrupt.requested())),
    )
}
