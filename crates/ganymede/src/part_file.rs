//! Files that units of work write, for work that is divided among many processes.
//!
//! A file is named after its content, so that a unit that is run twice writes the same file again, and says what it is
//! made of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use checkpoint_file::{Checkpoint, StoredTensor, safetensors_metadata, save_safetensors};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, files};

/// How the name of a part's file ends; what stands before it is a part of the SHA-256 of its content.
pub const PART_SUFFIX: &str = ".part.safetensors";

/// Metadata keys: what the file is, and what it is made of.
const KIND_KEY: &str = "kind";
const RECORD_KEY: &str = "part";

/// Digits of a part's digest in its name: enough that no two of many thousands have the same.
const NAME_DIGITS: usize = 32;

/// What a part is made of.
pub(crate) trait PartRecord: Serialize + DeserializeOwned {
    /// What such a file is called, in it and in messages.
    const KIND: &'static str;
    /// The command that writes such files, for messages.
    const WRITTEN_BY: &'static str;
}

/// A part whose file was read.
pub(crate) struct PartFile<R> {
    pub record: R,
    file: Checkpoint,
}

impl<R: PartRecord> PartFile<R> {
    /// Reads and checks a file that [`save`] wrote.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = Checkpoint::open(path)?;
        let record = record_in(path, file.metadata())?;
        Ok(Self { record, file })
    }

    /// What a part is made of, without its tensors, of which nothing is read or checked.
    pub fn record_of(path: &Path) -> Result<R, Error> {
        record_in(path, &safetensors_metadata(path)?)
    }

    pub fn path(&self) -> &Path {
        self.file.path()
    }

    pub fn tensor(&self, name: &str) -> Option<&StoredTensor> {
        self.file.tensors().get(name)
    }
}

fn record_in<R: PartRecord>(path: &Path, metadata: &BTreeMap<String, String>) -> Result<R, Error> {
    match (metadata.get(KIND_KEY), metadata.get(RECORD_KEY)) {
        (Some(kind), Some(record)) if kind == R::KIND => serde_json::from_str(record)
            .map_err(|e| malformed(path, format!("what it is made of cannot be read ({e})"))),
        _ => Err(malformed(
            path,
            format!(
                "not a {}; name the files that `{}` wrote",
                R::KIND,
                R::WRITTEN_BY
            ),
        )),
    }
}

/// Writes a part into a folder, under a name that follows from its content: made twice, it is the same file.
pub(crate) fn save<R: PartRecord>(
    folder: &Path,
    record: &R,
    tensors: &BTreeMap<String, StoredTensor>,
) -> Result<PathBuf, Error> {
    let metadata = BTreeMap::from([
        (KIND_KEY.to_owned(), R::KIND.to_owned()),
        (RECORD_KEY.to_owned(), serde_json::to_string(record)?),
    ]);
    let arrays = tensors.iter().map(|(name, tensor)| {
        let dtype = tensor.dtype().safetensors_name();
        (&**name, dtype, tensor.shape(), tensor.bytes())
    });
    let digest = whole_file::content_sha256(&metadata, arrays);
    let path = folder.join(format!("{}{PART_SUFFIX}", &digest[..NAME_DIGITS]));
    files::make_folder(folder)?;
    save_safetensors(&path, tensors, &metadata, None)?;
    Ok(path)
}

/// The files that are named, and those of parts in the folders that are named, each once and by name.
pub(crate) fn files_of(paths: &[PathBuf]) -> Result<BTreeSet<PathBuf>, Error> {
    let mut files = BTreeSet::new();
    for path in paths {
        if !path.is_dir() {
            files.insert(path.clone());
            continue;
        }
        let unreadable = || Error::io(path, "the folder of parts cannot be read");
        for entry in std::fs::read_dir(path).map_err(unreadable())? {
            let entry = entry.map_err(unreadable())?.path();
            let name = entry.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| name.ends_with(PART_SUFFIX)) {
                files.insert(entry);
            }
        }
    }
    Ok(files)
}

/// A part whose content is not what its record says.
pub(crate) fn malformed(path: &Path, problem: impl Into<String>) -> Error {
    Error::File {
        path: path.to_owned(),
        problem: problem.into(),
    }
}

/// Two parts that cannot become one result, and in what they differ.
pub(crate) fn differs(
    path: &Path,
    other: &Path,
    what: &str,
    found: &impl Serialize,
    expected: &impl Serialize,
) -> Error {
    let shown =
        |value: Result<String, _>| value.unwrap_or_else(|e: serde_json::Error| e.to_string());
    malformed(
        path,
        format!(
            "{what} {}, but {} is {what} {}; merge parts that were made alike",
            shown(serde_json::to_string(found)),
            other.display(),
            shown(serde_json::to_string(expected))
        ),
    )
}
