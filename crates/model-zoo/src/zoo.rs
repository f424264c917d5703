use std::path::{Path, PathBuf};

use checkpoint_file::FloatPrecision;
use retrieval_gaussian::{Index, IndexBuilder, IndexFile};
use stylegan2::Generator;

use crate::card::Configuration;
use crate::files::{self, CARD, GENERATOR, INDEX, io};
use crate::{Card, ZooError, ZooModel};

/// A folder of models, each with a card that has been read and checked.
///
/// Folders without a `generator.safetensors` are no models and are passed over; a model without a valid card is an
/// error.
#[derive(Clone, Debug, PartialEq)]
pub struct Zoo {
    root: PathBuf,
    /// By name.
    models: Vec<ZooModel>,
}

impl Zoo {
    /// Opens a folder, leaving out the models that `excluded` names, such as one that others were trained from.
    ///
    /// # Errors
    /// When the folder cannot be read, has no model, or a card is invalid.
    pub fn open_without(root: impl AsRef<Path>, excluded: &[&str]) -> Result<Self, ZooError> {
        let zoo = Self::read(root.as_ref(), excluded)?;
        if zoo.models.is_empty() {
            return Err(ZooError::Empty { path: zoo.root });
        }
        Ok(zoo)
    }

    /// Opens a folder.
    ///
    /// # Errors
    /// As [`open_without`](Self::open_without).
    pub fn open(root: impl AsRef<Path>) -> Result<Self, ZooError> {
        Self::open_without(root, &[])
    }

    /// A zoo without models: the folder is made where it does not exist.
    ///
    /// # Errors
    /// When the folder cannot be made, or has models already.
    pub fn create(root: impl AsRef<Path>) -> Result<Self, ZooError> {
        let root = root.as_ref();
        std::fs::create_dir_all(root).map_err(io(root))?;
        let zoo = Self::read(root, &[])?;
        if zoo.models.is_empty() {
            Ok(zoo)
        } else {
            Err(ZooError::Exists { path: zoo.root })
        }
    }

    fn read(root: &Path, excluded: &[&str]) -> Result<Self, ZooError> {
        let mut models = Vec::new();
        for folder in whole_file::list(root).map_err(io(root))? {
            // Names that are not Unicode cannot be those of models.
            let Some(name) = folder.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if excluded.contains(&name) || !whole_file::is_file(folder.join(GENERATOR)) {
                continue;
            }
            files::check_name(name)?;
            models.push(ZooModel::open(folder.clone(), name)?);
        }
        models.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(Self {
            root: root.to_owned(),
            models,
        })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All models, by name.
    pub fn models(&self) -> &[ZooModel] {
        &self.models
    }

    /// The names of all models, sorted.
    pub fn names(&self) -> Vec<&str> {
        self.models.iter().map(ZooModel::name).collect()
    }

    /// The model of a name.
    ///
    /// # Errors
    /// When there is none.
    pub fn model(&self, name: &str) -> Result<&ZooModel, ZooError> {
        self.find(name).ok_or_else(|| ZooError::UnknownModel {
            path: self.root.clone(),
            found: name.to_owned(),
            known: self.names().join(", "),
        })
    }

    /// Whether there is a model of a name.
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<&ZooModel> {
        let position = self.models.binary_search_by(|model| model.name().cmp(name));
        position.ok().map(|position| &self.models[position])
    }

    /// Where the statistics of all models lie.
    pub fn index_path(&self) -> PathBuf {
        self.root.join(INDEX)
    }

    /// The statistics of all models.
    ///
    /// # Errors
    /// When there is no index, it is damaged, or has models that are not in the zoo.
    pub fn index(&self) -> Result<Index, ZooError> {
        let index = Index::open(self.index_path())?;
        let stranger = index.names().find(|name| !self.contains(name));
        match stranger {
            None => Ok(index),
            Some(name) => Err(ZooError::UnknownModel {
                path: self.root.clone(),
                found: name.to_owned(),
                known: format!(
                    "{}; build the index anew, or remove the model from it",
                    self.names().join(", ")
                ),
            }),
        }
    }

    /// Adds a model: its generator is written (in f32) and its card, to which the configuration is added. All files or
    /// none.
    ///
    /// # Errors
    /// When there is a model or folder of the name, the card is of another name, has no license or another
    /// configuration, or the file system refuses.
    pub fn add(mut self, name: &str, generator: &Generator, card: &Card) -> Result<Self, ZooError> {
        files::check_name(name)?;
        let folder = self.root.join(name);
        if folder.exists() {
            return Err(ZooError::Exists { path: folder });
        }
        let fault = card
            .fault(name)
            .or_else(|| card.contradiction(generator.config()));
        if let Some(reason) = fault {
            return Err(ZooError::Card {
                path: folder.join(CARD),
                reason,
            });
        }
        let mut card = card.clone();
        card.configuration
            .get_or_insert_with(|| Configuration::of(generator.config()));
        let text = toml::to_string_pretty(&card).map_err(|e| ZooError::Card {
            path: folder.join(CARD),
            reason: format!("cannot be written as TOML: {e}"),
        })?;
        // A hidden folder is no model, whatever happens before it gets its name.
        let staged = self.root.join(format!(".{name}.partial"));
        let written = std::fs::create_dir_all(&staged)
            .map_err(io(&staged))
            .and_then(|()| Ok(generator.save(staged.join(GENERATOR), FloatPrecision::F32)?))
            .and_then(|()| {
                let path = staged.join(CARD);
                std::fs::write(&path, text).map_err(io(&path))
            })
            .and_then(|()| std::fs::rename(&staged, &folder).map_err(io(&folder)));
        if let Err(error) = written {
            // What went wrong is of more use than that this did, too.
            let _ = std::fs::remove_dir_all(&staged);
            return Err(error);
        }
        self.models.push(ZooModel::open(folder, name)?);
        self.models.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(self)
    }

    /// Adds a model and its features' statistics, so that it can be found at once.
    ///
    /// `statistics` is a builder of the index's settings to which nothing but this model was added.
    ///
    /// # Errors
    /// As [`add`](Self::add); when there is no index, or the statistics do not fit it, in which case the model is taken
    /// out again.
    pub fn add_indexed(
        self,
        name: &str,
        generator: &Generator,
        card: &Card,
        statistics: &IndexBuilder,
    ) -> Result<Self, ZooError> {
        let mut index = IndexFile::open(self.index_path())?;
        let zoo = self.add(name, generator, card)?;
        if let Err(error) = index.append(statistics) {
            let folder = zoo.root.join(name);
            std::fs::remove_dir_all(&folder).map_err(io(&folder))?;
            return Err(error.into());
        }
        Ok(zoo)
    }
}
