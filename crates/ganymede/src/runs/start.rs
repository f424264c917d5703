//! What a run starts from.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use stylegan2::{Discriminator, DiscriminatorConfig, Generator};
use vision_aided_finetune::SavedNetworks;

use super::export::DISCRIMINATOR;
use super::provenance::NetworkOrigin;
use crate::{BASE, Error, Weights};

/// The networks that a run starts from, on the plain device, and where they come from.
pub struct Networks {
    /// The generator that is trained.
    pub generator: Generator,
    /// Of a training run's checkpoint.
    pub average: Option<Generator>,
    /// The discriminator that is trained.
    pub discriminator: Discriminator,
    /// Where the generator's weights are from.
    pub generator_start: NetworkOrigin,
    /// Where the discriminator's weights are from.
    pub discriminator_start: NetworkOrigin,
}

impl Networks {
    /// The generator of a file with its discriminator: `discriminator`, or the one in the checkpoint of a training run,
    /// or the one beside the file, or random weights.
    ///
    /// `seeds` are those of random weights, of a generator and of a discriminator.
    ///
    /// # Errors
    ///
    /// A file cannot be read or holds no such network.
    pub fn open(
        path: &Path,
        discriminator: Option<&Path>,
        seeds: [u32; 2],
        weights: Option<&Weights>,
        device: &Device,
    ) -> Result<Self, Error> {
        let start = NetworkOrigin::file(path, weights)?;
        let Some(saved) = SavedNetworks::open(path, device)? else {
            let generator = Generator::load(path, device)?;
            // The one it was trained against; another generator's would tell its images from real ones at once.
            let beside = path.with_file_name(DISCRIMINATOR);
            let discriminator = discriminator.or(Some(beside.as_path()).filter(|p| p.is_file()));
            return Self::with(generator, start, discriminator, seeds, weights, device);
        };
        // A checkpoint's own discriminator goes before one that happens to lie beside it.
        let (discriminator, discriminator_start) = match discriminator {
            Some(path) => (
                Discriminator::load(path, device)?,
                NetworkOrigin::file(path, weights)?,
            ),
            None => (saved.discriminator, start.clone()),
        };
        Ok(Self {
            generator: saved.generator,
            average: Some(saved.generator_average),
            discriminator,
            generator_start: start,
            discriminator_start,
        })
    }

    /// A generator of random weights of the first seed, with the discriminator of a file, or one of random weights of
    /// the second.
    ///
    /// # Errors
    ///
    /// The file cannot be read or holds no discriminator.
    pub fn random(
        generator: Generator,
        discriminator: Option<&Path>,
        seeds: [u32; 2],
        weights: Option<&Weights>,
        device: &Device,
    ) -> Result<Self, Error> {
        let start = NetworkOrigin::random(seeds[0]);
        Self::with(generator, start, discriminator, seeds, weights, device)
    }

    fn with(
        generator: Generator,
        generator_start: NetworkOrigin,
        discriminator: Option<&Path>,
        seeds: [u32; 2],
        weights: Option<&Weights>,
        device: &Device,
    ) -> Result<Self, Error> {
        let (discriminator, discriminator_start) = match discriminator {
            Some(path) => (
                Discriminator::load(path, device)?,
                NetworkOrigin::file(path, weights)?,
            ),
            None => (
                Discriminator::init(
                    &DiscriminatorConfig::for_generator(generator.config()),
                    seeds[1],
                    device,
                )?,
                NetworkOrigin::random(seeds[1]),
            ),
        };
        Ok(Self {
            generator,
            average: None,
            discriminator,
            generator_start,
            discriminator_start,
        })
    }
}

/// What a run on a folder or file is called: its name without the extension, also for `.`.
pub fn name_of(images: &Path) -> String {
    let full = std::path::absolute(images).unwrap_or_else(|_| images.to_owned());
    let name = full.file_stem().unwrap_or("images".as_ref());
    name.to_string_lossy().into_owned()
}

/// The file of a generator: of a name of the zoo, or a file itself. An error names the option that said which.
///
/// # Errors
///
/// [`Error::Option`]: it is neither.
pub fn generator_file(
    option: &'static str,
    which: &str,
    weights: Option<&Weights>,
) -> Result<PathBuf, Error> {
    let in_zoo = weights.map(|weights| weights.generator(which));
    if let Some(path) = in_zoo.filter(|path| path.is_file()) {
        return Ok(path);
    }
    let path = PathBuf::from(which);
    if path.is_file() {
        return Ok(path);
    }
    let known = weights.map(Weights::model_names).unwrap_or_default();
    Err(Error::option(
        option,
        which,
        format!(
            "neither a model of the zoo nor a file; known names: {BASE}, {}",
            known.join(", ")
        ),
    ))
}
