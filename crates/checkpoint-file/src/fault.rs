use std::path::Path;

use crate::CheckpointError;

/// What is wrong with a file's content, before the file's name is known.
#[derive(Debug)]
pub(crate) enum Fault {
    Malformed(String),
    UnknownConstructor {
        name: String,
        function: Option<String>,
        position: usize,
    },
    Limit {
        what: &'static str,
        found: u64,
        limit: u64,
    },
    Cyclic(String),
    InvalidTensor {
        tensor: String,
        reason: String,
    },
    /// The content is not what its own record says.
    Digest {
        recorded: String,
        found: String,
    },
}

impl Fault {
    /// A fault of a stream that is decoded at a byte of the file: offsets in its text count from the stream's own
    /// start.
    pub(crate) fn within(self, position: usize) -> Self {
        match self {
            Self::Malformed(reason) => Self::Malformed(format!(
                "in the torch.save stream that byte {position} decodes: {reason}"
            )),
            other => other,
        }
    }

    pub(crate) fn at(self, path: &Path, format: &'static str) -> CheckpointError {
        let path = path.to_owned();
        match self {
            Self::Malformed(reason) => CheckpointError::Malformed {
                path,
                format,
                reason,
            },
            Self::UnknownConstructor {
                name,
                function,
                position,
            } => CheckpointError::UnknownConstructor {
                path,
                name,
                function,
                position,
            },
            Self::Limit { what, found, limit } => CheckpointError::Limit {
                path,
                what,
                found,
                limit,
            },
            Self::Cyclic(place) => CheckpointError::Cyclic { path, place },
            Self::Digest { recorded, found } => CheckpointError::Changed {
                path,
                recorded,
                found,
            },
            Self::InvalidTensor { tensor, reason } => CheckpointError::InvalidTensor {
                path,
                tensor,
                reason,
            },
        }
    }
}

/// A [`Fault::Malformed`] from format arguments.
macro_rules! malformed {
    ($($argument:tt)*) => {
        $crate::fault::Fault::Malformed(format!($($argument)*))
    };
}
pub(crate) use malformed;
