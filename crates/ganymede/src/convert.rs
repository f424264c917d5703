//! Brings a checkpoint of any known format into safetensors with the official names, and its configuration into the metadata.
//!
//! Nothing in the file is run, whatever it claims to be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use checkpoint::{Checkpoint, FloatPrecision, StoredTensor, save_safetensors};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value as Json;
use stylegan2::{Discriminator, Generator, StyleGan2Error};

use crate::files::{self, ShownPath};
use crate::{Context, Error, Observer};

/// Networks that are taken when none is asked for, best first: running averages make the better images.
const PREFERRED_NETWORKS: [&str; 4] = ["G_ema", "g_ema", "G", "g"];

/// What is converted when no file is named.
const DEMONSTRATION: &str = "funEmoji";

/// Where rosinality's checkpoints keep the running average of w, beside their networks.
const LATENT_AVERAGE: &str = "latent_avg";

/// What is converted, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct Options {
    /// The checkpoint; nothing in it is run, whatever it claims to be [default: a model of the zoo]
    pub file: Option<PathBuf>,
    /// Which of the file's networks: G_ema, G, D, g_ema, ... [default: G_ema or g_ema, else G or g, else the first]
    #[cfg_attr(feature = "clap", arg(long))]
    pub network: Option<String>,
    /// How floating-point weights are stored.
    #[cfg_attr(feature = "clap", arg(long, value_enum, default_value_t))]
    pub precision: Precision,
    /// Folder for the result, `NAME.safetensors` or `NAME.NETWORK.safetensors`; without one the job only says what the file holds
    #[cfg_attr(feature = "clap", arg(skip))]
    pub out: Option<PathBuf>,
    /// Replace a result that is there; files of different models may have one name.
    #[cfg_attr(feature = "clap", arg(long))]
    pub overwrite: bool,
}

/// How floating-point weights are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Precision {
    /// Single precision
    #[default]
    F32,
    /// Half precision
    F16,
    /// Half precision with the range of f32
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

/// What a file holds, and what became of it.
///
/// As JSON `config` and `tensors` are those of the network that was written, where one was.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What the file holds.
    pub contents: Contents,
    /// What was written, where that was asked for.
    pub converted: Option<Converted>,
}

/// What a checkpoint holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    /// The checkpoint.
    pub file: ShownPath,
    /// Its format, where it was read from a file.
    pub format: Option<String>,
    /// Its metadata.
    pub metadata: BTreeMap<String, String>,
    /// Its networks; empty for a file that is one network.
    pub networks: Vec<NetworkContents>,
    /// The configuration in its metadata.
    pub config: Json,
    /// All its tensors, by name.
    pub tensors: Vec<TensorContents>,
}

/// One of the networks that a file holds side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkContents {
    /// The class that the file names; none for a plain dict of tensors.
    pub class_name: Option<String>,
    /// The keyword arguments that it was constructed with.
    pub config: Option<Json>,
    /// The key in the file.
    pub name: String,
    /// How many tensors it has.
    #[serde(skip)]
    pub tensors: usize,
}

/// A tensor without its values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorContents {
    /// Its type, such as `F32`.
    pub dtype: String,
    /// Its name in the file.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
}

/// A network as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Converted {
    /// Its name in the file; none where the file is one network.
    pub network: Option<String>,
    /// What it was recognised as, in words.
    pub kind: String,
    /// Where it was written.
    pub output: ShownPath,
    /// The configuration as it was written, as text; none for networks that are not StyleGAN2's.
    pub metadata: BTreeMap<String, String>,
    /// Its tensors, by name.
    pub tensors: Vec<TensorContents>,
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Flat<'a> {
            config: Json,
            file: &'a ShownPath,
            format: &'a Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            kind: Option<&'a str>,
            metadata: &'a BTreeMap<String, String>,
            // Null where something was converted that has no name, absent where nothing was.
            #[serde(skip_serializing_if = "Option::is_none")]
            network: Option<&'a Option<String>>,
            networks: &'a [NetworkContents],
            #[serde(skip_serializing_if = "Option::is_none")]
            output: Option<&'a ShownPath>,
            tensors: &'a [TensorContents],
        }
        let Self {
            contents,
            converted,
        } = self;
        let converted = converted.as_ref();
        Flat {
            config: converted.map_or_else(|| contents.config.clone(), |c| config(&c.metadata)),
            file: &contents.file,
            format: &contents.format,
            kind: converted.map(|c| c.kind.as_str()),
            metadata: &contents.metadata,
            network: converted.map(|c| &c.network),
            networks: &contents.networks,
            output: converted.map(|c| &c.output),
            tensors: converted.map_or(&contents.tensors, |c| &c.tensors),
        }
        .serialize(serializer)
    }
}

