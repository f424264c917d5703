//! One network of a checkpoint: found among others, loaded strictly and written back.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::module::Module;
use checkpoint_file::{
    Checkpoint, CheckpointError, FloatPrecision, Format, StoredTensor, load_module, module_tensors,
    save_safetensors, shown,
};

use crate::StyleGan2Error;
use crate::formats::OtherNames;
use crate::formats::official::Construction;
use crate::formats::other_kind::{self, OtherKind};
use crate::formats::place::{Role, is_usual, places};
use crate::resample_filter::ResampleFilter;

/// The metadata entry of the configuration.
const CONFIG: &str = "config";

/// The metadata entry of positional arguments of the constructor, which only pickles have.
const ARGUMENTS: &str = "arguments";

/// The metadata entry of what the network's modules keep of their options, which only pickles have.
const OPTIONS: &str = "options";

/// How a network is recognized.
#[derive(Debug)]
pub(crate) struct NetworkKind {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// A tensor that every such network has and no other.
    pub(crate) anchor: &'static str,
    /// A usual prefix, for messages.
    pub(crate) prefix: &'static str,
    /// Likewise the anchor in rosinality's names.
    pub(crate) other_anchor: &'static str,
    /// The network under official names where the file has it, behind a prefix, under others.
    pub(crate) from_other_names: fn(&Checkpoint, &str) -> Result<OtherNames, StyleGan2Error>,
    /// The configuration that an official file says.
    pub(crate) config_of: fn(Construction<'_>) -> String,
}

/// A network's tensors under official names, with the metadata of their file.
#[derive(Clone, Debug)]
pub(crate) struct NetworkFile<'a> {
    pub(crate) tensors: Cow<'a, Checkpoint>,
    format: Option<Format>,
    prefix: String,
    /// What the file calls tensors of other than official names.
    sources: Option<BTreeMap<String, String>>,
    config_of: fn(Construction<'_>) -> String,
}

/// The names of all networks of a kind in a file, best first: what stands before their tensors' names, without the last
/// dot.
pub(crate) fn names(checkpoint: &Checkpoint, kind: &NetworkKind) -> Vec<String> {
    let official = places(checkpoint, kind.anchor, kind.role, None);
    let other = places(checkpoint, kind.other_anchor, kind.role, None);
    let all = official.into_iter().chain(other);
    all.map(|prefix| prefix.trim_end_matches('.').to_owned())
        .collect()
}

/// Finds the tensors of a network in a checkpoint that may hold several; `within` is the name of one of them, or of
/// what holds it.
pub(crate) fn find<'a>(
    checkpoint: &'a Checkpoint,
    kind: &NetworkKind,
    within: Option<&str>,
) -> Result<NetworkFile<'a>, StyleGan2Error> {
    let found = |tensors, prefix, sources| NetworkFile {
        tensors,
        format: checkpoint.format(),
        prefix,
        sources,
        config_of: kind.config_of,
    };
    if let Some(prefix) = best(checkpoint, kind.anchor, kind, within)? {
        let tensors = match prefix.as_str() {
            "" => Cow::Borrowed(checkpoint),
            prefix => Cow::Owned(checkpoint.subset(prefix)),
        };
        return Ok(found(tensors, prefix, None));
    }
    if let Some(prefix) = best(checkpoint, kind.other_anchor, kind, within)? {
        let OtherNames { tensors, sources } = (kind.from_other_names)(checkpoint, &prefix)?;
        let tensors = Checkpoint::from_tensors(checkpoint.path(), tensors, BTreeMap::new());
        return Ok(found(Cow::Owned(tensors), String::new(), Some(sources)));
    }
    if let Some(OtherKind { found, remedy }) = other_kind::recognize(checkpoint) {
        return Err(StyleGan2Error::NotSupported {
            path: checkpoint.path().to_owned(),
            found: found.to_owned(),
            remedy: remedy.to_owned(),
        });
    }
    Err(StyleGan2Error::NoNetwork {
        path: checkpoint.path().to_owned(),
        network: kind.name,
        anchor: kind.anchor,
        prefix: kind.prefix,
        holds: holds(checkpoint),
    })
}

