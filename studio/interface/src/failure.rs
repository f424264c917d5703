use std::fmt;

use ganymede::Error;

/// Why a request got no result.
#[derive(Debug)]
pub struct Failure {
    /// Whose fault it is.
    pub reason: Reason,
    /// In words.
    pub message: String,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// What was asked for makes no sense.
    Refused,
    /// What was named is not here.
    NotFound,
    /// The program's, or its surroundings'.
    Internal,
}

impl Failure {
    /// What was asked for makes no sense.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Reason::Refused, message)
    }

    /// What was named is not here.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Reason::NotFound, message)
    }

    /// The program's fault, or its surroundings'.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Reason::Internal, message)
    }

    fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Io { .. }
            | Error::NoWeights { .. }
            | Error::NoWeightsFound { .. }
            | Error::NoIndex { .. }
            | Error::Device(_) => Self::internal(message),
            _ => Self::refused(message),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::internal(error.to_string())
    }
}
