//! Converts a checkpoint of any known format to safetensors with official names and the configuration as metadata.
//!
//! `cargo run --release --example convert -- network-snapshot.pkl --network D --precision f16`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ganymede::checkpoint_file::{shown, shown_within};
use ganymede::convert::{Contents, Converted, Options, Outcome, Source};

use examples::{CommonArgs, Failure, output};

/// Room for a configuration, which has about 600.
const CONFIG_CHARACTERS: usize = 4000;

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
        let not_understood = match contents.not_understood.get(&network.name) {
            Some(unknown) => format!(", not understood: {}", shown(unknown)),
            None => String::new(),
        };
        println!(
            "  {}: {}, {} tensors{not_understood}",
            shown(&network.name),
            shown(class),
            network.tensors
        );
        if let Some(config) = &network.config {
            println!(
                "    {}",
                shown_within(&config.to_string(), CONFIG_CHARACTERS)
            );
        }
    }
    let is_listed = |name: &String| contents.networks.iter().any(|n| n.name == **name);
    for (name, unknown) in &contents.not_understood {
        if !is_listed(name) {
            println!("  {}: not understood: {}", shown(name), shown(unknown));
        }
    }
}

fn print_result(converted: &Converted) {
    let network = converted.network.as_ref();
    let network = network.map_or_else(String::new, |name| format!("{}, ", shown(name)));
    println!(
        "wrote {}: {network}{}, {} tensors",
        converted.output.0.display(),
        converted.kind,
        converted.tensors.len()
    );
    if let Some(config) = converted.metadata.get("config") {
        println!("  {}", shown_within(config, CONFIG_CHARACTERS));
    }
}