/// The best place of a network with the tensor `anchor`.
fn best(
    checkpoint: &Checkpoint,
    anchor: &str,
    kind: &NetworkKind,
    within: Option<&str>,
) -> Result<Option<String>, StyleGan2Error> {
    let mut found = places(checkpoint, anchor, kind.role, within);
    let is_in_usual_place = |prefix: &String| is_usual(prefix, kind.role);
    // A part of another network is in no usual place.
    let is_clear = found.first().is_none_or(is_in_usual_place) || within.is_some();
    if !is_clear {
        if let Some(OtherKind { found, remedy }) = other_kind::recognize(checkpoint) {
            return Err(StyleGan2Error::NotSupported {
                path: checkpoint.path().to_owned(),
                found: found.to_owned(),
                remedy: remedy.to_owned(),
            });
        }
        if found.len() > 1 {
            return Err(StyleGan2Error::SeveralNetworks {
                path: checkpoint.path().to_owned(),
                network: kind.name,
                found: found
                    .iter()
                    .map(|prefix| prefix.trim_end_matches('.').to_owned())
                    .collect(),
            });
        }
    }
    Ok((!found.is_empty()).then(|| found.swap_remove(0)))
}

/// What a file holds, for a message.
fn holds(checkpoint: &Checkpoint) -> String {
    const SHOWN: usize = 8;
    let networks: Vec<String> = checkpoint
        .networks()
        .iter()
        .take(SHOWN)
        .map(|network| {
            let name = shown(network.name());
            match (
                checkpoint.not_understood().get(network.name()),
                network.class_name(),
            ) {
                (Some(class), _) => format!("{name} (not understood: {})", shown(class)),
                (None, Some(class)) => format!("{name} ({})", shown(class)),
                (None, None) => name.to_string(),
            }
        })
        .collect();
    let found = match (networks.is_empty(), checkpoint.tensors().keys().next()) {
        (false, _) => format!("it holds {}", networks.join(", ")),
        (true, Some(first)) => {
            let count = checkpoint.tensors().len();
            format!("it holds {count} tensors, the first is {}", shown(first))
        }
        (true, None) => "it holds no tensors".to_owned(),
    };
    match checkpoint.format() {
        Some(Format::TorchScript) => format!(
            "it is a TorchScript archive, whose code is not looked at; {found}; use the checkpoint that it was made of"
        ),
        _ => found,
    }
}

