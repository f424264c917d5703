use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder for files that are gone when the work is done.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new one in a folder.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn new(parent: &Path) -> Result<Self, std::io::Error> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(number.to_string());
        whole_file::make_folder(&folder)?;
        Ok(Self(folder))
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed goes with the folder around it.
        let _ = whole_file::remove_folder(&self.0);
    }
}
