use std::path::PathBuf;

use ganymede::checkpoint_file::is_file_name;
use serde_json::{Value, json};

use crate::shelf::{ENDINGS, Entry};
use crate::{Failure, Studio};

/// Largest picture of samples.
const SAMPLES_BYTES: u64 = 64 << 20;

impl Studio {
    /// All models with what their cards say.
    ///
    /// # Errors
    ///
    /// There is no folder of weights.
    pub fn models(&self) -> Result<Value, Failure> {
        let entries = self.shelf.list(&self.context.weights()?);
        Ok(json!({ "models": entries }))
    }

    /// What a model makes and how it can be edited; loads it.
    ///
    /// # Errors
    ///
    /// There is no such model, or it cannot be loaded.
    pub fn describe(&self, id: &str) -> Result<Value, Failure> {
        let entry = self.shelf.find(id, self.context.weights())?;
        self.description(&entry)
    }

    fn description(&self, entry: &Entry) -> Result<Value, Failure> {
        let context = &self.context;
        let model = context.model(&entry.which())?;
        let (mapping, synthesis) = (&model.generator.mapping, &model.generator.synthesis);
        let book = model.edits()?;
        let edits: Vec<Value> = book
            .iter()
            .map(|(name, edit)| {
                json!({ "name": name, "description": edit.description, "range": edit.range, "layers": edit.layers })
            })
            .collect();
        let directions = model.directions(&model.usual_basis(), context)?;
        let shares = directions.explained_variance_ratio().to_vec();
        Ok(json!({
            "id": entry.id,
            "name": entry.name,
            "resolution": model.resolution(),
            "layers": synthesis.num_ws(),
            "w_dim": synthesis.w_dim(),
            "classes": mapping.c_dim(),
            "truncation": mapping.tracks_w_avg(),
            "noise": !synthesis.noise_images().is_empty(),
            "edits": edits,
            "components": shares,
        }))
    }

    /// The picture of samples beside a model, as PNG.
    ///
    /// # Errors
    ///
    /// There is none, or no such model.
    pub fn samples(&self, id: &str) -> Result<Vec<u8>, Failure> {
        let entry = self.shelf.find(id, self.context.weights())?;
        let none = || Failure::not_found("this model has no picture of samples");
        let file = entry.samples().ok_or_else(none)?;
        Ok(whole_file::read(file, SAMPLES_BYTES)?)
    }

    /// Where a checkpoint of this name is to be put, before [`added_model`](Self::added_model).
    ///
    /// # Errors
    ///
    /// It is no name of a checkpoint.
    pub fn place_of_model(&self, name: &str) -> Result<PathBuf, Failure> {
        let ending = name
            .rsplit_once('.')
            .map(|(_, ending)| ending.to_ascii_lowercase());
        if !is_file_name(name) || !ending.is_some_and(|ending| ENDINGS.contains(&&*ending)) {
            return Err(Failure::refused(format!(
                "expected the name of a checkpoint, which ends with one of .{}",
                ENDINGS.join(", .")
            )));
        }
        Ok(self.uploads.models().join(name))
    }

    /// Describes a checkpoint that was put where it belongs. It stays there if it can be loaded.
    ///
    /// # Errors
    ///
    /// It cannot be loaded.
    pub fn added_model(&self, name: &str) -> Result<Value, Failure> {
        let described = self.describe(&format!("dropped:{name}"));
        described.map_err(|mut failure| {
            // What cannot be loaded is of no use to anyone.
            let _ = whole_file::remove(self.uploads.models().join(name));
            failure.message = self.uploads.without_folder(&failure.message);
            failure
        })
    }
}
