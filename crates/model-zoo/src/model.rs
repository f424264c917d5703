use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use stylegan2::Generator;

use crate::files::{self, CARD, DISCRIMINATOR, GENERATOR, SAMPLES, io};
use crate::{Card, Quality, ZooError, card_text};

/// A model of a [`Zoo`](crate::Zoo), with its card read and its network still in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct ZooModel {
    folder: PathBuf,
    card: Card,
}

impl ZooModel {
    /// The model in `folder`, of which `name` is the name.
    ///
    /// # Errors
    /// When there is no valid card.
    pub fn open(folder: PathBuf, name: &str) -> Result<Self, ZooError> {
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
        Some(self.folder.join(DISCRIMINATOR)).filter(|path| whole_file::is_file(path))
    }

    /// The picture of samples, where there is one.
    pub fn samples_path(&self) -> Option<PathBuf> {
        Some(self.folder.join(SAMPLES)).filter(|path| whole_file::is_file(path))
    }

    /// Loads the generator.
    ///
    /// # Errors
    /// When the file is unusable, its images have channels that no picture has (other than 1, 3 or 4), or the card says
    /// something else than the file.
    pub fn load_generator(&self, device: &Device) -> Result<Generator, ZooError> {
        let generator = Generator::load(self.generator_path(), device)?;
        let channels = generator.config().img_channels;
        if !matches!(channels, 1 | 3 | 4) {
            return Err(ZooError::Channels {
                path: self.generator_path(),
                channels,
            });
        }
        match self.card.contradiction(generator.config()) {
            None => Ok(generator),
            Some(reason) => Err(ZooError::Card {
                path: self.folder.join(CARD),
                reason,
            }),
        }
    }

    /// Writes how good the model is into its card, in place of what the card said of it before. Everything else in the
    /// file stays as it is, comments included. The file is replaced in one step.
    ///
    /// # Errors
    /// When a number makes no sense, the card is written in a way that the table cannot be replaced in, or the file
    /// system refuses.
    pub fn set_quality(&mut self, quality: Quality) -> Result<(), ZooError> {
        let path = self.folder.join(CARD);
        let fault = |reason: String| ZooError::Card {
            path: path.clone(),
            reason,
        };
        if let Some(reason) = quality.fault() {
            return Err(fault(reason));
        }
        let text = |value: &Card| {
            toml::to_string_pretty(value)
                .map_err(|e| fault(format!("cannot be written as TOML: {e}")))
        };
        let before = files::read_card(&path)?;
        let mut card: Card =
            toml::from_str(&before).map_err(|e| fault(format!("not a card: {}", e.message())))?;
        card.quality = Some(quality);
        // With its name, which the titles of its subtables begin with.
        let table = toml::to_string_pretty(&BTreeMap::from([(QUALITY, &card.quality)]))
            .map_err(|e| fault(format!("cannot be written as TOML: {e}")))?;
        let title = format!("[{QUALITY}]\n");
        let body = table.strip_prefix(&title).unwrap_or(&table);
        let after = card_text::with_table(&before, QUALITY, body);
        // Compared as text: a loss that is no number does not equal itself.
        let same = match toml::from_str::<Card>(&after) {
            Ok(found) => text(&found)? == text(&card)?,
            Err(_) => false,
        };
        if !same {
            return Err(fault(format!(
                "the table {QUALITY:?} cannot be replaced in this file; write it as a line [{QUALITY}] with an entry a line below it"
            )));
        }
        whole_file::write(&path, after).map_err(io(&path))?;
        self.card = card;
        Ok(())
    }
}

/// The card's table of what was measured.
const QUALITY: &str = "quality";
