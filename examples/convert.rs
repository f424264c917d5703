//! Converts a checkpoint of any known format to safetensors with official names and the configuration as metadata.
//!
//! `cargo run --release --example convert -- network-snapshot.pkl --network D --precision f16`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ganymede::convert::{Contents, Converted, Options, Outcome, Source};

use examples::{CommonArgs, Failure, output};

#[derive(Parser)]
#[command(
    about = "Convert a checkpoint (.pkl of stylegan2-ada-pytorch or stylegan3, .pt or .pth of PyTorch, .safetensors) to safetensors with official names."
)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Folder for the result, `NAME.safetensors` or `NAME.NETWORK.safetensors`.
    #[arg(long, value_name = "DIR", default_value = "out/convert")]
    out: PathBuf,
    /// Only say what the file holds.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    common: CommonArgs,
}

fn main() -> ExitCode {
    examples::start();
    examples::exit(run(&examples::parse::<Arguments>()))
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let context = arguments.common.context()?;
    let source = Source::open(&arguments.options, &context)?;
    let contents = source.contents();
    print_contents(&contents);
    let converted = match arguments.list {
        true => None,
        false => Some(source.convert(&arguments.options, &arguments.out, &context)?),
    };
    if let Some(converted) = &converted {
        print_result(converted);
    }
    if let Some(path) = &arguments.common.json {
        output::write_json(
            path,
            &Outcome {
                contents,
                converted,
            },
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_contents(contents: &Contents) {
    println!(
        "{}: {}, {} tensors",
        contents.file.0.display(),
        contents.format.as_deref().unwrap_or_default(),
        contents.tensors.len()
    );
    for network in &contents.networks {
        let class = network.class_name.as_deref().unwrap_or("dict of tensors");
        println!("  {}: {class}, {} tensors", network.name, network.tensors);
        if let Some(config) = &network.config {
            println!("    {config}");
        }
    }
}

fn print_result(converted: &Converted) {
    let network = converted.network.as_ref();
    let network = network.map_or_else(String::new, |name| format!("{name}, "));
    println!(
        "wrote {}: {network}{}, {} tensors",
        converted.output.0.display(),
        converted.kind,
        converted.tensors.len()
    );
    if let Some(config) = converted.metadata.get("config") {
        println!("  {config}");
    }
}
