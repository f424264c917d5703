use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cursor::Cursor;
use crate::fault::{Fault, malformed};
use crate::flatten::{Flattened, flatten};
use crate::pickle::{self, Heap};
use crate::torch::{archive, stream};
use crate::{CheckpointError, Format, Network, StoredTensor, numpy_file, safetensors_file};

/// Named tensors of one file, with the file's metadata.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    path: PathBuf,
    format: Option<Format>,
    tensors: BTreeMap<String, StoredTensor>,
    opaque: BTreeMap<String, String>,
    networks: Vec<Network>,
    not_understood: BTreeMap<String, String>,
    metadata: BTreeMap<String, String>,
}

/// Longest file that is read: several times the largest published checkpoint of such networks.
const MAX_BYTES: u64 = 64 << 30;

impl Checkpoint {
    /// Opens a file of any known format, recognized by its content.
    ///
    /// # Errors
    /// When the file cannot be read or is not a well-formed checkpoint.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let path = path.as_ref();
        let bytes = whole_file::read(path, MAX_BYTES).map_err(|source| CheckpointError::Io {
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
            Format::recognize(path, &bytes).map_err(|found| CheckpointError::NotACheckpoint {
                path: path.to_owned(),
                found,
            })?;
        let Flattened {
            tensors,
            opaque,
            networks,
            not_understood,
            metadata,
        } = parse(format, Arc::new(bytes)).map_err(|fault| fault.at(path, format.name()))?;
        Ok(Self {
            path: path.to_owned(),
            format: Some(format),
            tensors,
            opaque,
            networks,
            not_understood,
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
            opaque: BTreeMap::new(),
            networks: Vec::new(),
            not_understood: BTreeMap::new(),
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

    /// One of [`networks`](Self::networks) as a checkpoint of its own: its tensors without the network's name before
    /// theirs, and its configuration, where the file has one, in the metadata under `config`.
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
        let names: HashSet<&str> = self.networks.iter().map(Network::name).collect();
        let of_any = |key: &str| {
            let mut dots = key.match_indices('.');
            dots.any(|(dot, _)| names.contains(&key[..dot]))
        };
        let prefix = format!("{name}.");
        let mut one = self.subset(&prefix);
        one.networks = Vec::new();
        one.not_understood = below(&self.not_understood, &prefix);
        if let Some(class) = self.not_understood.get(name) {
            one.not_understood.insert(String::new(), class.clone());
        }
        // What describes another network, or the file, does not describe this one.
        one.metadata
            .retain(|key, _| !of_any(key) && !Network::ENTRIES.contains(&key.as_str()));
        network.describe("", &mut one.metadata);
        for inner in &self.networks {
            if let Some(name) = inner.name().strip_prefix(&prefix) {
                let inner = inner.renamed(name);
                inner.describe(&format!("{name}."), &mut one.metadata);
                one.networks.push(inner);
            }
        }
        Ok(one)
    }

    /// All tensors by name, but for those that are [`opaque`](Self::opaque).
    pub fn tensors(&self) -> &BTreeMap<String, StoredTensor> {
        &self.tensors
    }

    /// Names of the tensors whose elements are of a type that is not read, such as texts or 8-bit floats, and what the
    /// file calls that type.
    ///
    /// They may stand beside weights, and only fail where one of them is asked for, or is left over when a module is
    /// loaded.
    pub fn opaque(&self) -> &BTreeMap<String, String> {
        &self.opaque
    }

    /// Networks and other entries of the file in which a class lies that is not known, each with the first such class;
    /// nothing of it was run.
    ///
    /// A module of such a class has the tensors that PyTorch lists of it, as far as they can be read; what it computes
    /// with them is not known.
    pub fn not_understood(&self) -> &BTreeMap<String, String> {
        &self.not_understood
    }

    /// The file's free-form metadata; generators keep their configuration under `config` as JSON.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The tensors whose names start with `prefix`, without it; metadata and path are kept.
    pub fn subset(&self, prefix: &str) -> Self {
        self.with_tensors(below(&self.tensors, prefix), below(&self.opaque, prefix))
    }

    /// The tensors under new names; those for which `new_name` gives `None` are left out, and so are networks without
    /// tensors of their names.
    pub fn rename(&self, new_name: impl Fn(&str) -> Option<String>) -> Self {
        fn renamed<T: Clone>(
            all: &BTreeMap<String, T>,
            new_name: impl Fn(&str) -> Option<String>,
        ) -> BTreeMap<String, T> {
            all.iter()
                .filter_map(|(name, item)| Some((new_name(name)?, item.clone())))
                .collect()
        }
        self.with_tensors(
            renamed(&self.tensors, &new_name),
            renamed(&self.opaque, &new_name),
        )
    }

    fn with_tensors(
        &self,
        tensors: BTreeMap<String, StoredTensor>,
        opaque: BTreeMap<String, String>,
    ) -> Self {
        let is_present = |network: &&Network| match network.name() {
            // A nameless network owns all tensors.
            "" => !tensors.is_empty(),
            name => {
                let prefix = format!("{name}.");
                let next = tensors.range(prefix.clone()..).next();
                next.is_some_and(|(name, _)| name.starts_with(&prefix))
            }
        };
        Self {
            path: self.path.clone(),
            format: self.format,
            networks: self.networks.iter().filter(is_present).cloned().collect(),
            tensors,
            opaque,
            not_understood: self.not_understood.clone(),
            metadata: self.metadata.clone(),
        }
    }
}

/// What lies under names with this prefix, without it.
fn below<T: Clone>(all: &BTreeMap<String, T>, prefix: &str) -> BTreeMap<String, T> {
    all.range(prefix.to_owned()..)
        .map_while(|(name, item)| Some((name.strip_prefix(prefix)?.to_owned(), item.clone())))
        .collect()
}

fn parse(format: Format, file: Arc<Vec<u8>>) -> Result<Flattened, Fault> {
    let mut heap = Heap::new(file.len());
    let root = match format {
        Format::Safetensors => return safetensors_file::read(&file),
        Format::NumpyArray => return numpy_file::read_array(&file),
        Format::NumpyArchive => return numpy_file::read_archive(&file),
        Format::TorchArchive | Format::TorchScript => archive::read(&file, &mut heap)?,
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
