use std::path::Path;

use crate::CheckpointError;

/// What is wrong with a file's content, before the file's name is known.
#[derive(Debug)]
pub(crate) enum Fault {
    Malformed(String),
    UnknownConstructor {
        name: String,
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
}

impl Fault {
    pub(crate) fn at(self, path: &Path, format: &'static str) -> CheckpointError {
        let path = path.to_owned();
        match self {
            Self::Malformed(reason) => CheckpointError::Malformed {
                path,
                format,
                reason,
            },
            Self::UnknownConstructor { name, position } => CheckpointError::UnknownConstructor {
                path,
                name,
                position,
            },
            Self::Limit { what, found, limit } => CheckpointError::Limit {
                path,
                what,
                found,
                limit,
            },
            Self::Cyclic(place) => CheckpointError::Cyclic { path, place },
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