impl NetworkFile<'_> {
    /// Whether the file has the network under other than official names.
    pub(crate) fn is_in_other_names(&self) -> bool {
        self.sources.is_some()
    }

    /// The format of the file; `None` for tensors from memory.
    pub(crate) fn format(&self) -> Option<Format> {
        self.format
    }

    /// What the file calls the tensor of an official name.
    pub(crate) fn source_name(&self, official: &str) -> String {
        let source = self.sources.as_ref().and_then(|names| names.get(official));
        match source {
            Some(source) => source.clone(),
            None => format!("{}{official}", self.prefix),
        }
    }

    /// The same network with one tensor more, or another in its place.
    pub(crate) fn with_tensor(&self, name: &str, tensor: StoredTensor) -> Self {
        let mut tensors = self.tensors.tensors().clone();
        tensors.insert(name.to_owned(), tensor);
        let metadata = self.tensors.metadata().clone();
        let tensors = Checkpoint::from_tensors(self.tensors.path(), tensors, metadata);
        Self {
            tensors: Cow::Owned(tensors),
            ..self.clone()
        }
    }

    /// The configuration's JSON: with the network's prefix where a file holds several networks, else without.
    ///
    /// A safetensors file is one network's, whatever its tensors are called, so that its plain entry `config` is too.
    /// In a pickle such an entry beside a network is part of the training.
    pub(crate) fn config_json(&self) -> Option<String> {
        let metadata = self.tensors.metadata();
        let is_described_as_a_whole = matches!(self.format, None | Some(Format::Safetensors));
        let mut places = vec![self.prefix.as_str()];
        if is_described_as_a_whole {
            places.push("");
        }
        places.into_iter().find_map(|place| {
            let entry = |key: &str| metadata.get(&format!("{place}{key}")).map(String::as_str);
            Some((self.config_of)(Construction {
                keywords: entry(CONFIG)?,
                positional: entry(ARGUMENTS),
                options: entry(OPTIONS),
            }))
        })
    }

    pub(crate) fn in_config(&self, source: StyleGan2Error) -> StyleGan2Error {
        StyleGan2Error::FileConfig {
            path: self.tensors.path().to_owned(),
            format: self.format,
            source: Box::new(source),
        }
    }

    /// Loads all parameters. Nothing but them and the `filters` may be in the file.
    pub(crate) fn load<M: Module>(
        &self,
        network: &M,
        official_name: impl Fn(&str) -> String,
        filters: &BTreeSet<String>,
    ) -> Result<M, StyleGan2Error> {
        let parameters = self
            .tensors
            .rename(|name| (!filters.contains(name)).then(|| name.to_owned()));
        load_module(network, &parameters, official_name)
            .map_err(|error| StyleGan2Error::from(self.in_source_names(error)))
    }

    /// Reads the filters that the file has and returns the names of all.
    pub(crate) fn load_filters<'f>(
        &self,
        filters: impl Iterator<Item = (String, &'f mut ResampleFilter)>,
    ) -> Result<BTreeSet<String>, StyleGan2Error> {
        let mut names = BTreeSet::new();
        for (name, filter) in filters {
            if let Some(stored) = self.tensors.tensors().get(&name) {
                filter
                    .load(stored)
                    .map_err(|problem| StyleGan2Error::ResampleFilter {
                        path: self.tensors.path().to_owned(),
                        tensor: self.source_name(&name),
                        found: problem,
                        expected: ResampleFilter::expected(),
                    })?;
            }
            names.insert(name);
        }
        Ok(names)
    }

    /// An error about a tensor of an official name, for readers who know the file's names.
    fn in_source_names(&self, mut error: CheckpointError) -> CheckpointError {
        match &mut error {
            CheckpointError::MissingTensor { tensor, .. }
            | CheckpointError::WrongShape { tensor, .. }
            | CheckpointError::WrongDType { tensor, .. }
            | CheckpointError::NonFinite { tensor, .. }
            | CheckpointError::ExtraTensors { first: tensor, .. } => {
                *tensor = self.source_name(tensor);
            }
            _ => {}
        }
        error
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

#[cfg(test)]
mod tests {
    use super::*;

    fn file(format: Option<Format>, prefix: &'static str, entries: &[&str]) -> Option<String> {
        let metadata = entries
            .iter()
            .map(|name| ((*name).to_owned(), (*name).to_owned()))
            .collect();
        NetworkFile {
            tensors: Cow::Owned(Checkpoint::from_tensors("file", BTreeMap::new(), metadata)),
            format,
            prefix: prefix.to_owned(),
            sources: None,
            config_of: |construction| {
                format!("{} {:?}", construction.keywords, construction.positional)
            },
        }
        .config_json()
    }

    #[test]
    fn a_pickles_own_entries_describe_no_network_in_it() {
        let entries = ["config", "arguments"];
        let whole = Some("config Some(\"arguments\")".to_owned());
        for format in [None, Some(Format::Safetensors)] {
            assert_eq!(file(format, "g_ema.", &entries), whole);
        }
        for format in [Format::Pickle, Format::TorchArchive, Format::TorchStream] {
            assert_eq!(file(Some(format), "g_ema.", &entries), None);
            assert_eq!(file(Some(format), "", &entries), whole);
        }
        // All entries are of one place.
        assert_eq!(
            file(None, "G_ema.", &["G_ema.config", "config", "arguments"]),
            Some("G_ema.config None".to_owned())
        );
    }
}
