//! What the programs share: options, models, images, results, progress and interruption. The programs are the package's examples.

pub mod bases;
pub mod class;
pub mod credits;
pub mod device;
pub mod digest;
pub mod diversity;
pub mod features;
pub mod figure;
pub mod gates;
pub mod images;
pub mod index_record;
pub mod interrupt;
pub mod inversion_args;
pub mod inversion_files;
pub mod kept_moments;
pub mod latents;
pub mod line_plot;
pub mod loss_plot;
pub mod measured_path;
pub mod model;
pub mod numbers;
pub mod output;
pub mod progress;
pub mod protocol;
pub mod quality;
pub mod rendering;
pub mod sampling;
pub mod search;
pub mod seeds;
pub mod shard;
pub mod small_model;
pub mod table;
pub mod training;
pub mod training_images;
pub mod transfer;
pub mod weights;
pub mod zoo_place;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::device::DeviceChoice;

/// Any error of a program; what users see is its message.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Exit status of a program that was interrupted and has written what it had: 128 + SIGINT, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// Options that all programs have.
#[derive(Args, Debug)]
pub struct CommonArgs {
    /// Where to compute; wgpu and cuda need a build with that feature
    #[arg(long, value_enum, default_value_t = DeviceChoice::Cpu)]
    pub device: DeviceChoice,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    pub seed: u32,
    /// Write machine-readable results to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Folder with zoo/, features/ and queries/ [default: $GANYMEDE_WEIGHTS, or the repository's weights folder]
    #[arg(long, value_name = "DIR")]
    pub weights: Option<PathBuf>,
}

/// Prints an error with its causes and turns the result into an exit status.
pub fn exit(result: Result<ExitCode, Failure>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            let mut shown = failure.to_string();
            let mut cause = failure.source();
            while let Some(next) = cause {
                let message = next.to_string();
                // Messages that already hold their cause would say it twice.
                if !shown.contains(&message) {
                    eprintln!("  because: {message}");
                }
                shown = message;
                cause = next.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// What every program does first: [`end_on_closed_pipe`] and [`cpu_kernels::keep_freed_memory`].
pub fn start() {
    end_on_closed_pipe();
    cpu_kernels::keep_freed_memory();
}

/// Ends the process quietly when the reader of its output has gone, as in `search | head -1`.
///
/// Rust's runtime ignores the signal SIGPIPE, so that `println!` fails instead and panics. This restores the system's default, which other
/// command-line programs have. Where there are no signals this does nothing.
pub fn end_on_closed_pipe() {
    #[cfg(unix)]
    // SAFETY: sets the default action, in which no code of ours runs; nothing else in the process has a handler for this signal.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}
