use std::path::PathBuf;

use retrieval_gaussian::RetrievalError;
use stylegan2::StyleGan2Error;

/// Why a zoo or a model of it cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZooError {
    /// The file system refused.
    #[error("{path}: {source}; check that it exists and can be read or written")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The folder holds no models.
    #[error(
        "{path}: no models found; expected a folder for each model, with generator.safetensors and card.toml in it"
    )]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// There is no model of this name.
    #[error("no model {found:?} in {path}; it has {known}")]
    UnknownModel {
        /// The zoo's folder.
        path: PathBuf,
        /// The name.
        found: String,
        /// The names that there are.
        known: String,
    },
    /// A name cannot be that of a model.
    #[error(
        "{found:?} cannot be the name of a model; expected 1 to 100 letters, digits, `-`, `_` and `.`, the first a letter or digit"
    )]
    InvalidName {
        /// The name.
        found: String,
    },
    /// There is a model of this name.
    #[error("{path} exists; choose another name, or remove that model first")]
    Exists {
        /// Its folder.
        path: PathBuf,
    },
    /// A card is no card, or says something else than the model.
    #[error("{path}: {reason}")]
    Card {
        /// The card.
        path: PathBuf,
        /// What was found and what was expected.
        reason: String,
    },
    /// A generator's images are no pictures.
    #[error(
        "{path}: images of {channels} channels, expected gray (1), RGB (3) or RGB with opacity (4); the model cannot be shown, compared or indexed"
    )]
    Channels {
        /// The generator's file.
        path: PathBuf,
        /// Channels of its images.
        channels: usize,
    },
    /// A generator is unusable.
    #[error(transparent)]
    Generator(#[from] StyleGan2Error),
    /// The index of features is unusable.
    #[error(transparent)]
    Index(#[from] RetrievalError),
}
