use std::path::PathBuf;

use model_zoo::{Card, Zoo, ZooError};
use serde::{Deserialize, Serialize};

use crate::files::ShownPath;
use crate::{BASE, Context, Error, Model};

/// A generator that a folder of models takes in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct AddOptions {
    /// Checkpoint of any known format
    pub file: PathBuf,
    /// License of what the model generates, as an SPDX expression where there is one
    #[cfg_attr(feature = "clap", arg(long, value_name = "TEXT"))]
    pub license: String,
    /// What the model is called from then on [default: the file's name without its ending]
    #[cfg_attr(feature = "clap", arg(long))]
    pub name: Option<String>,
    /// One line for people
    #[cfg_attr(
        feature = "clap",
        arg(
            long,
            value_name = "TEXT",
            default_value = "",
            hide_default_value = true
        )
    )]
    pub description: String,
    /// Folder of models, which is made where there is none [default: zoo/ in the weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub zoo: Option<PathBuf>,
}

/// A model that was taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Added {
    /// Its name.
    pub name: String,
    /// Its generator, as safetensors with official names.
    pub generator: ShownPath,
    /// Side of its images, in pixels.
    pub resolution: u32,
    /// How many models the folder has now.
    pub models: usize,
}

/// Puts a generator and a card into a folder of models, all or nothing. The index does not know it yet:
/// [`index::add`](fn@crate::index::add) does that.
///
/// # Errors
///
/// The file holds no generator, the name is no name of a folder, is taken or is [`BASE`], the license is empty, or a
/// file cannot be written.
pub fn add(options: &AddOptions, context: &Context) -> Result<Added, Error> {
    let file = &options.file;
    let name = match &options.name {
        Some(name) => name.clone(),
        None => {
            let stem = file.file_stem().unwrap_or(file.as_os_str());
            stem.to_string_lossy().into_owned()
        }
    };
    if name == BASE {
        return Err(Error::option(
            "name",
            &name,
            "the model that others are trained from is called so; give another name",
        ));
    }
    let root = match &options.zoo {
        Some(root) => root.clone(),
        None => context.weights()?.zoo(),
    };
    let model = Model::open(name.clone(), file.clone(), context.device())?;
    let card = Card {
        description: options.description.clone(),
        ..Card::new(&name, &options.license)
    };
    let zoo = match Zoo::create(&root) {
        Err(ZooError::Exists { .. }) => Zoo::open_without(&root, &[BASE])?,
        created => created?,
    };
    let zoo = zoo.add(&name, &model.generator, &card)?;
    Ok(Added {
        generator: ShownPath(zoo.model(&name)?.generator_path()),
        resolution: model.resolution(),
        models: zoo.models().len(),
        name,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn no_model_is_called_like_the_one_that_others_start_from() {
        let folder = tempfile::tempdir().unwrap();
        let options = AddOptions {
            file: folder.path().join("base.pkl"),
            license: "CC0-1.0".to_owned(),
            zoo: Some(folder.path().join("zoo")),
            ..AddOptions::default()
        };
        let error = add(&options, &Context::new(Device::flex())).unwrap_err();
        assert!(error.to_string().contains("give another name"), "{error}");
        assert!(!folder.path().join("zoo").exists());
    }
}
