//! What lies beside a zoo's index: how its features were made.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::features::FeatureRecord;
use super::{Failure, output};

/// `index.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexRecord {
    /// Samples of each model.
    pub samples: u64,
    pub truncation_psi: f32,
    /// Principal components that features are projected on.
    pub dimension: usize,
    pub ridge: f64,
    pub features: FeatureRecord,
}

impl IndexRecord {
    pub fn path(index: &Path) -> PathBuf {
        index.with_extension("toml")
    }

    pub fn read(index: &Path) -> Result<Self, Failure> {
        let path = Self::path(index);
        let text = std::fs::read_to_string(&path).map_err(|e| {
            format!(
                "{}: {e}; it says which features the index is of; build the index with the example `index`",
                path.display()
            )
        })?;
        toml::from_str(&text).map_err(|e| format!("{}: {}", path.display(), e.message()).into())
    }

    pub fn write(&self, index: &Path) -> Result<(), Failure> {
        output::write(&Self::path(index), toml::to_string_pretty(self)?.as_bytes())
    }
}
