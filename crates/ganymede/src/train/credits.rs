//! Whose art the styles of the zoo are.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Error, Weights, files};

/// A style's record in `weights/queries/queries.json`: whose art it is.
#[derive(Clone, Debug, Deserialize)]
pub struct Credit {
    /// What the art is called.
    pub title: String,
    /// Who made it.
    pub artist: String,
    /// Where it was published.
    pub source: String,
    #[serde(alias = "licence")]
    license: String,
    /// The license's text.
    #[serde(alias = "licence_url")]
    pub license_url: String,
}

impl Credit {
    /// The license's SPDX identifier, for those of the styles.
    pub fn spdx(&self) -> &str {
        match self.license.as_str() {
            "CC BY 4.0" => "CC-BY-4.0",
            "CC0 1.0" => "CC0-1.0",
            other => other,
        }
    }
}

/// All styles by their names.
///
/// # Errors
///
/// The weights folder has no such record.
pub fn read(weights: &Weights) -> Result<BTreeMap<String, Credit>, Error> {
    let path = weights.queries().join("queries.json");
    let text = files::read_text(&path)?;
    serde_json::from_str(&text).map_err(|e| Error::File {
        path,
        problem: format!("not a list of styles ({e})"),
    })
}
