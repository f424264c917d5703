use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Error;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::memory;

/// The ending of files that are being written.
const PARTIAL: &str = ".partial";
/// Longest part of a name that stands before the rest: most file systems allow 255 bytes, and the rest has up to 50.
const KEPT_BYTES: usize = 200;
/// An empty file may have been made a moment ago and not be locked yet.
const EMPTY_FOR: Duration = Duration::from_secs(60);

/// `NAME.PROCESS-COUNT.partial`, with a long name cut.
pub(crate) fn partial_name(name: &OsStr, process: u32, count: u64) -> OsString {
    let mut kept = name.to_owned();
    if kept.len() > KEPT_BYTES {
        let text = name.to_string_lossy();
        kept = text[..text.floor_char_boundary(KEPT_BYTES)].into();
    }
    kept.push(format!(".{process}-{count}{PARTIAL}"));
    kept
}

/// Whether a name is one of [`partial_name`]. A user's own file that only ends alike stays.
fn is_partial(name: &OsStr) -> bool {
    let numbers = name
        .to_str()
        .and_then(|name| name.strip_suffix(PARTIAL)?.rsplit_once('.'))
        .and_then(|(_, numbers)| numbers.split_once('-'));
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    numbers.is_some_and(|(process, count)| number(process) && number(count))
}

/// Removes what writing left in a folder (not in those below) when its program was killed, and returns how many files
/// that were.
///
/// A file that is still being written is locked, so that programs may share a folder; so are one that another user
/// owns, and one whose lock cannot be asked for, left alone.
///
/// # Errors
/// When the folder cannot be read.
pub fn remove_leftovers(folder: impl AsRef<Path>) -> Result<usize, Error> {
    let folder = folder.as_ref();
    let mut removed = 0;
    // Nothing is half written in memory.
    if memory::has(folder) {
        return Ok(removed);
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if is_partial(&entry.file_name())
            && entry.file_type()?.is_file()
            && is_abandoned(&entry.path())
            && std::fs::remove_file(entry.path()).is_ok()
        {
            removed += 1;
        }
    }
    Ok(removed)
}

fn is_abandoned(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    let Ok(metadata) = file.metadata() else {
        return false;
    };
    let age = metadata
        .modified()
        .ok()
        .and_then(|modified| SystemTime::now().duration_since(modified).ok());
    if metadata.len() == 0 && age.is_none_or(|age| age < EMPTY_FOR) {
        return false;
    }
    file.try_lock().is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognized() {
        assert!(is_partial(&partial_name(OsStr::new("a.b.png"), 7, 0)));
        let long = partial_name(OsStr::new(&"\u{20ac}".repeat(85)), u32::MAX, u64::MAX);
        assert!(is_partial(&long) && long.len() <= 255, "{long:?}");
        for own in ["a.partial", "a.7.partial", "a.7-.partial", "a.7-x.partial"] {
            assert!(!is_partial(OsStr::new(own)), "{own}");
        }
    }

    #[test]
    fn only_what_nobody_writes_any_more_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["a.png.1-2.partial", "notes.partial", "a.png"] {
            std::fs::write(path(name), "x").unwrap();
        }
        std::fs::write(path("new.3-4.partial"), "").unwrap();
        crate::write_with(path("b.png"), |out| {
            out.write_all(&[1; 100_000])?;
            assert_eq!(remove_leftovers(folder.path())?, 1);
            Ok::<(), Error>(())
        })
        .unwrap();
        assert!(!path("a.png.1-2.partial").exists());
        for name in ["notes.partial", "a.png", "new.3-4.partial", "b.png"] {
            assert!(path(name).exists(), "{name}");
        }
        let long_ago = SystemTime::now() - 2 * EMPTY_FOR;
        let empty = File::options()
            .append(true)
            .open(path("new.3-4.partial"))
            .unwrap();
        empty.set_modified(long_ago).unwrap();
        drop(empty);
        assert_eq!(remove_leftovers(folder.path()).unwrap(), 1);
    }
}
