//! Converts a checkpoint of any known format to safetensors with official names and the configuration as metadata.
//!
//! `cargo run --release --example convert -- network-snapshot.pkl --network D --precision f16`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::tensor::Device;
use checkpoint::{Checkpoint, FloatPrecision, StoredTensor, save_safetensors};
use clap::Parser;
use serde_json::{Value as Json, json};
use stylegan2::{Discriminator, Generator, StyleGan2Error};

use examples::weights::Weights;
use examples::{CommonArgs, Failure, output};

/// Networks that are taken when none is asked for, best first: running averages make the better images.
const PREFERRED_NETWORKS: [&str; 4] = ["G_ema", "g_ema", "G", "g"];

/// What a run without arguments converts.
const DEMONSTRATION: &str = "funEmoji";

/// Where rosinality's checkpoints keep the running average of w, beside their networks.
const LATENT_AVERAGE: &str = "latent_avg";

#[derive(Parser)]
#[command(
    about = "Convert a checkpoint (.pkl of stylegan2-ada-pytorch or stylegan3, .pt or .pth of PyTorch, .safetensors) to safetensors with official names."
)]
struct Arguments {
    /// The checkpoint; nothing in it is run, whatever it claims to be [default: a model of the zoo]
    file: Option<PathBuf>,
    /// Which of the file's networks: G_ema, G, D, g_ema, ... [default: G_ema or g_ema, else G or g, else the first]
    #[arg(long)]
    network: Option<String>,
    /// How floating-point weights are stored.
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    precision: Precision,
    /// Folder for the result, `NAME.safetensors` or `NAME.NETWORK.safetensors`.
    #[arg(long, value_name = "DIR", default_value = "out/convert")]
    out: PathBuf,
    /// Only say what the file holds.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Precision {
    F32,
    F16,
    Bf16,
}

impl From<Precision> for FloatPrecision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::F16 => Self::F16,
            Precision::Bf16 => Self::BF16,
        }
    }
}

/// One network as it is written.
struct Converted {
    kind: &'static str,
    tensors: BTreeMap<String, StoredTensor>,
    metadata: BTreeMap<String, String>,
}

