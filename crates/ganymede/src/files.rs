//! Files that jobs write.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;

/// Makes a folder for results, with those above it, and clears up what writing left there when a program was killed.
///
/// # Errors
///
/// The file system refuses.
pub fn make_folder(folder: &Path) -> Result<(), Error> {
    whole_file::make_folder(folder).map_err(Error::io(
        folder,
        "the folder cannot be made; choose another",
    ))?;
    // What cannot be listed or removed is in nobody's way.
    let _ = whole_file::remove_leftovers(folder);
    Ok(())
}

/// Writes bytes beside the file and gives them its name when they are whole; see [`whole_file::write`].
///
/// # Errors
///
/// The file system refuses; the error names the path.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    whole_file::write(path, bytes).map_err(Error::io(path, "cannot be written"))
}

/// Writes a value as JSON that people can read too.
///
/// # Errors
///
/// The file system refuses, or JSON cannot hold the value.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    write(path, text.as_bytes())
}

/// Longest text that is read.
const MAX_TEXT_BYTES: u64 = 1 << 30;

/// The text of a regular file.
///
/// # Errors
///
/// It cannot be read, is no regular file or no text; the error names the path.
pub fn read_text(path: &Path) -> Result<String, Error> {
    whole_file::read_to_string(path, MAX_TEXT_BYTES).map_err(Error::io(path, "cannot be read"))
}

/// A path as results name it; one that is no valid Unicode is shown as far as it goes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ShownPath(pub PathBuf);

impl AsRef<Path> for ShownPath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Serialize for ShownPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.display())
    }
}

/// Gives each file of a run a name of its own.
#[derive(Debug, Default)]
pub struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// `wanted`, or with `-2`, `-3`, ... behind it where that is taken; dots become dashes.
    ///
    /// Compared without case, as some file systems do. Without dots, what is written as `NAME.kind.png` is no other
    /// name's `NAME.png`.
    pub fn unique(&mut self, wanted: &str) -> String {
        let wanted = wanted.replace('.', "-");
        let mut name = wanted.clone();
        let mut count = 1;
        while !self.taken.insert(name.to_lowercase()) {
            count += 1;
            name = format!("{wanted}-{count}");
        }
        name
    }
}

/// `folder/name.suffix`.
pub fn file(folder: &Path, name: &str, suffix: &str) -> PathBuf {
    folder.join(format!("{name}.{suffix}"))
}
