//! The folder of a run, which one process at a time has.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::{Error, files};

/// The checkpoint of a run, in its folder.
pub const CHECKPOINT: &str = "training.safetensors";
/// Losses and times of a run, in its folder.
pub const HISTORY: &str = "history.jsonl";

/// A file of a folder that one process at a time holds, until this is dropped; the operating system drops it with the
/// process, however that ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Makes the folder where there is none and locks the file of this name in it; `None` where another process has it.
    ///
    /// # Errors
    ///
    /// The file system refuses.
    pub fn of(folder: &Path, name: &str) -> Result<Option<Self>, Error> {
        files::make_folder(folder)?;
        let path = folder.join(name);
        let file = whole_file::open_lock(&path).map_err(Error::io(&path, "cannot be written"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(Error::io(&path, "cannot be locked")(e)),
        }
    }
}

/// The folder of a run, which no other process uses meanwhile.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    _lock: Lock,
}

impl RunFolder {
    /// Makes the folder where there is none and locks it.
    ///
    /// # Errors
    ///
    /// [`Error::RunInUse`]: another process has it. The file system refuses.
    pub fn open(path: &Path) -> Result<Self, Error> {
        match Lock::of(path, ".lock")? {
            Some(lock) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            None => Err(Error::RunInUse {
                folder: path.to_owned(),
            }),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The checkpoint of the run.
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join(CHECKPOINT)
    }

    /// Losses and times.
    pub fn history(&self) -> PathBuf {
        self.path.join(HISTORY)
    }
}
