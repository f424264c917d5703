use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use examples::{Failure, output};
use ganymede::zoo::{self, AddOptions};
use ganymede::{Context, device::DeviceChoice};

#[derive(Args, Debug)]
pub struct Add {
    #[command(flatten)]
    options: AddOptions,
    /// Write machine-readable results to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Takes a model in and says what is left to do.
pub fn add(add: &Add) -> Result<ExitCode, Failure> {
    let context = Context::new(DeviceChoice::Cpu.open()?);
    let added = zoo::add(&add.options, &context)?;
    println!(
        "{}: {side}x{side} pixels, in {}",
        added.name,
        added.generator.0.display(),
        side = added.resolution
    );
    println!(
        "models in the folder: {}; no index knows this one yet: the example `index` has `add {}` where there is one, else `build`",
        added.models, added.name
    );
    if let Some(path) = &add.json {
        output::write_json(path, &added)?;
    }
    Ok(ExitCode::SUCCESS)
}
