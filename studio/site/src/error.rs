use std::path::{Path, PathBuf};

/// Why there is no site.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// Of what.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Compiling failed, and has said why.
    #[error(
        "the program for the browser could not be compiled; it needs the target, `rustup target add wasm32-unknown-unknown`"
    )]
    Compile,
    /// The folder is somebody's.
    #[error("{}: this folder has no start.packed, so that it is no site, and is left alone; choose another with --out", path.display())]
    NotASite {
        /// Which.
        path: PathBuf,
    },
}

impl Error {
    /// For what the file system says of a path.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    /// For what else is wrong with a path.
    pub fn other(path: &Path, reason: impl ToString) -> Self {
        Self::File {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}
