use std::path::PathBuf;

/// Why something could not be copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text is neither a folder nor the URL of a store.
    #[error(
        "{found}: {problem}; expected a folder, or a URL such as s3://BUCKET/PREFIX in a build with --features s3"
    )]
    Place {
        /// The text, without what may be a credential.
        found: String,
        /// Why it is none.
        problem: String,
    },
    /// A place that something should come from has nothing.
    #[error("{place}: nothing lies below this place")]
    Empty {
        /// Where.
        place: String,
    },
    /// An object's name cannot be a file's below a folder, or the reverse.
    #[error("{name}: a part of this name can be no name both of a file and in a store; rename it")]
    Name {
        /// The name, in which everything but printable ASCII is escaped.
        name: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {action} ({source})")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What cannot be done.
        action: &'static str,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The store refuses.
    #[error("{place}: {source}")]
    Store {
        /// Where.
        place: String,
        /// The store's reason.
        source: object_store::Error,
    },
    /// An object or a file changed while it was read.
    #[error("{name}: {found} bytes came, expected {expected}; copy it again")]
    Length {
        /// The object or file.
        name: String,
        /// How many came.
        found: u64,
        /// How many were announced.
        expected: u64,
    },
}

impl Error {
    pub(crate) fn io(
        path: impl Into<PathBuf>,
        action: &'static str,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            path,
            action,
            source,
        }
    }

    pub(crate) fn store(place: impl std::fmt::Display) -> impl FnOnce(object_store::Error) -> Self {
        let place = place.to_string();
        move |source| Self::Store { place, source }
    }
}
