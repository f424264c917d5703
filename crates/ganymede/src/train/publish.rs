use std::path::{Path, PathBuf};

use burn::tensor::Device;
use checkpoint::FloatPrecision;
use ganymede::files;
use vision_aided_finetune::{HistoryEntry, Trainer};

use crate::card;
use crate::recipe::Recipe;
use examples::Failure;
use examples::gates::{Gates, compared};
use examples::quality::{QualityMeter, warn_of_collapse};
use examples::training::export::{DISCRIMINATOR, GENERATOR};
use examples::training::provenance::Provenance;
use examples::training::run_folder::RunFolder;
use examples::training::samples;

/// How models are measured when they are published.
pub struct Measurement<'a> {
    /// Samples, and the most training images, of the Fréchet distance.
    pub images: u32,
    pub device: &'a Device,
    pub interrupted: &'a dyn Fn() -> bool,
}

/// Puts the finished model into the zoo, with its card: all files or none; `false` when interrupted while it was measured.
///
/// Everything that can fail comes before the first file of the zoo is touched; the card, which tells of the others, comes last.
pub fn publish(
    recipe: &Recipe,
    folder: &RunFolder,
    trainer: &Trainer,
    history: &[HistoryEntry],
    provenance: &Provenance,
    precision: FloatPrecision,
    measurement: &Measurement<'_>,
) -> Result<bool, Failure> {
    let weights = recipe
        .weights
        .as_ref()
        .ok_or("--publish needs a weights folder; name one with --weights")?;
    let meter = QualityMeter::new(
        weights,
        measurement.images,
        &folder.path().join("quality"),
        measurement.device,
        measurement.interrupted,
    )?;
    let file = folder.path().join(GENERATOR);
    let images = trainer.images().reduced(trainer.resolution())?;
    let Some(quality) = meter.measure(&recipe.name, &file, &images)? else {
        return Ok(false);
    };
    let gates = Gates::new(
        weights,
        compared(measurement.images),
        &folder.path().join("quality"),
        measurement.device,
        measurement.interrupted,
    )?;
    let Some(quality) = gates.measure(&recipe.name, &file, &images, quality)? else {
        return Ok(false);
    };
    let card = card::render(
        &card::Run {
            recipe,
            trainer,
            history,
            provenance,
            precision,
            quality: &quality,
        },
        weights,
    )?;

    let target = weights.zoo().join(&recipe.name);
    files::make_folder(&target)?;
    let mut staged = Staged {
        folder: target,
        files: Vec::new(),
    };
    for file in [GENERATOR, DISCRIMINATOR] {
        let from = folder.path().join(file);
        std::fs::copy(&from, staged.add(file))
            .map_err(|e| format!("{}: cannot be copied to the zoo ({e})", from.display()))?;
    }
    samples::write(
        trainer.generator_average(),
        &staged.add("samples.png"),
        measurement.device,
    )?;
    files::write(&staged.add("card.toml"), card.as_bytes())?;
    staged.commit()?;
    warn_of_collapse(&recipe.name, &quality);
    Ok(true)
}

/// Files under temporary names, which are removed unless all of them get their own.
struct Staged {
    folder: PathBuf,
    files: Vec<&'static str>,
}

impl Staged {
    /// Where to write a file first.
    fn add(&mut self, file: &'static str) -> PathBuf {
        self.files.push(file);
        temporary(&self.folder, file)
    }

    /// Gives the files their names, in the order they were added.
    fn commit(mut self) -> Result<(), Failure> {
        for file in std::mem::take(&mut self.files) {
            let path = self.folder.join(file);
            std::fs::rename(temporary(&self.folder, file), &path)
                .map_err(|e| format!("{}: cannot be replaced ({e})", path.display()))?;
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for file in &self.files {
            // What went wrong before is of more use than that this did, too.
            let _ = std::fs::remove_file(temporary(&self.folder, file));
        }
    }
}

fn temporary(folder: &Path, file: &str) -> PathBuf {
    folder.join(format!("{file}.partial"))
}
