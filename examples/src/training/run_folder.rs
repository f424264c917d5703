//! The folder of a run, which one process at a time has.

use ganymede::files;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::Failure;

/// The folder of a run, which no other process uses meanwhile.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Locked until it is dropped; the operating system drops it with the process, however that ends.
    _lock: File,
}

impl RunFolder {
    /// Makes the folder where there is none and locks it.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        files::make_folder(path)?;
        let file = path.join(".lock");
        let lock = whole_file::open_lock(&file)
            .map_err(|e| format!("{}: cannot be written ({e})", file.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(format!(
                "another run uses the folder {}; wait for its end, or choose another with --out",
                path.display()
            )
            .into()),
            Err(TryLockError::Error(e)) => {
                Err(format!("{}: cannot be locked ({e})", file.display()).into())
            }
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The checkpoint of the run.
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join("training.safetensors")
    }

    /// Losses and times.
    pub fn history(&self) -> PathBuf {
        self.path.join("history.jsonl")
    }
}
