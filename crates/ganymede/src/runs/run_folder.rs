//! The folder of a run, which one process at a time has.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use ganymede::files;

use crate::Failure;

/// The checkpoint of a run, in its folder.
pub const CHECKPOINT: &str = "training.safetensors";
/// Losses and times of a run, in its folder.
pub const HISTORY: &str = "history.jsonl";

/// A file of a folder that one process at a time holds, until this is dropped; the operating system drops it with the process, however that ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Makes the folder where there is none and locks the file of this name in it; `None` where another process has it.
    pub fn of(folder: &Path, name: &str) -> Result<Option<Self>, Failure> {
        files::make_folder(folder)?;
        let path = folder.join(name);
        let file = whole_file::open_lock(&path)
            .map_err(|e| format!("{}: cannot be written ({e})", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => {
                Err(format!("{}: cannot be locked ({e})", path.display()).into())
            }
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
    pub fn open(path: &Path) -> Result<Self, Failure> {
        match Lock::of(path, ".lock")? {
            Some(lock) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            None => Err(format!(
                "another run uses the folder {}; wait for its end, or choose another with --out",
                path.display()
            )
            .into()),
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
