//! What goes beyond W+: inversions of held-out images by the starts, the prior, the refinement and the tuning of
//! `invert`, side by side in one table.
//!
//! `cargo run --release --example study_refinement -- --images 1` takes the first held-out image of every kind.

use std::process::ExitCode;

use clap::Parser;
use ganymede::Observer;
use ganymede::study::refinement::{self, Options, Row};

use examples::terminal::Terminal;
use examples::{CommonArgs, Failure, output, table};

/// Compare what goes beyond W+ on held-out images of the zoo
#[derive(Parser, Debug)]
#[command(name = "study_refinement")]
struct Args {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    common: CommonArgs,
}

fn main() -> ExitCode {
    examples::start();
    let args = examples::parse::<Args>();
    examples::exit(Terminal::listen().and_then(|mut terminal| run(&args, &mut terminal)))
}

fn run(args: &Args, observer: &mut dyn Observer) -> Result<ExitCode, Failure> {
    let options = Options {
        seed: args.common.seed,
        ..args.options.clone()
    };
    let outcome = refinement::run(&options, &args.common.context()?, observer)?;
    table::print(&HEADER, &outcome.rows.iter().map(cells).collect::<Vec<_>>());
    if let Some(path) = &args.common.json {
        output::write_json(path, &outcome)?;
    }
    if outcome.cancelled {
        println!("stopped; the table is of the images that were done");
    }
    Ok(examples::exit_code(outcome.cancelled))
}

const HEADER: [&str; 11] = [
    "",
    "images",
    "PSNR dB",
    "LPIPS alex",
    "vgg",
    "distance",
    "seconds",
    "edit kept",
    "side effect",
    "mask",
    "others moved",
];

fn cells(row: &Row) -> Vec<String> {
    let optional = |value: Option<f64>, decimals: usize| {
        value.map_or(String::new(), |value| format!("{value:.decimals$}"))
    };
    vec![
        row.way.to_string(),
        row.images.to_string(),
        format!("{:.2}", row.psnr),
        format!("{:.4}", row.lpips_alex),
        format!("{:.4}", row.lpips_vgg),
        format!("{:.1}", row.w_plus_distance),
        format!("{:.2}", row.seconds),
        optional(row.edit_kept, 3),
        optional(row.side_effect, 3),
        optional(row.mask, 3),
        optional(row.moved, 4),
    ]
}
