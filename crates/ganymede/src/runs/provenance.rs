//! Where networks and images of a run come from.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use vision_aided_finetune::{ImageSet, Trainer};

use crate::{Error, Weights, digest};

/// Where a run comes from: kept in its checkpoint from the start on, so that a card tells what was done rather than
/// what is asked for now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// What the generator started from.
    pub generator: NetworkOrigin,
    /// What the discriminator started from.
    pub discriminator: NetworkOrigin,
    /// What the run was trained on.
    pub data: Vec<DataFile>,
    /// Options that decide what is trained, as they were written, without the length of the run.
    pub command: Vec<String>,
    /// Options that were changed when the run was resumed.
    pub changes: Vec<Change>,
}

/// What a network started from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkOrigin {
    /// A file, or random weights and their seed.
    pub from: String,
    /// Of the file.
    pub sha256: Option<String>,
}

/// Images of one file or folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Folder or file.
    pub file: String,
    /// How many it has.
    pub images: usize,
    /// [`ImageSet::fingerprint`] of its images.
    pub fingerprint: String,
}

/// Options that a resumed run went on with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Thousands of images that had been shown.
    pub kimg: f64,
    /// What was given anew.
    pub options: Vec<String>,
}

impl Provenance {
    /// The record in a run's checkpoint, whose file an error names; none in one of another program.
    ///
    /// # Errors
    ///
    /// It is of another form.
    pub fn of(trainer: &Trainer, checkpoint: &Path) -> Result<Option<Self>, Error> {
        let Some(text) = trainer.provenance() else {
            return Ok(None);
        };
        let record = serde_json::from_str(text).map_err(|e| Error::File {
            path: checkpoint.to_owned(),
            problem: format!("the checkpoint's metadata `provenance` is not understood: {e}"),
        })?;
        Ok(Some(record))
    }

    /// Puts the record into the run's checkpoints.
    ///
    /// # Errors
    ///
    /// A number of it is none that JSON holds.
    pub fn keep(&self, trainer: &mut Trainer) -> Result<(), Error> {
        trainer.set_provenance(Some(serde_json::to_string(self)?));
        Ok(())
    }
}

impl fmt::Display for NetworkOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sha256 {
            Some(sha256) => write!(
                f,
                "{} (SHA-256 {sha256})",
                checkpoint_file::shown(&self.from)
            ),
            None => write!(f, "{}", checkpoint_file::shown(&self.from)),
        }
    }
}

impl fmt::Display for DataFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({} images, fingerprint {})",
            checkpoint_file::shown(&self.file),
            self.images,
            checkpoint_file::shown(&self.fingerprint)
        )
    }
}

impl NetworkOrigin {
    /// What tells it from others: the digest of its file, wherever that lies, or its seed.
    pub fn identity(&self) -> &str {
        self.sha256.as_deref().unwrap_or(&self.from)
    }

    /// Random weights of a seed.
    pub fn random(seed: u32) -> Self {
        Self {
            from: format!("random weights of seed {seed}"),
            sha256: None,
        }
    }

    /// The weights of a file.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn file(path: &Path, weights: Option<&Weights>) -> Result<Self, Error> {
        Ok(Self {
            from: shown(path, weights),
            sha256: Some(digest::of_file(path)?),
        })
    }
}

impl DataFile {
    /// The images of a folder or file.
    pub fn new(path: &Path, images: &ImageSet, weights: Option<&Weights>) -> Self {
        Self {
            file: shown(path, weights),
            images: images.len(),
            fingerprint: images.fingerprint().to_owned(),
        }
    }
}

/// A path as others can follow it: in the weights folder, or as it was written; of an absolute one, which means nothing
/// elsewhere, the last name.
pub fn shown(path: &Path, weights: Option<&Weights>) -> String {
    let zoo = weights.map(Weights::zoo);
    if let Some(inside) = zoo.and_then(|zoo| path.strip_prefix(zoo).ok()) {
        return format!("weights/zoo/{}", inside.display());
    }
    match path.file_name() {
        Some(name) if path.is_absolute() => name.to_string_lossy().into_owned(),
        _ => path.display().to_string(),
    }
}
