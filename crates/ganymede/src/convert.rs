//! Brings a checkpoint of any known format into safetensors with the official names, and its configuration into the
//! metadata.
//!
//! Nothing in the file is run, whatever it claims to be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use checkpoint_file::{Checkpoint, FloatPrecision, StoredTensor, file_name, save_safetensors};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value as Json;
use stylegan2::{Discriminator, Generator, StyleGan2Error};

use crate::files::{self, ShownPath};
use crate::{Context, Error, Observer};

/// What is converted when no file is named.
const DEMONSTRATION: &str = "funEmoji";

/// What is converted, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct Options {
    /// The checkpoint; nothing in it is run, whatever it claims to be [default: a model of the zoo]
    pub file: Option<PathBuf>,
    /// Which of the file's networks: G_ema, G, D, state_dict.decoder, ... [default: its best generator, else the first]
    #[cfg_attr(feature = "clap", arg(long))]
    pub network: Option<String>,
    /// How floating-point weights are stored.
    #[cfg_attr(feature = "clap", arg(long, value_enum, default_value_t))]
    pub precision: Precision,
    /// Folder for the result, `NAME.safetensors` or `NAME.NETWORK.safetensors`; without one the job only says what the
    /// file holds
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
    /// Its networks and other entries of classes that are not known, but for those that are recognized by their
    /// tensors, each with the first such class.
    pub not_understood: BTreeMap<String, String>,
    /// The configuration in its metadata.
    pub config: Json,
    /// All its tensors, by name.
    pub tensors: Vec<TensorContents>,
}

/// One of the networks that a file holds side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
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
#[non_exhaustive]
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
    /// What it was recognized as, in words.
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
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            not_understood: &'a BTreeMap<String, String>,
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
            not_understood: &contents.not_understood,
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
/// [`Source::open`] and [`Source::convert`] do the same in two steps, for those who want to see what a file holds
/// although it cannot be converted.
///
/// # Errors
///
/// The file cannot be read, has no such network, or holds a StyleGAN2 network that is not whole; or the result cannot
/// be written or would replace the file.
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
            // The nameless network is the whole file.
            let prefix = match network.name() {
                "" => String::new(),
                name => format!("{name}."),
            };
            let names = checkpoint.tensors().keys();
            NetworkContents {
                name: network.name().to_owned(),
                class_name: network.class_name().map(str::to_owned),
                config: network.config().cloned(),
                tensors: names.filter(|name| name.starts_with(&prefix)).count(),
            }
        });
        let mut recognized = Generator::names_in(checkpoint);
        recognized.extend(Discriminator::names_in(checkpoint));
        let not_understood = checkpoint.not_understood().clone().into_iter();
        Contents {
            not_understood: not_understood
                .filter(|(name, _)| !recognized.contains(name))
                .collect(),
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
        let found = recognize(checkpoint, network.as_deref(), context.device())?;
        let file = out.join(output_name(&self.path, network.as_deref()));
        files::make_folder(out)?;
        if same_file(&file, &self.path) {
            return Err(Error::File {
                path: file,
                problem: "the result would replace the file that is converted; choose another folder (out)".to_owned(),
            });
        }
        if !options.overwrite && file.exists() {
            return Err(Error::File {
                path: file,
                problem: "there is such a file already, which may be of another model; choose another folder (out), or have it replaced (overwrite)"
                    .to_owned(),
            });
        }
        save_safetensors(
            &file,
            &found.tensors,
            &found.metadata,
            FloatPrecision::from(options.precision),
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
struct Recognized {
    kind: &'static str,
    tensors: BTreeMap<String, StoredTensor>,
    metadata: BTreeMap<String, String>,
}

/// The best generator, else the first network; `None` for what stands at the file's root.
fn preferred(checkpoint: &Checkpoint) -> Option<String> {
    let first = || checkpoint.networks().first().map(|n| n.name().to_owned());
    Generator::names_in(checkpoint)
        .into_iter()
        .next()
        .or_else(first)
        .filter(|name| !name.is_empty())
}

/// Loading a StyleGAN2 network proves that its tensors fit its configuration; other files keep their names.
fn recognize(
    checkpoint: &Checkpoint,
    network: Option<&str>,
    device: &Device,
) -> Result<Recognized, Error> {
    let name = network.unwrap_or_default();
    let alone = alone(checkpoint, name)?;
    let mut metadata = alone.metadata().clone();
    let is_other = |error: &StyleGan2Error| {
        matches!(
            error,
            StyleGan2Error::NoNetwork { .. } | StyleGan2Error::NotSupported { .. }
        )
    };
    let (kind, tensors) = match Generator::from_network(checkpoint, name, device) {
        Ok(generator) => {
            metadata.insert("config".to_owned(), generator.config().to_json());
            ("StyleGAN2 generator", generator.tensors())
        }
        Err(no_generator) if is_other(&no_generator) => {
            match Discriminator::from_network(checkpoint, name, device) {
                Ok(discriminator) => {
                    metadata.insert("config".to_owned(), discriminator.config().to_json());
                    ("StyleGAN2 discriminator", discriminator.tensors())
                }
                Err(error) if !is_other(&error) => return Err(error.into()),
                Err(_) => match no_generator {
                    StyleGan2Error::NoNetwork { .. } => {
                        ("tensors under their own names", alone.tensors().clone())
                    }
                    // Of a kind that is known and not supported.
                    error => return Err(error.into()),
                },
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
    Ok(Recognized {
        kind,
        tensors,
        metadata,
    })
}

/// What lies under a name: a network of the file, or any other part of it that holds tensors.
fn alone(checkpoint: &Checkpoint, name: &str) -> Result<Checkpoint, Error> {
    if name.is_empty() {
        return Ok(checkpoint.clone());
    }
    match checkpoint.network(name) {
        Ok(network) => Ok(network),
        Err(error) => {
            let part = checkpoint.subset(&format!("{name}."));
            if part.tensors().is_empty() {
                return Err(error.into());
            }
            // What describes the file does not describe a part of it.
            let tensors = part.tensors().clone();
            Ok(Checkpoint::from_tensors(
                part.path(),
                tensors,
                BTreeMap::new(),
            ))
        }
    }
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
        Some(network) => format!("{stem}.{}.safetensors", file_name(network)),
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
