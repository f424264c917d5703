use std::path::Path;

use crate::ZooError;

pub(crate) const GENERATOR: &str = "generator.safetensors";
pub(crate) const DISCRIMINATOR: &str = "discriminator.safetensors";
pub(crate) const CARD: &str = "card.toml";
pub(crate) const SAMPLES: &str = "samples.png";
pub(crate) const INDEX: &str = "index.ganymede";

/// Largest card that is read.
const MAX_CARD_BYTES: u64 = 1 << 20;
const MAX_NAME: usize = 100;

/// The error for a refusal at `path`.
pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> ZooError {
    let path = path.to_owned();
    move |source| ZooError::Io { path, source }
}

/// Refuses names that are no plain folder name everywhere.
pub(crate) fn check_name(name: &str) -> Result<(), ZooError> {
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if starts_well && plain && name.len() <= MAX_NAME {
        return Ok(());
    }
    Err(ZooError::InvalidName {
        found: name.chars().take(MAX_NAME).collect(),
    })
}

pub(crate) fn read_card(path: &Path) -> Result<String, ZooError> {
    let length = whole_file::properties(path).map_err(io(path))?.length;
    if length > MAX_CARD_BYTES {
        return Err(ZooError::Card {
            path: path.to_owned(),
            reason: format!("has {length} bytes, expected at most {MAX_CARD_BYTES}"),
        });
    }
    whole_file::read_to_string(path, MAX_CARD_BYTES).map_err(io(path))
}
