use std::fs::{File, FileType, Metadata};
use std::io::{Cursor, Error, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use crate::memory;

/// A regular file that is open for reading, of the file system or in [`memory`].
#[derive(Debug)]
pub struct OpenFile(Place);

#[derive(Debug)]
enum Place {
    System(File),
    Memory(Cursor<Bytes>),
}

/// Shared bytes as a cursor takes them.
#[derive(Debug)]
struct Bytes(Arc<Vec<u8>>);

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl OpenFile {
    /// Its length in bytes.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn length(&self) -> Result<u64, Error> {
        match &self.0 {
            Place::System(file) => Ok(file.metadata()?.len()),
            Place::Memory(bytes) => Ok(bytes.get_ref().0.len() as u64),
        }
    }
}

impl Read for OpenFile {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        match &mut self.0 {
            Place::System(file) => file.read(buffer),
            Place::Memory(bytes) => bytes.read(buffer),
        }
    }
}

impl Seek for OpenFile {
    fn seek(&mut self, position: SeekFrom) -> Result<u64, Error> {
        match &mut self.0 {
            Place::System(file) => file.seek(position),
            Place::Memory(bytes) => bytes.seek(position),
        }
    }
}

/// As [`open_regular`], for files in [`memory`] too.
///
/// # Errors
/// As [`open_regular`].
pub fn open(path: impl AsRef<Path>) -> Result<OpenFile, Error> {
    let path = path.as_ref();
    Ok(OpenFile(match memory::has(path) {
        true => Place::Memory(Cursor::new(Bytes(memory::get(path)?))),
        false => Place::System(open_regular(path)?),
    }))
}

/// Opens a file of the file system for reading if it is a regular one; links are followed.
///
/// A pipe would wait for a writer that may never come, and some devices have no end.
///
/// # Errors
/// When the system refuses, or the path names a folder, a pipe, a socket or a device, which the message says.
pub fn open_regular(path: impl AsRef<Path>) -> Result<File, Error> {
    let path = path.as_ref();
    // Before it is opened, since opening a pipe is what waits; and again, since it may have been replaced in between.
    require_regular(&std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    require_regular(&file.metadata()?)?;
    Ok(file)
}

/// Opens a file that processes lock to exclude each other, and makes it where there is none; its content does not
/// matter and is lost.
///
/// # Errors
/// As [`open_regular`].
pub fn open_lock(path: impl AsRef<Path>) -> Result<File, Error> {
    let path = path.as_ref();
    if let Ok(found) = std::fs::metadata(path) {
        require_regular(&found)?;
    }
    File::create(path)
}

/// The bytes of a regular file of at most `max_bytes`.
///
/// # Errors
/// As [`open_regular`], and when the file is longer.
pub fn read(path: impl AsRef<Path>, max_bytes: u64) -> Result<Vec<u8>, Error> {
    let file = open(path)?;
    let length = file.length()?;
    if length > max_bytes {
        return Err(too_long(max_bytes));
    }
    read_limited(file, length, max_bytes)
}

/// The text of a regular file of at most `max_bytes`, in UTF-8.
///
/// # Errors
/// As [`read`], and when the bytes are no UTF-8.
pub fn read_to_string(path: impl AsRef<Path>, max_bytes: u64) -> Result<String, Error> {
    String::from_utf8(read(path, max_bytes)?).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        Error::new(
            ErrorKind::InvalidData,
            format!("it is no text in UTF-8: byte {place} does not belong to any"),
        )
    })
}

/// What standard input has, up to `max_bytes`.
///
/// # Errors
/// When it cannot be read, or has more.
pub fn read_standard_input(max_bytes: u64) -> Result<Vec<u8>, Error> {
    read_limited(std::io::stdin().lock(), 0, max_bytes)
}

fn read_limited(source: impl Read, expected: u64, max_bytes: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    // A file of zeros that takes no room on the disk may be longer than any memory.
    bytes
        .try_reserve_exact(usize::try_from(expected).unwrap_or(usize::MAX))
        .map_err(|_| {
            Error::new(
                ErrorKind::OutOfMemory,
                format!("there is no memory for its {expected} bytes"),
            )
        })?;
    // One byte over the limit tells what is too long from what has just that length.
    source
        .take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(too_long(max_bytes));
    }
    Ok(bytes)
}

fn too_long(max_bytes: u64) -> Error {
    Error::new(
        ErrorKind::FileTooLarge,
        format!("it has more than {max_bytes} bytes, the limit"),
    )
}

fn require_regular(metadata: &Metadata) -> Result<(), Error> {
    if metadata.is_file() {
        return Ok(());
    }
    let found = kind(metadata.file_type());
    let error = if metadata.is_dir() {
        ErrorKind::IsADirectory
    } else {
        ErrorKind::InvalidInput
    };
    Err(Error::new(
        error,
        format!("it is {found}, not a regular file"),
    ))
}

/// What a path names that is no regular file.
fn kind(file_type: FileType) -> &'static str {
    if file_type.is_dir() {
        return "a folder";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if file_type.is_fifo() {
            return "a named pipe";
        }
        if file_type.is_socket() {
            return "a socket";
        }
        if file_type.is_char_device() || file_type.is_block_device() {
            return "a device";
        }
    }
    "something else"
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_the_longest_length_that_passes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(read_to_string(&path, 4).unwrap(), "four");
        let error = read(&path, 3).unwrap_err();
        assert!(error.to_string().contains("3 bytes"), "{error}");
        // A source whose length is not known before it ends.
        assert_eq!(read_limited(&b"four"[..], 0, 4).unwrap(), b"four");
        assert!(read_limited(&b"four"[..], 0, 3).is_err());
        std::fs::write(&path, b"a\xFF").unwrap();
        let error = read_to_string(&path, 4).unwrap_err();
        assert!(error.to_string().contains("byte 1"), "{error}");
    }

    #[test]
    fn folders_are_named_and_missing_files_are_not_found() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path(), 9).unwrap_err();
        assert!(error.to_string().contains("a folder"), "{error}");
        let error = read(folder.path().join("nothing"), 9).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn pipes_and_devices_are_refused_at_once() {
        use std::os::unix::ffi::OsStrExt;

        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let name = std::ffi::CString::new(pipe.as_os_str().as_bytes()).unwrap();
        // SAFETY: the name is a string that ends in a zero and lives until the call is over.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let error = read(&pipe, 9).unwrap_err();
        assert!(error.to_string().contains("a named pipe"), "{error}");
        let error = open_lock(&pipe).unwrap_err();
        assert!(error.to_string().contains("a named pipe"), "{error}");
        let lock = folder.path().join("lock");
        drop(open_lock(&lock).unwrap());
        open_lock(&lock).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        let error = read(&link, 9).unwrap_err();
        assert!(error.to_string().contains("a device"), "{error}");
    }
}
