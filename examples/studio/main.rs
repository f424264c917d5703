//! Studio: a local page to find, look at, invert, edit, drag and interpolate, and the interface under it.
//!
//! `cargo run --release --example studio -- --open` opens it on the models of this repository. docs/studio.md describes
//! the interface.

mod api;
mod events;
mod failure;
mod film;
mod guard;
mod input;
mod lanes;
mod page;
mod server;
mod studio;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use examples::Failure;
use ganymede::Context;
use ganymede::device::DeviceChoice;

/// A local page for the models of the zoo and your own: search, sliders, inversion, interpolation, dragging
///
/// The first line of the output is the page's address. It is served to this machine only.
#[derive(Parser, Debug)]
#[command(name = "studio")]
struct Args {
    /// Port to listen on, at 127.0.0.1; 0 for any that is free
    #[arg(long, default_value_t = 7341)]
    port: u16,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
    /// Folder of your own models (.pkl, .pt, .pth, .safetensors), shown beside those of the zoo
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Megabytes of models that stay loaded
    #[arg(long, default_value_t = 1024, value_name = "MB")]
    model_memory: u64,
    /// Where to compute; wgpu and cuda need a build with that feature
    #[arg(long, value_enum, default_value_t = DeviceChoice::Cpu)]
    device: DeviceChoice,
    /// Folder with zoo/, features/, queries/, studies/ and few_shot/ [default: $GANYMEDE_WEIGHTS, or what
    /// docs/weights.md says]
    #[arg(long, value_name = "DIR")]
    weights: Option<PathBuf>,
}

fn main() -> ExitCode {
    // Not `examples::start`: a server whose client has gone goes on, and with the system's default for SIGPIPE it would
    // end.
    program_allocator::begin();
    examples::exit(run(examples::parse::<Args>()))
}

fn run(args: Args) -> Result<ExitCode, Failure> {
    let context = Context::new(args.device.open()?)
        .with_model_memory(args.model_memory.saturating_mul(1 << 20));
    let context = match args.weights {
        Some(folder) => context.with_weights(folder),
        None => context,
    };
    if let Some(folder) = args.models.as_deref().filter(|folder| !folder.is_dir()) {
        return Err(format!("--models {}: no such folder", folder.display()).into());
    }
    server::serve(
        studio::Studio::new(context, args.models)?,
        args.port,
        args.open,
    )?;
    Ok(ExitCode::SUCCESS)
}
