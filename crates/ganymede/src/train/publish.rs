//! The finished model in the zoo.

use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::card;
use crate::quality::{Gates, QualityMeter, compared, warn_of_collapse};
use crate::runs::export::{DISCRIMINATOR, GENERATOR};
use crate::runs::run_folder::RunFolder;
use crate::runs::samples;
use crate::{Error, Observer, files};

/// Puts the finished model into the zoo, with its card. `images` is the number of samples, and the most training
/// images, of the Fréchet distance.
///
/// Everything that can fail comes before the first file of the zoo is touched; the card, which tells of the others,
/// comes last.
pub(super) fn publish(
    run: &card::Run<'_>,
    folder: &RunFolder,
    images: u32,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<(), Error> {
    let name = run.recipe.name.as_str();
    let weights = run
        .recipe
        .weights
        .as_ref()
        .ok_or_else(|| Error::option("publish", "", "it needs a weights folder; name one"))?;
    let kept = folder.path().join("quality");
    let meter = QualityMeter::new(weights, images, &kept, device)?;
    let file = folder.path().join(GENERATOR);
    let real = run.trainer.images().reduced(run.trainer.resolution())?;
    let quality = meter.measure(name, &file, &real, observer)?;
    let gates = Gates::new(weights, compared(images), &kept, device)?;
    let quality = gates.measure(name, &file, &real, quality, observer)?;
    let card = card::render(run, &quality, weights)?;

    let target = weights.zoo().join(name);
    files::make_folder(&target)?;
    let mut staged = Staged {
        folder: target,
        files: Vec::new(),
    };
    for file in [GENERATOR, DISCRIMINATOR] {
        let from = folder.path().join(file);
        std::fs::copy(&from, staged.add(file))
            .map_err(Error::io(&from, "cannot be copied to the zoo"))?;
    }
    let sheet = samples::sheet(run.trainer.generator_average(), device);
    samples::write(&sheet, &staged.add("samples.png"))?;
    files::write(&staged.add("card.toml"), card.as_bytes())?;
    staged.commit()?;
    warn_of_collapse(name, &quality, observer);
    Ok(())
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
    fn commit(mut self) -> Result<(), Error> {
        // What has its own name is not to be cleaned up, and all that comes after a failure is.
        while let Some(file) = self.files.first().copied() {
            let path = self.folder.join(file);
            std::fs::rename(temporary(&self.folder, file), &path)
                .map_err(Error::io(&path, "cannot be replaced"))?;
            self.files.remove(0);
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
