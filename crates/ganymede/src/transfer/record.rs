//! What a run's checkpoint says about it.

use std::fmt::Display;
use std::path::Path;

use serde::{Deserialize, Serialize};
use vision_aided_finetune::Trainer;

use super::options::Settings;
use super::stages::Stage;
use crate::Error;
use crate::runs::provenance::{DataFile, NetworkOrigin};

/// Where a run comes from and what it has gone through; kept in its checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What the generator started from.
    pub source: NetworkOrigin,
    /// What the discriminator started from.
    pub discriminator: NetworkOrigin,
    /// What the run is trained on.
    pub images: DataFile,
    /// What the Fréchet distance is measured against.
    pub reference: DataFile,
    /// What decides the run.
    pub settings: Settings,
    /// Thousands of images of each stage, as far as they are known now.
    pub kimg: Vec<f64>,
    /// The last one is the one that the run is in.
    pub stages: Vec<Stage>,
}

impl Record {
    /// The record in a checkpoint.
    ///
    /// # Errors
    ///
    /// It is none of a fine-tuning run.
    pub fn read(checkpoint: &Path) -> Result<Self, Error> {
        let other = |reason: &str| Error::File {
            path: checkpoint.to_owned(),
            problem: format!("not a fine-tuning run ({reason}); choose another folder"),
        };
        let text = Trainer::provenance_in(checkpoint)?.ok_or_else(|| other("it has no record"))?;
        let record: Self = serde_json::from_str(&text).map_err(|e| other(&e.to_string()))?;
        let (stages, lengths) = (record.stages.len(), record.kimg.len());
        match is_in_a_stage(stages, lengths) {
            true => Ok(record),
            false => Err(other(&format!("it is in stage {stages} of {lengths}"))),
        }
    }

    /// Writes the record down, so that the next checkpoint has it.
    pub(crate) fn keep(&self, trainer: &mut Trainer) -> Result<(), Error> {
        trainer.set_provenance(Some(serde_json::to_string(self)?));
        Ok(())
    }

    /// Refuses a run in `folder` that would go on with something else than it was started with. Files are compared by
    /// their content: they may have been moved.
    pub(crate) fn check_same(&self, now: &Self, folder: &Path) -> Result<(), Error> {
        now.settings.check_same(&self.settings, folder)?;
        let data = |what: &str, now: &DataFile, then: &DataFile| match now.fingerprint
            == then.fingerprint
        {
            true => Ok(()),
            false => Err(differs(folder, what, then, now)),
        };
        // Stages that are over keep their lengths; the others may still change.
        let over = self.stages.len().saturating_sub(1);
        if now.kimg.len() != self.kimg.len() || now.kimg[..over] != self.kimg[..over] {
            return Err(Error::option(
                "kimg",
                list(&now.kimg),
                format!(
                    "the run in {} was started with {}; only the lengths of stages that are not over can change",
                    folder.display(),
                    list(&self.kimg)
                ),
            ));
        }
        if now.source.identity() != self.source.identity() {
            return Err(differs(folder, "the source", &self.source, &now.source));
        }
        data("the images", &now.images, &self.images)?;
        data("the reference", &now.reference, &self.reference)
    }
}

fn differs(folder: &Path, what: &str, then: &dyn Display, now: &dyn Display) -> Error {
    Error::RunDiffers {
        folder: folder.to_owned(),
        difference: format!("has {what} {then}, found {now}; give the same to continue it"),
    }
}

/// Whether the last of so many stages, counted from 1, is one of those that have a length.
fn is_in_a_stage(stages: usize, lengths: usize) -> bool {
    (1..=lengths).contains(&stages)
}

fn list(kimg: &[f64]) -> String {
    let numbers: Vec<String> = kimg.iter().map(ToString::to_string).collect();
    numbers.join(",")
}

#[cfg(test)]
mod tests {
    use super::is_in_a_stage;

    #[test]
    fn a_run_is_in_a_stage_that_has_a_length() {
        assert!(is_in_a_stage(1, 1) && is_in_a_stage(2, 3));
        assert!(!is_in_a_stage(0, 0) && !is_in_a_stage(0, 2) && !is_in_a_stage(3, 2));
    }
}
