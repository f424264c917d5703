use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Cursor, Error, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::leftovers::partial_name;
use crate::memory;

/// Where the contents of a file go.
pub trait Output: Write + Seek {}

impl<T: Write + Seek> Output for T {}

/// Writes a file under another name beside it and gives it its own when it is whole, so that a kill or a full disk
/// leaves what was there before.
///
/// A file that is replaced keeps its permissions, a link stays a link to what is written, and what is no regular file
/// (`/dev/stdout`, a pipe) is written to as it is. The system may keep the bytes in memory for a while: after a power
/// cut, as opposed to a kill, the file may be the older one or damaged; see [`write_durably`].
///
/// # Errors
/// When the system refuses, or the file is there and read-only. What was at `path` is then as it was, unless it is no
/// regular file.
pub fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
    write_with(path, |out| out.write_all(bytes.as_ref()))
}

/// As [`write()`], for contents that are made while they are written.
///
/// # Errors
/// When the system refuses or `contents` does.
pub fn write_with<E: From<Error>>(
    path: impl AsRef<Path>,
    contents: impl FnOnce(&mut dyn Output) -> Result<(), E>,
) -> Result<(), E> {
    replace(path.as_ref(), false, contents)
}

/// As [`write_with`], and the disk has the bytes and the name before it returns: for what hours of work go on from.
///
/// # Errors
/// As [`write_with`].
pub fn write_durably<E: From<Error>>(
    path: impl AsRef<Path>,
    contents: impl FnOnce(&mut dyn Output) -> Result<(), E>,
) -> Result<(), E> {
    replace(path.as_ref(), true, contents)
}

fn replace<E: From<Error>>(
    path: &Path,
    durable: bool,
    contents: impl FnOnce(&mut dyn Output) -> Result<(), E>,
) -> Result<(), E> {
    if memory::has(path) {
        let mut out = Cursor::new(Vec::new());
        contents(&mut out)?;
        memory::put(path, out.into_inner());
        return Ok(());
    }
    let target = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {
            // Replacing asks for the folder's permission only, and the file's own says no.
            if metadata.permissions().readonly() {
                return Err(Error::from(std::io::ErrorKind::PermissionDenied).into());
            }
            std::fs::canonicalize(path)?
        }
        Ok(metadata) if metadata.is_dir() => {
            return Err(Error::from(std::io::ErrorKind::IsADirectory).into());
        }
        Ok(_) => {
            let file = OpenOptions::new().write(true).open(path)?;
            let mut out = BufWriter::new(&file);
            contents(&mut out)?;
            return Ok(out.flush()?);
        }
        Err(_) => path.to_owned(),
    };
    let partial = partial_path(&target);
    let written = write_partial(&partial, &target, durable, contents);
    if written.is_err() {
        // The reason for the failure is of more use than that of a second one.
        let _ = std::fs::remove_file(&partial);
    }
    written
}

fn write_partial<E: From<Error>>(
    partial: &Path,
    target: &Path,
    durable: bool,
    contents: impl FnOnce(&mut dyn Output) -> Result<(), E>,
) -> Result<(), E> {
    let file = File::create(partial)?;
    // Whoever clears up can tell by the lock that somebody still writes. Not all file systems have locks, and a file is
    // as good without.
    let _ = file.try_lock();
    if let Ok(metadata) = std::fs::metadata(target) {
        file.set_permissions(metadata.permissions())?;
    }
    let mut out = BufWriter::new(&file);
    contents(&mut out)?;
    out.flush()?;
    if durable {
        file.sync_all()?;
    }
    std::fs::rename(partial, target)?;
    if durable {
        sync_folder_of(target);
    }
    Ok(())
}

/// Makes the new name outlast a power cut.
///
/// Some systems and file systems cannot open or synchronize a folder. The file under either name is whole, so that is
/// no error.
fn sync_folder_of(path: &Path) {
    if let Ok(folder) = File::open(folder_of(path)) {
        let _ = folder.sync_all();
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A name beside `path` that no other process or thread uses.
fn partial_path(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(partial_name(name, std::process::id(), count))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_that_is_half_written_leaves_the_one_that_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        write(&path, "good").unwrap();
        for writer in [true, false] {
            let half = |out: &mut dyn Output| {
                out.write_all(&[7; 100_000])?;
                // While it is written, the name still belongs to the old one.
                assert_eq!(std::fs::read(&path).unwrap(), b"good");
                Err(Error::other("the encoder refused"))
            };
            let error = replace(&path, writer, half).unwrap_err();
            assert_eq!(error.to_string(), "the encoder refused");
            assert_eq!(std::fs::read(&path).unwrap(), b"good");
            assert_eq!(names(folder.path()), ["a.png"]);
        }
        write_durably(&path, |out| out.write_all(b"better")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"better");
    }

    #[test]
    fn names_may_be_as_long_as_the_file_system_allows() {
        let folder = tempfile::tempdir().unwrap();
        // 255 bytes, of which the last character has three.
        let path = folder.path().join(format!("{}\u{20ac}", "n".repeat(252)));
        write(&path, "x").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
    }

    #[test]
    fn folders_stay_and_missing_ones_are_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        assert!(write(&inner, "x").is_err());
        assert!(write(folder.path().join("none/a"), "x").is_err());
        assert_eq!(names(folder.path()), ["inner"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_permissions_and_devices_are_kept() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        write(&link, "new").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);

        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o440)).unwrap();
        assert!(write(&file, "newer").is_err());

        write("/dev/null", "gone").unwrap();
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    }
}