/// A checkpoint that was read, and can be converted.
pub struct Source {
    path: PathBuf,
    checkpoint: Checkpoint,
}

/// Reads a checkpoint and converts what was asked for.
///
/// [`Source::open`] and [`Source::convert`] do the same in two steps, for those who want to see what a file holds although it cannot be converted.
///
/// # Errors
///
/// The file cannot be read, has no such network, or holds a StyleGAN2 network that is not whole; or the result cannot be written or would replace the file.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    let source = Source::open(options, context)?;
    observer.go_on()?;
    let converted = match &options.out {
        Some(out) => Some(source.convert(options, out, context)?),
        None => None,
    };
    Ok(Outcome {
        contents: source.contents(),
        converted,
    })
}

impl Source {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// There is none, or it is of no known format.
    pub fn open(options: &Options, context: &Context) -> Result<Self, Error> {
        let path = match &options.file {
            Some(file) => file.clone(),
            None => context.weights()?.generator(DEMONSTRATION),
        };
        Ok(Self {
            checkpoint: Checkpoint::open(&path)?,
            path,
        })
    }

    /// What the file holds.
    pub fn contents(&self) -> Contents {
        let checkpoint = &self.checkpoint;
        let networks = checkpoint.networks().iter().map(|network| {
            let prefix = format!("{}.", network.name());
            let names = checkpoint.tensors().keys();
            NetworkContents {
                name: network.name().to_owned(),
                class_name: network.class_name().map(str::to_owned),
                config: network.config().cloned(),
                tensors: names.filter(|name| name.starts_with(&prefix)).count(),
            }
        });
        Contents {
            file: ShownPath(checkpoint.path().to_owned()),
            format: checkpoint.format().map(|format| format.to_string()),
            metadata: checkpoint.metadata().clone(),
            networks: networks.collect(),
            config: config(checkpoint.metadata()),
            tensors: described(checkpoint.tensors()),
        }
    }

    /// Writes a network into the folder `out`.
    ///
    /// # Errors
    ///
    /// As [`run`] has them.
    pub fn convert(
        &self,
        options: &Options,
        out: &Path,
        context: &Context,
    ) -> Result<Converted, Error> {
        let checkpoint = &self.checkpoint;
        let network = options.network.clone().or_else(|| preferred(checkpoint));
        let found = recognise(checkpoint, network.as_deref(), context.device())?;
        let file = out.join(output_name(&self.path, network.as_deref()));
        files::make_folder(out)?;
        if same_file(&file, &self.path) {
            return Err(Error::File {
                path: file,
                problem: "the result would replace the file that is converted; choose another folder with --out".to_owned(),
            });
        }
        if !options.overwrite && file.exists() {
            return Err(Error::File {
                path: file,
                problem: "there is such a file already, which may be of another model; choose another folder with --out, or replace it with --overwrite"
                    .to_owned(),
            });
        }
        save_safetensors(
            &file,
            &found.tensors,
            &found.metadata,
            options.precision.into(),
        )?;
        Ok(Converted {
            network,
            kind: found.kind.to_owned(),
            output: ShownPath(file),
            tensors: described(&found.tensors),
            metadata: found.metadata,
        })
    }
}

/// One network as it is written.
struct Recognised {
    kind: &'static str,
    tensors: BTreeMap<String, StoredTensor>,
    metadata: BTreeMap<String, String>,
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
fn recognise(
    checkpoint: &Checkpoint,
    network: Option<&str>,
    device: &Device,
) -> Result<Recognised, Error> {
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
    Ok(Recognised {
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

fn config(metadata: &BTreeMap<String, String>) -> Json {
    metadata
        .get("config")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

fn described(tensors: &BTreeMap<String, StoredTensor>) -> Vec<TensorContents> {
    tensors
        .iter()
        .map(|(name, tensor)| TensorContents {
            name: name.clone(),
            dtype: format!("{:?}", tensor.dtype()),
            shape: tensor.shape().to_vec(),
        })
        .collect()
}
