use std::path::{Path, PathBuf};

use checkpoint_file::{CheckpointError, Format, shown, shown_within};

/// Why a network could not be configured, loaded or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StyleGan2Error {
    /// The file could not be read or written, or its tensors do not fit the network.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// An option of a configuration has a value that no network can have.
    #[error(
        "configuration option {} is {}, expected {expected}",
        shown(option),
        shown(found)
    )]
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
        "configuration of the {network}: {}; write the arguments of the official constructor as a JSON object, without other keys",
        shown_within(&source.to_string(), SENTENCE)
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
        "{path}: no {network} found, because no tensor is called {anchor} (with or without a prefix such as {prefix}); {holds}; the file is of another \
         network or in another naming"
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
        /// What the file holds instead, in words.
        holds: String,
    },
    /// Networks lie in unusual places of a file, so that none is better than the others.
    #[error(
        "{path}: there are several {network}s, {}, and none is in a usual place; name the one that you mean",
        names(found)
    )]
    SeveralNetworks {
        /// The file.
        path: PathBuf,
        /// The network that was looked for.
        network: &'static str,
        /// Their names.
        found: Vec<String>,
    },
    /// A file holds a network of a kind that is known, but not supported.
    #[error("{path}: {}; {remedy}", shown_within(found, SENTENCE))]
    NotSupported {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// A file without configuration whose tensors fit no configuration.
    #[error(
        "{path}: the configuration cannot be inferred: {}; {}", shown_within(reason, SENTENCE), description(*format)
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
    #[error(
        "{path}: resample filter {} {found}, expected {expected}",
        shown(tensor)
    )]
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
    /// A class does not exist.
    #[error(
        "class {class}: {}",
        if *classes == 0 {
            "the generator is not class-conditional, so it takes no class".to_owned()
        } else {
            format!("the generator has the classes 0 to {}", classes - 1)
        }
    )]
    NoSuchClass {
        /// The class that was asked for.
        class: usize,
        /// How many there are; 0 for an unconditional generator.
        classes: usize,
    },
    /// A generator makes numbers that are not finite.
    #[error(
        "image {image} is not finite, from {place} on; {}",
        if place == LATENT {
            "the latent is not finite: it was so in its file, or the weights of the mapping network are too large for 32-bit floats"
        } else {
            "the generator's weights, or the latent, are too large for 32-bit floats"
        }
    )]
    NotFinite {
        /// The first such image of the batch.
        image: usize,
        /// Where it began: the latent, or the block of a resolution.
        place: String,
    },
    /// A file is no change of this generator's weights.
    #[error("{path}: {}", shown_within(reason, SENTENCE))]
    Delta {
        /// The file.
        path: PathBuf,
        /// What was found, what was expected, and what to do.
        reason: String,
    },
    /// A file has no latents that fit a generator.
    #[error("{path}: {}", shown_within(reason, SENTENCE))]
    Latents {
        /// The file.
        path: PathBuf,
        /// What was found, what was expected, and what to do.
        reason: String,
    },
}

/// Where a latent is not finite.
pub(crate) const LATENT: &str = "the latent";

/// Room for a reason: a sentence or two, and a few names in them.
const SENTENCE: usize = 800;

fn names(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let first: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| shown(name).to_string())
        .collect();
    let first = first.join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
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
    /// A generator whose constant is not 4 x 4.
    pub(crate) fn rectangular(path: &Path, tensor: &str, [height, width]: [usize; 2]) -> Self {
        Self::NotSupported {
            path: path.to_owned(),
            found: format!(
                "a generator of rectangular images, as StyleGAN-Human and other branches of StyleGAN2 have: {tensor} has {height} x {width} pixels, \
                 expected 4 x 4"
            ),
            remedy: "only square images are supported; use a model of square images".to_owned(),
        }
    }

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
