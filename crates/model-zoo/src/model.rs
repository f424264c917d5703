use std::path::{Path, PathBuf};

use burn::tensor::Device;
use stylegan2::Generator;

use crate::files::{self, CARD, DISCRIMINATOR, GENERATOR, SAMPLES};
use crate::{Card, ZooError};

/// A model of a [`Zoo`](crate::Zoo), with its card read and its network still in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct ZooModel {
    folder: PathBuf,
    card: Card,
}

impl ZooModel {
    /// The model in `folder`, whose name is the model's.
    pub(crate) fn open(folder: PathBuf, name: &str) -> Result<Self, ZooError> {
        let path = folder.join(CARD);
        let fault = |reason: String| ZooError::Card {
            path: path.clone(),
            reason,
        };
        let card: Card = toml::from_str(&files::read_card(&path)?)
            .map_err(|e| fault(format!("not a card: {}", e.message())))?;
        if let Some(reason) = card.fault(name) {
            return Err(fault(reason));
        }
        Ok(Self { folder, card })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.card.name
    }

    /// Its card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The folder with its files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of the generator.
    pub fn generator_path(&self) -> PathBuf {
        self.folder.join(GENERATOR)
    }

    /// The file of the discriminator, where there is one.
    pub fn discriminator_path(&self) -> Option<PathBuf> {
        Some(self.folder.join(DISCRIMINATOR)).filter(|path| path.is_file())
    }

    /// The picture of samples, where there is one.
    pub fn samples_path(&self) -> Option<PathBuf> {
        Some(self.folder.join(SAMPLES)).filter(|path| path.is_file())
    }

    /// Loads the generator.
    ///
    /// # Errors
    /// When the file is unusable, or the card says something else than the file.
    pub fn load_generator(&self, device: &Device) -> Result<Generator, ZooError> {
        let generator = Generator::load(self.generator_path(), device)?;
        match self.card.contradiction(generator.config()) {
            None => Ok(generator),
            Some(reason) => Err(ZooError::Card {
                path: self.folder.join(CARD),
                reason,
            }),
        }
    }
}
