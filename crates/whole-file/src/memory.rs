//! Files in the process's own memory, for programs that have no file system, such as a page in a browser.
//!
//! Every path below [`ROOT`] names one of them, and the functions of this crate answer for it as they do for other
//! paths: what reads and writes files with them need not know where they are. Folders are there as long as something is
//! in them.
//!
//! A file can be [offered](offer) before its bytes are here. Reading it then fails, and [`wanted`] says what was asked
//! for, so that a program can fetch that and try again.
//!
//! ```
//! use whole_file::memory;
//!
//! memory::offer("memory:/models/large.bin", 5);
//! assert!(whole_file::is_file("memory:/models/large.bin"));
//! assert!(whole_file::read("memory:/models/large.bin", 1 << 20).is_err());
//! for path in memory::wanted() {
//!     memory::put(path, b"bytes".to_vec());
//! }
//! assert_eq!(whole_file::read("memory:/models/large.bin", 1 << 20)?, b"bytes");
//! # Ok::<(), std::io::Error>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// The first component of paths in memory.
pub const ROOT: &str = "memory:";

/// Whether a path names something in memory, be it there or not.
pub fn has(path: impl AsRef<Path>) -> bool {
    path.as_ref().starts_with(ROOT)
}

#[derive(Default)]
struct Files {
    files: BTreeMap<PathBuf, Kept>,
    wanted: BTreeSet<PathBuf>,
    /// Changes so far, which stand for time.
    changes: u64,
}

struct Kept {
    /// None for a file that is only offered.
    bytes: Option<Arc<Vec<u8>>>,
    length: u64,
    changed: u64,
}

static FILES: Mutex<Files> = Mutex::new(Files {
    files: BTreeMap::new(),
    wanted: BTreeSet::new(),
    changes: 0,
});

fn lock() -> MutexGuard<'static, Files> {
    // Nothing panics between two states of it that fit together.
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that there is a file of so many bytes, which are not here yet. One that is here stays.
pub fn offer(path: impl AsRef<Path>, length: u64) {
    let mut files = lock();
    files.changes += 1;
    let kept = Kept {
        bytes: None,
        length,
        changed: files.changes,
    };
    files.files.entry(path.as_ref().to_owned()).or_insert(kept);
}

/// Puts a file there, or its bytes where it was offered.
pub fn put(path: impl AsRef<Path>, bytes: Vec<u8>) {
    let path = path.as_ref();
    let mut files = lock();
    files.wanted.remove(path);
    files.changes += 1;
    // What was offered has not changed by being here.
    let offered = files.files.get(path).filter(|kept| kept.bytes.is_none());
    let changed = offered.map_or(files.changes, |kept| kept.changed);
    let kept = Kept {
        length: bytes.len() as u64,
        bytes: Some(Arc::new(bytes)),
        changed,
    };
    files.files.insert(path.to_owned(), kept);
}

/// The offered files that were read without being here, since this was asked last; sorted.
pub fn wanted() -> Vec<PathBuf> {
    std::mem::take(&mut lock().wanted).into_iter().collect()
}

pub(crate) fn get(path: &Path) -> Result<Arc<Vec<u8>>, Error> {
    let mut files = lock();
    let Some(kept) = files.files.get(path) else {
        return Err(match is_folder_in(&files, path) {
            true => Error::new(
                ErrorKind::IsADirectory,
                "it is a folder, not a regular file",
            ),
            false => Error::from(ErrorKind::NotFound),
        });
    };
    match &kept.bytes {
        Some(bytes) => Ok(Arc::clone(bytes)),
        None => {
            files.wanted.insert(path.to_owned());
            Err(Error::new(
                ErrorKind::WouldBlock,
                "it has not been fetched yet",
            ))
        }
    }
}

pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    let mut files = lock();
    files.wanted.remove(path);
    let removed = files.files.remove(path);
    removed.map(drop).ok_or(ErrorKind::NotFound.into())
}

pub(crate) fn remove_folder(folder: &Path) -> Result<(), Error> {
    let mut files = lock();
    if !is_folder_in(&files, folder) {
        return Err(ErrorKind::NotFound.into());
    }
    files.files.retain(|path, _| !path.starts_with(folder));
    files.wanted.retain(|path| !path.starts_with(folder));
    Ok(())
}

