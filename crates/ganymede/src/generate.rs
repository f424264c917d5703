//! Makes images from seeds.
//!
//! A seed gives the image that the official generator script gives for it.

use std::path::PathBuf;

use image_tensor::{Rgb, RgbImage, from_signed_unit, grid, write_png};
use serde::{Deserialize, Serialize};
use stylegan2::{NoiseMode, Truncation, latents_from_seeds};

use crate::files::{self, ShownPath};
use crate::{Context, Error, Model, Observer, Phase, Preview, Seeds, class};

/// What is generated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct Options {
    /// A model of the zoo, or a generator file
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().model))]
    pub model: String,
    /// Seeds of the images, such as 0-31,40; the official generator script draws the same latents
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().seeds))]
    pub seeds: Seeds,
    /// Truncation: 1 leaves latents as they are, smaller values pull them to the mean
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().truncation_psi, allow_negative_numbers = true))]
    pub truncation_psi: f32,
    /// Truncate only this many of the first layers
    #[cfg_attr(feature = "clap", arg(long, value_name = "LAYERS"))]
    pub truncation_cutoff: Option<usize>,
    /// Noise images; random ones are drawn from --seed
    #[cfg_attr(feature = "clap", arg(long, value_enum, default_value_t))]
    pub noise_mode: Noise,
    /// Class of a conditional model, counted from 0
    #[cfg_attr(feature = "clap", arg(long))]
    pub class: Option<usize>,
    /// Write each image to a file of its own instead of a grid
    #[cfg_attr(feature = "clap", arg(long))]
    pub single: bool,
    /// Columns of the grid
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().columns, value_parser = clap::value_parser!(u16).range(1..)))]
    pub columns: u16,
    /// Images in one forward pass
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().batch, value_parser = clap::value_parser!(u16).range(1..)))]
    pub batch: u16,
    /// Seed of random noise images
    #[cfg_attr(feature = "clap", arg(skip))]
    pub seed: u32,
    /// Folder for the pictures; pictures of an earlier run with the same names are replaced. None are written without
    #[cfg_attr(feature = "clap", arg(skip))]
    pub out: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            model: "micah".to_owned(),
            seeds: Seeds((0..32).collect()),
            truncation_psi: 1.0,
            truncation_cutoff: None,
            noise_mode: Noise::default(),
            class: None,
            single: false,
            columns: 8,
            batch: 8,
            seed: 0,
            out: None,
        }
    }
}

/// The noise images of a model's layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Noise {
    /// The model's own
    #[default]
    Constant,
    /// Other ones for every image, the same in every run
    Random,
    /// No noise
    None,
}

/// What was generated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The model's name.
    pub model: String,
    /// As in the options.
    pub truncation_psi: f32,
    /// As in the options.
    pub truncation_cutoff: Option<usize>,
    /// In the order of the seeds.
    pub images: Vec<Image>,
    /// Side of the images, in pixels.
    #[serde(skip)]
    pub resolution: u32,
    /// Whether the observer ended the job, so that the last images are missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

/// A generated image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// The seed of its latent.
    pub seed: u32,
    /// Where it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<ShownPath>,
    /// Its row in a grid's file, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<usize>,
    /// Its column in a grid's file, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

/// Grids leave this many white pixels between images.
const PADDING: u32 = 2;
const WHITE: Rgb<u8> = Rgb([255; 3]);

impl Options {
    /// Whether the values make sense together, as far as that can be said before the model is known.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] names the first that does not.
    pub fn validate(&self) -> Result<(), Error> {
        if self.seeds.0.is_empty() {
            return Err(Error::option("seeds", "", "expected at least one"));
        }
        for (option, value) in [("columns", self.columns), ("batch", self.batch)] {
            if value == 0 {
                return Err(Error::option(option, value, "expected at least 1"));
            }
        }
        Ok(())
    }

    /// Images that pass the network together.
    fn at_once(&self) -> usize {
        match self.noise_mode {
            // Drawn for a batch as a whole: one image at a time keeps a seed's image the same whatever seeds stand beside it.
            Noise::Random => 1,
            Noise::Constant | Noise::None => usize::from(self.batch),
        }
    }

    fn noise(&self, seed: u32) -> NoiseMode {
        match self.noise_mode {
            Noise::Constant => NoiseMode::Constant,
            Noise::None => NoiseMode::None,
            Noise::Random => NoiseMode::Random {
                seed: (u64::from(self.seed) << 32) | u64::from(seed),
            },
        }
    }
}

/// Generates the images and shows each to the observer, under the name `seedNNNN`. What was made when the observer ends the job is written and returned.
///
/// # Errors
///
/// The model cannot be loaded or cannot be used with these options, or a file cannot be written.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    options.validate()?;
    let model = context.model(&options.model)?;
    model.check_truncation(options.truncation_psi)?;
    let num_ws = model.generator.synthesis.num_ws();
    if let Some(cutoff) = options.truncation_cutoff.filter(|cutoff| *cutoff > num_ws) {
        return Err(Error::option(
            "truncation_cutoff",
            cutoff,
            format!("{} has {num_ws} layers; give 0 to {num_ws}", model.name),
        ));
    }
    let class = class::check(options.class, &model)?;
    if let Some(out) = &options.out {
        files::make_folder(out)?;
    }
    let seeds = &options.seeds.0;
    observer.begin(&Phase::new("images", seeds.len()));
    let mut waiting: Vec<RgbImage> = Vec::new();
    let mut images: Vec<Image> = Vec::new();
    for batch in seeds.chunks(options.at_once()) {
        if observer.cancelled() {
            break;
        }
        let made = forward(options, &model, class, batch, context);
        for (seed, image) in batch.iter().zip(made) {
            observer.preview(&Preview::new(&format!("seed{seed:04}"), &image));
            let mut file = None;
            match &options.out {
                Some(out) if options.single => {
                    let name = format!("{}-seed{seed:04}", model.name);
                    let path = files::file(out, &name, "png");
                    write_png(&path, &image)?;
                    file = Some(ShownPath(path));
                }
                Some(_) => waiting.push(image),
                None => {}
            }
            images.push(Image {
                seed: *seed,
                file,
                row: None,
                column: None,
            });
        }
        observer.position(images.len() as u64);
    }
    observer.end();
    if let Some(out) = options.out.as_ref().filter(|_| !waiting.is_empty()) {
        let columns = usize::from(options.columns);
        let file = files::file(out, &format!("{}-grid", model.name), "png");
        write_png(&file, &grid(&waiting, columns, PADDING, WHITE))?;
        for (index, image) in images.iter_mut().enumerate() {
            image.file = Some(ShownPath(file.clone()));
            image.row = Some(index / columns);
            image.column = Some(index % columns);
        }
    }
    Ok(Outcome {
        model: model.name.clone(),
        truncation_psi: options.truncation_psi,
        truncation_cutoff: options.truncation_cutoff,
        resolution: model.resolution(),
        cancelled: images.len() < seeds.len(),
        images,
    })
}

fn forward(
    options: &Options,
    model: &Model,
    class: Option<usize>,
    seeds: &[u32],
    context: &Context,
) -> Vec<RgbImage> {
    let device = context.device();
    let truncation = Truncation {
        psi: options.truncation_psi,
        cutoff: options.truncation_cutoff,
    };
    let z = latents_from_seeds(seeds, model.generator.mapping.z_dim(), device);
    let labels = class::labels(class, seeds.len(), model, device);
    let noise = options.noise(seeds[0]);
    from_signed_unit(model.generator.forward(z, labels, truncation, &noise))
}
