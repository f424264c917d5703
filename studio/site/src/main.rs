//! Makes the Studio's page without a server: a folder of static files, for any web server.
//!
//! `cargo run --release --manifest-path studio/site/Cargo.toml` makes `target/site`.

mod credits;
mod engine;
mod error;
mod files;
mod page;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;

use crate::error::Error;
use crate::files::{Effort, Packed, START, Weights};

/// Makes the Studio's page without a server: a folder of static files, for any web server
#[derive(Parser, Debug)]
#[command(name = "studio-site")]
struct Args {
    /// Folder of the site, which is made anew
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Folder with zoo/ and features/ [default: weights of the repository]
    #[arg(long, value_name = "DIR")]
    weights: Option<PathBuf>,
}

/// What the page reads first.
#[derive(Serialize)]
struct Start {
    engine: Packed,
    #[serde(flatten)]
    weights: Weights,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let out = args.out.clone().unwrap_or_else(|| root.join("target/site"));
    let weights = args.weights.clone();
    let weights = weights.unwrap_or_else(|| root.join("weights"));
    files::renew(&out)?;
    page::write(&root, &out)?;
    credits::write(&weights, &out)?;
    let start = Start {
        engine: engine::write(&root, &out)?,
        weights: files::weights(&weights, &out)?,
    };
    let text = serde_json::to_string(&start).map_err(|e| Error::other(&out, e))?;
    let path = out.join(START);
    let packed = files::packed_bytes(text.as_bytes(), Effort::Most).map_err(Error::io(&path))?;
    files::write(&path, &packed)?;
    report(&start, &out)
}

fn report(start: &Start, out: &Path) -> Result<(), Error> {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    println!(
        "{}: {:.1} MB in all; the program {:.2} MB, packed {:.2} MB",
        out.display(),
        megabytes(files::size_of(out)?),
        megabytes(start.engine.length),
        megabytes(start.engine.size),
    );
    Ok(())
}
