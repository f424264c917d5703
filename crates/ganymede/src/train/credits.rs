//! Whose art the styles of the zoo are.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Failure;
use ganymede::Weights;

/// A style's record in `weights/queries/queries.json`: whose art it is.
#[derive(Clone, Debug, Deserialize)]
pub struct Credit {
    /// What the art is called.
    pub title: String,
    /// Who made it.
    pub artist: String,
    /// Where it was published.
    pub source: String,
    licence: String,
    /// The licence's text.
    pub licence_url: String,
}

impl Credit {
    /// The licence's SPDX identifier, for those of the styles.
    pub fn spdx(&self) -> &str {
        match self.licence.as_str() {
            "CC BY 4.0" => "CC-BY-4.0",
            "CC0 1.0" => "CC0-1.0",
            other => other,
        }
    }
}

/// All styles by their names.
pub fn read(weights: &Weights) -> Result<BTreeMap<String, Credit>, Failure> {
    let path = weights.queries().join("queries.json");
    let text = ganymede::files::read_text(&path)?;
    serde_json::from_str(&text)
        .map_err(|e| format!("{}: not a list of styles ({e})", path.display()).into())
}
