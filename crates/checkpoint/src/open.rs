use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cursor::Cursor;
use crate::fault::{Fault, malformed};
use crate::flatten::{Flattened, flatten};
use crate::pickle::{self, Heap};
use crate::torch::{archive, stream};
use crate::{CheckpointError, Format, Network, StoredTensor, safetensors_file};

/// Named tensors of one file, with the file's metadata.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    path: PathBuf,
    format: Option<Format>,
    tensors: BTreeMap<String, StoredTensor>,
    networks: Vec<Network>,
    metadata: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Opens a file of any known format, recognised by its content.
    ///
    /// # Errors
    /// When the file cannot be read or is not a well-formed checkpoint.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| CheckpointError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::from_vec(path, bytes)
    }

    /// Parses the bytes of a file; `path` only appears in messages.
    ///
    /// # Errors
    /// When the bytes are not a well-formed checkpoint.
    pub fn from_bytes(path: impl AsRef<Path>, bytes: &[u8]) -> Result<Self, CheckpointError> {
        Self::from_vec(path, bytes.to_vec())
    }

    /// As [`from_bytes`](Self::from_bytes), without a copy: the tensors share `bytes`.
    ///
    /// # Errors
    /// When the bytes are not a well-formed checkpoint.
    pub fn from_vec(path: impl AsRef<Path>, bytes: Vec<u8>) -> Result<Self, CheckpointError> {
        let path = path.as_ref();
        let format =
            Format::recognise(&bytes).map_err(|found| CheckpointError::NotACheckpoint {
                path: path.to_owned(),
                found,
            })?;
        let Flattened {
            tensors,
            networks,
            metadata,
        } = parse(format, Arc::new(bytes)).map_err(|fault| fault.at(path, format.name()))?;
        Ok(Self {
            path: path.to_owned(),
            format: Some(format),
            tensors,
            networks,
            metadata,
        })
    }

    /// A checkpoint from tensors in memory; `path` only appears in messages.
    pub fn from_tensors(
        path: impl AsRef<Path>,
        tensors: BTreeMap<String, StoredTensor>,
        metadata: BTreeMap<String, String>,
    ) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            format: None,
            tensors,
            networks: Vec::new(),
            metadata,
        }
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The format of the file; `None` for tensors from memory.
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    /// The networks that the file holds side by side, in its order; empty where its tensors stand alone.
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// One of [`networks`](Self::networks) as a checkpoint of its own: its tensors without the network's name before theirs,
    /// and its configuration, where the file has one, in the metadata under `config`.
    ///
    /// # Errors
    /// When the file has no network of this name; the message lists those that it has.
    pub fn network(&self, name: &str) -> Result<Self, CheckpointError> {
        let network = self
            .networks
            .iter()
            .find(|network| network.name() == name)
            .ok_or_else(|| CheckpointError::UnknownNetwork {
                path: self.path.clone(),
                name: name.to_owned(),
                found: self
                    .networks
                    .iter()
                    .map(|network| network.name().to_owned())
                    .collect(),
            })?;
        if name.is_empty() {
            return Ok(self.clone());
        }
        let mut one = self.subset(&format!("{name}."));
        one.networks = Vec::new();
        one.metadata.retain(|key, _| {
            let of_any = self.networks.iter().any(|n| belongs_to(n.name(), key));
            !of_any
        });
        network.describe("", &mut one.metadata);
        Ok(one)
    }

    /// All tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, StoredTensor> {
        &self.tensors
    }

    /// The file's free-form metadata; generators keep their configuration under `config` as JSON.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The tensors whose names start with `prefix`, without it; metadata and path are kept.
    pub fn subset(&self, prefix: &str) -> Self {
        self.rename(|name| name.strip_prefix(prefix).map(str::to_owned))
    }

    /// The tensors under new names; those for which `new_name` gives `None` are left out, and so are networks without tensors of their names.
    pub fn rename(&self, new_name: impl Fn(&str) -> Option<String>) -> Self {
        let tensors: BTreeMap<String, StoredTensor> = self
            .tensors
            .iter()
            .filter_map(|(name, tensor)| Some((new_name(name)?, tensor.clone())))
            .collect();
        let is_present =
            |network: &&Network| tensors.keys().any(|name| belongs_to(network.name(), name));
        Self {
            path: self.path.clone(),
            format: self.format,
            networks: self.networks.iter().filter(is_present).cloned().collect(),
            tensors,
            metadata: self.metadata.clone(),
        }
    }
}

/// Whether a tensor or metadata entry is one of a network's: `G_ema.synthesis.b4.const` of `G_ema`, and all of a nameless network.
fn belongs_to(network: &str, name: &str) -> bool {
    network.is_empty()
        || name
            .strip_prefix(network)
            .is_some_and(|rest| rest.starts_with('.'))
}

fn parse(format: Format, file: Arc<Vec<u8>>) -> Result<Flattened, Fault> {
    let mut heap = Heap::default();
    let root = match format {
        Format::Safetensors => {
            let (tensors, metadata) = safetensors_file::read(&file)?;
            return Ok(Flattened {
                tensors,
                metadata,
                networks: Vec::new(),
            });
        }
        Format::TorchArchive => archive::read(&file, &mut heap)?,
        Format::TorchStream => stream::read(&file, &mut heap)?,
        Format::Pickle => {
            let mut cursor = Cursor::new(&file, 0, file.len());
            let root = pickle::run(&mut cursor, &mut heap, 0)?;
            if cursor.remaining() > 0 {
                return Err(malformed!(
                    "{} bytes follow the end of the pickle at byte {}",
                    cursor.remaining(),
                    cursor.position()
                ));
            }
            root
        }
    };
    flatten(&heap, root, &file)
}
