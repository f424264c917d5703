//! One network of a checkpoint: found among others, loaded strictly and written back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use checkpoint::{
    Checkpoint, FloatPrecision, StoredTensor, load_module, module_tensors, save_safetensors,
};

use crate::StyleGan2Error;
use crate::resample_filter::ResampleFilter;

/// The metadata entry of the configuration.
const CONFIG: &str = "config";

/// The metadata entry of positional arguments of the constructor, which only pickles have.
const ARGUMENTS: &str = "arguments";

/// What the constant filters are called in every layer; they are no parameters.
const RESAMPLE_FILTER: &str = "resample_filter";

/// How a network is recognised.
#[derive(Debug)]
pub(crate) struct NetworkKind {
    pub(crate) name: &'static str,
    /// A tensor that every such network has and no other.
    pub(crate) anchor: &'static str,
    /// Prefixes of tensor names that are looked for, best first.
    pub(crate) prefixes: &'static [&'static str],
    /// The network under official names where the file has it under others.
    pub(crate) from_other_names: fn(&Checkpoint) -> Option<Checkpoint>,
    /// The configuration that an official pickle's keyword and positional arguments say.
    pub(crate) config_of_arguments: fn(&str, Option<&str>) -> String,
}

/// A network's tensors under official names, with the metadata of their file.
#[derive(Debug)]
pub(crate) struct NetworkFile<'a> {
    pub(crate) tensors: Cow<'a, Checkpoint>,
    prefix: &'static str,
    config_of_arguments: fn(&str, Option<&str>) -> String,
    /// Whether the file has the network under other than official names.
    pub(crate) in_other_names: bool,
}

/// Finds the tensors of a network in a checkpoint that may hold several.
pub(crate) fn find<'a>(
    checkpoint: &'a Checkpoint,
    kind: &NetworkKind,
) -> Result<NetworkFile<'a>, StyleGan2Error> {
    let prefix = kind.prefixes.iter().copied().find(|prefix| {
        checkpoint
            .tensors()
            .contains_key(&format!("{prefix}{}", kind.anchor))
    });
    let tensors = match prefix {
        Some("") => Some(Cow::Borrowed(checkpoint)),
        Some(prefix) => Some(Cow::Owned(checkpoint.subset(prefix))),
        None => (kind.from_other_names)(checkpoint).map(Cow::Owned),
    };
    match tensors {
        Some(tensors) => Ok(NetworkFile {
            tensors,
            prefix: prefix.unwrap_or(""),
            config_of_arguments: kind.config_of_arguments,
            in_other_names: prefix.is_none(),
        }),
        None => Err(StyleGan2Error::NoNetwork {
            path: checkpoint.path().to_owned(),
            network: kind.name,
            anchor: kind.anchor,
            prefix: kind.prefixes.iter().find(|p| !p.is_empty()).unwrap_or(&""),
        }),
    }
}

impl NetworkFile<'_> {
    /// The same network with one tensor more, or another in its place.
    pub(crate) fn with_tensor(&self, name: &str, tensor: StoredTensor) -> Self {
        let mut tensors = self.tensors.tensors().clone();
        tensors.insert(name.to_owned(), tensor);
        let metadata = self.tensors.metadata().clone();
        Self {
            tensors: Cow::Owned(Checkpoint::from_tensors(
                self.tensors.path(),
                tensors,
                metadata,
            )),
            ..*self
        }
    }

    /// The configuration's JSON: with the network's prefix where a file holds several networks, else without.
    pub(crate) fn config_json(&self) -> Option<String> {
        let metadata = self.tensors.metadata();
        let entry = |key: &str| {
            metadata
                .get(&format!("{}{key}", self.prefix))
                .or_else(|| metadata.get(key))
                .map(String::as_str)
        };
        Some((self.config_of_arguments)(entry(CONFIG)?, entry(ARGUMENTS)))
    }

    pub(crate) fn in_config(&self, source: StyleGan2Error) -> StyleGan2Error {
        StyleGan2Error::FileConfig {
            path: self.tensors.path().to_owned(),
            source: Box::new(source),
        }
    }

    /// Loads all parameters; resample filters are the caller's.
    pub(crate) fn load<M: Module>(
        &self,
        network: &M,
        official_name: impl Fn(&str) -> String,
    ) -> Result<M, StyleGan2Error> {
        let parameters = self.tensors.rename(|name| {
            let is_filter = name.rsplit('.').next() == Some(RESAMPLE_FILTER);
            (!is_filter).then(|| name.to_owned())
        });
        Ok(load_module(network, &parameters, official_name)?)
    }
}

/// All tensors of a network under official names.
pub(crate) fn tensors<'f, M: Module>(
    network: &M,
    official_name: impl Fn(&str) -> String,
    filters: impl Iterator<Item = (String, &'f mut ResampleFilter)>,
) -> BTreeMap<String, StoredTensor> {
    let mut tensors = module_tensors(network, official_name);
    for (name, tensor) in &mut tensors {
        // Burn has no tensors without dimensions; official files have this scalar.
        if name.ends_with(".noise_strength") {
            *tensor = StoredTensor::from_f32(Vec::new(), &tensor.to_f32());
        }
    }
    tensors.extend(filters.map(|(name, filter)| (name, filter.stored())));
    tensors
}

pub(crate) fn save(
    path: &Path,
    tensors: &BTreeMap<String, StoredTensor>,
    config: &str,
    precision: FloatPrecision,
) -> Result<(), StyleGan2Error> {
    let metadata = BTreeMap::from([(CONFIG.to_owned(), config.to_owned())]);
    Ok(save_safetensors(path, tensors, &metadata, precision)?)
}

/// `fc1.weight` for `layers.1.weight`.
pub(crate) fn mapping_name(path: &str) -> String {
    rename_indexed(path, "layers.", |index| format!("fc{index}"))
}

/// Replaces `prefix` and the index after it by what `new_name` makes of the index; other paths stay.
pub(crate) fn rename_indexed(
    path: &str,
    prefix: &str,
    new_name: impl Fn(usize) -> String,
) -> String {
    let renamed = path.strip_prefix(prefix).and_then(|rest| {
        let (index, rest) = rest.split_once('.')?;
        Some(format!("{}.{rest}", new_name(index.parse().ok()?)))
    });
    renamed.unwrap_or_else(|| path.to_owned())
}
