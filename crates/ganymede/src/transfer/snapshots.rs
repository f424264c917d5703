//! Checkpoints of a run's measurements that were the best when they were made.

use std::path::{Path, PathBuf};

use crate::Error;

const NAME: &str = "best-";
const EXTENSION: &str = ".safetensors";

/// Those in the folder of a run.
pub(super) struct Snapshots<'a> {
    /// The run's folder.
    pub(super) folder: &'a Path,
}

impl Snapshots<'_> {
    /// The one after so many iterations.
    pub(super) fn file(&self, iteration: u64) -> PathBuf {
        self.folder.join(format!("{NAME}{iteration:06}{EXTENSION}"))
    }

    /// Removes those of other iterations.
    pub(super) fn keep(&self, keep: impl Fn(u64) -> bool) -> Result<(), Error> {
        let folder = self.folder;
        let unreadable = || Error::io(folder, "cannot be listed");
        for entry in std::fs::read_dir(folder).map_err(unreadable())? {
            let path = entry.map_err(unreadable())?.path();
            let iteration = path
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.strip_prefix(NAME)?.strip_suffix(EXTENSION))
                .and_then(|number| number.parse().ok());
            if iteration.is_some_and(|iteration| !keep(iteration)) {
                std::fs::remove_file(&path).map_err(Error::io(&path, "cannot be removed"))?;
            }
        }
        Ok(())
    }
}
