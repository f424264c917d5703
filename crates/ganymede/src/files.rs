//! Files that jobs write.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;

/// Makes a folder for results, with those above it.
///
/// # Errors
///
/// The file system refuses.
pub fn make_folder(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(Error::io(
        folder,
        "the folder cannot be made; choose another",
    ))
}

/// Writes bytes.
///
/// # Errors
///
/// The file system refuses; the error names the path.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    std::fs::write(path, bytes).map_err(Error::io(path, "cannot be written"))
}

/// Writes a file under a name of this process, and gives it its own name when it is whole: other processes may be writing the same.
///
/// # Errors
///
/// That of `write`, or the file cannot be given its name.
pub fn write_whole<E: From<Error>>(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let mut own = path.as_os_str().to_owned();
    own.push(format!(".{}", std::process::id()));
    let own = Path::new(&own);
    write(own)?;
    std::fs::rename(own, path).map_err(Error::io(path, "cannot be written"))?;
    Ok(())
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
    /// Compared without case, as some file systems do. Without dots, what is written as `NAME.kind.png` is no other name's `NAME.png`.
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