/// Length, and when it was changed: seconds that only order the files in memory.
pub(crate) fn properties(path: &Path) -> Option<(u64, SystemTime)> {
    let files = lock();
    let kept = files.files.get(path)?;
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(kept.changed);
    Some((kept.length, changed))
}

pub(crate) fn is_folder(path: &Path) -> bool {
    is_folder_in(&lock(), path)
}

fn is_folder_in(files: &Files, path: &Path) -> bool {
    path == Path::new(ROOT) || below(files, path).next().is_some()
}

/// What lies directly in a folder, sorted.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let files = lock();
    if !is_folder_in(&files, folder) {
        return Err(ErrorKind::NotFound.into());
    }
    let names: BTreeSet<PathBuf> = below(&files, folder)
        .filter_map(|path| path.strip_prefix(folder).ok()?.components().next())
        .map(|name| folder.join(name))
        .collect();
    Ok(names.into_iter().collect())
}

/// Files in a folder and in those below it. Paths are ordered by their components, so that they lie together.
fn below<'a>(files: &'a Files, folder: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
    files
        .files
        .range(folder.to_owned()..)
        .map(|(path, _)| path)
        .take_while(move |path| path.starts_with(folder))
        .filter(move |path| *path != folder)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use std::io::{Read, Seek, SeekFrom};

    use super::*;

    #[test]
    fn what_is_written_is_read_listed_and_removed() {
        let folder = Path::new("memory:/written");
        let path = folder.join("inner/a.txt");
        crate::write_with(&path, |out| out.write_all(b"four")).unwrap();
        assert_eq!(crate::read_to_string(&path, 4).unwrap(), "four");
        let error = crate::read(&path, 3).unwrap_err();
        assert!(error.to_string().contains("3 bytes"), "{error}");
        let mut opened = crate::open(&path).unwrap();
        assert_eq!(opened.length().unwrap(), 4);
        opened.seek(SeekFrom::Start(2)).unwrap();
        let mut rest = String::new();
        opened.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "ur");
        put(folder.join("b"), Vec::new());
        // The name of one folder begins like that of another.
        put("memory:/written-too/c", Vec::new());
        let inside = [folder.join("b"), folder.join("inner")];
        assert_eq!(crate::list(folder).unwrap(), inside);
        assert!(crate::is_folder(folder) && !crate::is_file(folder));
        assert_eq!(
            crate::read(folder, 9).unwrap_err().kind(),
            ErrorKind::IsADirectory
        );
        crate::remove(&path).unwrap();
        assert!(!crate::is_file(&path) && !crate::is_folder(folder.join("inner")));
        crate::remove_folder(folder).unwrap();
        assert!(!crate::is_folder(folder) && crate::is_file("memory:/written-too/c"));
        assert_eq!(
            crate::remove(&path).unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }

    #[test]
    fn a_failed_write_leaves_what_was_there() {
        let path = Path::new("memory:/half");
        crate::write(path, "good").unwrap();
        let half = |out: &mut dyn crate::Output| {
            out.write_all(b"ba")?;
            Err(Error::other("the encoder refused"))
        };
        assert!(crate::write_with(path, half).is_err());
        assert_eq!(crate::read(path, 9).unwrap(), b"good");
    }

    #[test]
    fn what_is_offered_is_wanted_once_it_is_read() {
        let path = Path::new("memory:/offered/later.bin");
        offer(path, 5);
        assert_eq!(crate::properties(path).unwrap().length, 5);
        crate::write("memory:/offered/after", "").unwrap();
        let error = crate::read(path, 9).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        // Other tests want nothing.
        assert_eq!(wanted(), [path]);
        assert!(wanted().is_empty());
        put(path, b"bytes".to_vec());
        offer(path, 9);
        assert_eq!(crate::read(path, 9).unwrap(), b"bytes");
        let changed = |path: &str| crate::properties(path).unwrap().changed.unwrap();
        assert!(changed("memory:/offered/later.bin") < changed("memory:/offered/after"));
    }
}
