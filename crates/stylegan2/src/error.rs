use std::path::PathBuf;

use checkpoint::{CheckpointError, Format};

/// Why a network could not be configured, loaded or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StyleGan2Error {
    /// The file could not be read or written, or its tensors do not fit the network.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// An option of a configuration has a value that no network can have.
    #[error("configuration option {option} is {found}, expected {expected}")]
    InvalidOption {
        /// The option, with the names of the objects it is in: `synthesis_kwargs.channel_base`.
        option: String,
        /// Its value.
        found: String,
        /// What is allowed.
        expected: String,
    },
    /// A configuration is not JSON, or not an object with the official options.
    #[error(
        "configuration of the {network}: {source}; write the arguments of the official constructor as a JSON object, without other keys"
    )]
    ConfigSyntax {
        /// Which network it was to describe.
        network: &'static str,
        /// What the JSON parser says.
        source: serde_json::Error,
    },
    /// A file's configuration cannot be used.
    #[error(
        "{path}: {source}; {}", correction(*format)
    )]
    FileConfig {
        /// The file.
        path: PathBuf,
        /// Its format; `None` for tensors from memory.
        format: Option<Format>,
        /// What is wrong.
        source: Box<StyleGan2Error>,
    },
    /// A file holds tensors, but not those of the network that was asked for.
    #[error(
        "{path}: no {network} found, because no tensor is called {anchor} (with or without a prefix such as {prefix}); the file is of another network or in another naming"
    )]
    NoNetwork {
        /// The file.
        path: PathBuf,
        /// The network that was looked for.
        network: &'static str,
        /// A tensor that every such network has.
        anchor: &'static str,
        /// A usual prefix.
        prefix: &'static str,
    },
    /// A file without configuration whose tensors fit no configuration.
    #[error(
        "{path}: the configuration cannot be inferred: {reason}; {}", description(*format)
    )]
    CannotInfer {
        /// The file.
        path: PathBuf,
        /// Its format; `None` for tensors from memory.
        format: Option<Format>,
        /// Which tensor contradicts what.
        reason: String,
    },
    /// A `resample_filter` of a file is not a small FIR filter.
    #[error("{path}: resample filter {tensor} {found}, expected {expected}")]
    ResampleFilter {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// What it is.
        found: String,
        /// What a filter is.
        expected: String,
    },
}

/// Whether a file has metadata that a user can write.
fn has_metadata(format: Option<Format>) -> bool {
    matches!(format, None | Some(Format::Safetensors))
}

/// What to do about a configuration that cannot be used.
fn correction(format: Option<Format>) -> &'static str {
    if has_metadata(format) {
        "correct the metadata entry `config`, or remove it to have it inferred from the tensors"
    } else {
        "the network is not one of stylegan2-ada-pytorch or the StyleGAN2 of stylegan3, or was changed; if its tensors fit one of those, save them as .safetensors"
    }
}

/// What to do about a configuration that is missing.
fn description(format: Option<Format>) -> &'static str {
    if has_metadata(format) {
        "add the constructor's arguments as JSON under the metadata entry `config`"
    } else {
        "the network is incomplete or of another architecture; if it is not, save its tensors as .safetensors, with the constructor's arguments as JSON under the metadata entry `config`"
    }
}

impl StyleGan2Error {
    pub(crate) fn invalid(
        option: impl Into<String>,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> Self {
        Self::InvalidOption {
            option: option.into(),
            found: found.to_string(),
            expected: expected.into(),
        }
    }
}
