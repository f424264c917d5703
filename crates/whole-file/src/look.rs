use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::memory;

/// What is known of a regular file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Properties {
    /// In bytes.
    pub length: u64,
    /// When it was changed last, where the system says so. Times of files in [`memory`] only order these among each
    /// other.
    pub changed: Option<SystemTime>,
}

/// Length and last change of a file; links are followed.
///
/// # Errors
/// When the system refuses, or there is no such file.
pub fn properties(path: impl AsRef<Path>) -> Result<Properties, Error> {
    let path = path.as_ref();
    if memory::has(path) {
        let (length, changed) = memory::properties(path).ok_or(ErrorKind::NotFound)?;
        return Ok(Properties {
            length,
            changed: Some(changed),
        });
    }
    let metadata = std::fs::metadata(path)?;
    Ok(Properties {
        length: metadata.len(),
        changed: metadata.modified().ok(),
    })
}

/// Whether a path names a regular file; links are followed.
pub fn is_file(path: impl AsRef<Path>) -> bool {
    let path = path.as_ref();
    match memory::has(path) {
        true => memory::properties(path).is_some(),
        false => path.is_file(),
    }
}

/// Whether a path names a folder; links are followed.
pub fn is_folder(path: impl AsRef<Path>) -> bool {
    let path = path.as_ref();
    match memory::has(path) {
        true => memory::is_folder(path),
        false => path.is_dir(),
    }
}

/// Paths of what lies in a folder, sorted.
///
/// # Errors
/// When the system refuses, or there is no such folder.
pub fn list(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>, Error> {
    let folder = folder.as_ref();
    if memory::has(folder) {
        return memory::list(folder);
    }
    let entries = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<Result<Vec<PathBuf>, Error>>()?;
    paths.sort();
    Ok(paths)
}

/// The one name of what a path names, without links and the way back in it.
///
/// # Errors
/// When there is nothing of this name.
pub fn canonical(path: impl AsRef<Path>) -> Result<PathBuf, Error> {
    let path = path.as_ref();
    if !memory::has(path) {
        return std::fs::canonicalize(path);
    }
    match memory::is_folder(path) || memory::properties(path).is_some() {
        true => Ok(path.to_owned()),
        false => Err(ErrorKind::NotFound.into()),
    }
}

/// Makes a folder and those above it, where they are missing.
///
/// # Errors
/// When the system refuses.
pub fn make_folder(folder: impl AsRef<Path>) -> Result<(), Error> {
    let folder = folder.as_ref();
    match memory::has(folder) {
        // There as soon as something is in it.
        true => Ok(()),
        false => std::fs::create_dir_all(folder),
    }
}

/// Removes a file.
///
/// # Errors
/// When the system refuses, or there is no such file.
pub fn remove(path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    match memory::has(path) {
        true => memory::remove(path),
        false => std::fs::remove_file(path),
    }
}

/// Removes a folder with all that is in it.
///
/// # Errors
/// When the system refuses, or there is no such folder.
pub fn remove_folder(folder: impl AsRef<Path>) -> Result<(), Error> {
    let folder = folder.as_ref();
    match memory::has(folder) {
        true => memory::remove_folder(folder),
        false => std::fs::remove_dir_all(folder),
    }
}