fn main() -> ExitCode {
    examples::start();
    examples::exit(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let input = match &arguments.file {
        Some(file) => file.clone(),
        None => Weights::open(arguments.common.weights.as_deref())?.generator(DEMONSTRATION),
    };
    let checkpoint = Checkpoint::open(&input)?;
    print_contents(&checkpoint);
    if arguments.list {
        if let Some(path) = &arguments.common.json {
            output::write_json(path, &contents(&checkpoint))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let network = arguments.network.clone().or_else(|| preferred(&checkpoint));
    let device = arguments.common.device.open()?;
    let converted = convert(&checkpoint, network.as_deref(), &device)?;
    let file = arguments.out.join(output_name(&input, network.as_deref()));
    output::make_folder(&arguments.out)?;
    if same_file(&file, &input) {
        return Err(format!(
            "{}: the result would replace the file that is converted; choose another folder with --out",
            file.display()
        )
        .into());
    }
    save_safetensors(
        &file,
        &converted.tensors,
        &converted.metadata,
        arguments.precision.into(),
    )?;
    print_result(&file, network.as_deref(), &converted);
    if let Some(path) = &arguments.common.json {
        let mut report = contents(&checkpoint);
        report["network"] = json!(network);
        report["kind"] = json!(converted.kind);
        report["config"] = config(&converted.metadata);
        report["tensors"] = described(&converted.tensors);
        report["output"] = json!(file.display().to_string());
        output::write_json(path, &report)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn preferred(checkpoint: &Checkpoint) -> Option<String> {
    let names: Vec<&str> = checkpoint.networks().iter().map(|n| n.name()).collect();
    PREFERRED_NETWORKS
        .iter()
        .find(|name| names.contains(name))
        .or(names.first())
        .map(|name| (*name).to_owned())
}

/// Loading a StyleGAN2 network proves that its tensors fit its configuration; other files keep their names.
fn convert(
    checkpoint: &Checkpoint,
    network: Option<&str>,
    device: &Device,
) -> Result<Converted, Failure> {
    let alone = match network {
        Some(name) => checkpoint.network(name)?,
        None => checkpoint.clone(),
    };
    let mut metadata = alone.metadata().clone();
    let with_average = with_latent_average(checkpoint, &alone);
    let (kind, tensors) = match Generator::from_checkpoint(&with_average, device) {
        Ok(generator) => {
            metadata.insert("config".to_owned(), generator.config().to_json());
            ("StyleGAN2 generator", generator.tensors())
        }
        Err(StyleGan2Error::NoNetwork { .. }) => {
            match Discriminator::from_checkpoint(&alone, device) {
                Ok(discriminator) => {
                    metadata.insert("config".to_owned(), discriminator.config().to_json());
                    ("StyleGAN2 discriminator", discriminator.tensors())
                }
                Err(StyleGan2Error::NoNetwork { .. }) => {
                    ("tensors under their own names", alone.tensors().clone())
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(format) = checkpoint.format() {
        metadata.insert("source_format".to_owned(), format.to_string());
    }
    if let Some(network) = network.filter(|name| !name.is_empty()) {
        metadata.insert("source_network".to_owned(), network.to_owned());
    }
    Ok(Converted {
        kind,
        tensors,
        metadata,
    })
}

/// A generator's file keeps the running average of w beside the network, and the network's own tensors are told from it by their names.
fn with_latent_average(checkpoint: &Checkpoint, network: &Checkpoint) -> Checkpoint {
    let mut tensors = network.tensors().clone();
    if let Some(average) = checkpoint.tensors().get(LATENT_AVERAGE) {
        tensors.insert(LATENT_AVERAGE.to_owned(), average.clone());
    }
    Checkpoint::from_tensors(network.path(), tensors, network.metadata().clone())
}

/// Whether two paths lead to one file that exists.
fn same_file(first: &Path, second: &Path) -> bool {
    match (first.canonicalize(), second.canonicalize()) {
        (Ok(first), Ok(second)) => first == second,
        _ => false,
    }
}

fn output_name(input: &Path, network: Option<&str>) -> String {
    let stem = input.file_stem().unwrap_or_default().to_string_lossy();
    match network.filter(|name| !name.is_empty()) {
        Some(network) => format!("{stem}.{network}.safetensors"),
        None => format!("{stem}.safetensors"),
    }
}

fn print_contents(checkpoint: &Checkpoint) {
    let format = checkpoint
        .format()
        .map_or_else(String::new, |format| format.to_string());
    println!(
        "{}: {format}, {} tensors",
        checkpoint.path().display(),
        checkpoint.tensors().len()
    );
    for network in checkpoint.networks() {
        let prefix = format!("{}.", network.name());
        let count = checkpoint
            .tensors()
            .keys()
            .filter(|name| name.starts_with(&prefix))
            .count();
        let class = network.class_name().unwrap_or("dict of tensors");
        println!("  {}: {class}, {count} tensors", network.name());
        if let Some(config) = network.config() {
            println!("    {config}");
        }
    }
}

fn print_result(output: &Path, network: Option<&str>, converted: &Converted) {
    let network = network.map_or_else(String::new, |name| format!("{name}, "));
    println!(
        "wrote {}: {network}{}, {} tensors",
        output.display(),
        converted.kind,
        converted.tensors.len()
    );
    if let Some(config) = converted.metadata.get("config") {
        println!("  {config}");
    }
}

fn contents(checkpoint: &Checkpoint) -> Json {
    let networks: Vec<Json> = checkpoint
        .networks()
        .iter()
        .map(|network| {
            json!({
                "name": network.name(),
                "class_name": network.class_name(),
                "config": network.config(),
            })
        })
        .collect();
    json!({
        "file": checkpoint.path().display().to_string(),
        "format": checkpoint.format().map(|format| format.to_string()),
        "metadata": checkpoint.metadata(),
        "networks": networks,
        "config": config(checkpoint.metadata()),
        "tensors": described(checkpoint.tensors()),
    })
}

fn config(metadata: &BTreeMap<String, String>) -> Json {
    metadata
        .get("config")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

fn described(tensors: &BTreeMap<String, StoredTensor>) -> Json {
    tensors
        .iter()
        .map(|(name, tensor)| {
            json!({
                "name": name,
                "dtype": format!("{:?}", tensor.dtype()),
                "shape": tensor.shape(),
            })
        })
        .collect()
}
