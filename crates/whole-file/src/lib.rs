//! Read regular files only, up to a limit; write files whole or not at all, know whether their content has changed, and
//! clear up what killed programs left. Files may also be in [`memory`], where there is no file system.
//!
//! Errors are [`std::io::Error`]s without the file's name, which the caller's error has anyway.
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("results.json");
//! whole_file::write(&path, b"{}")?;
//! assert_eq!(whole_file::read(&path, 1 << 20)?, b"{}");
//! // Longer than the limit.
//! assert!(whole_file::read(&path, 1).is_err());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Feature flags
//!
//! This crate has none.

mod content_digest;
mod leftovers;
mod look;
pub mod memory;
mod read;
mod write;

pub use content_digest::{CONTENT_SHA256, content_sha256};
pub use leftovers::remove_leftovers;
pub use look::{
    Properties, canonical, is_file, is_folder, list, make_folder, properties, remove, remove_folder,
};
pub use read::{
    OpenFile, open, open_lock, open_regular, read, read_standard_input, read_to_string,
};
pub use write::{Output, write, write_durably, write_with};
