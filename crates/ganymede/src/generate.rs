//! Makes images from seeds, or from latents in files.
//!
//! A seed gives the image that the official generator script gives for it.

use std::path::PathBuf;

use checkpoint_file::{file_name, shown};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use stylegan2::{LatentFile, NoiseMode, Truncation, latents_from_seeds};

use crate::feature_offset;
use crate::files::{self, Names, ShownPath};
use crate::latents::{FoundLatent, Offset, to_tensor};
use crate::model_image::{self, ModelImage};
use crate::rendering::synthesize;
use crate::{
    Context, DEFAULT_MODEL, Error, Model, Observer, Phase, Preview, Seeds, Warning, class,
};

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
    /// A file of latents in place of seeds, of this or other tools: .safetensors, .npz, .npy or .pt; refined ones with
    /// their features; may be repeated
    #[cfg_attr(
        feature = "clap",
        arg(long, visible_alias = "latent", value_name = "FILE")
    )]
    pub latents: Vec<PathBuf>,
    /// Truncation: 1 leaves latents as they are, smaller values pull them to the mean
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().truncation_psi, allow_negative_numbers = true))]
    pub truncation_psi: f32,
    /// Truncate only this many of the first layers
    #[cfg_attr(feature = "clap", arg(long, value_name = "LAYERS"))]
    pub truncation_cutoff: Option<usize>,
    /// Noise images; random ones are drawn from --seed
    #[cfg_attr(feature = "clap", arg(long, value_enum, default_value_t))]
    pub noise_mode: LayerNoise,
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
            model: DEFAULT_MODEL.to_owned(),
            seeds: Seeds((0..32).collect()),
            latents: Vec::new(),
            truncation_psi: 1.0,
            truncation_cutoff: None,
            noise_mode: LayerNoise::default(),
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
pub enum LayerNoise {
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
    /// In the order of the seeds or latents.
    pub images: Vec<Image>,
    /// Side of the images, in pixels.
    #[serde(skip)]
    pub resolution: u32,
    /// How many images were asked for.
    #[serde(skip)]
    pub wanted: usize,
    /// Whether the observer ended the job, so that the last images are missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

/// A generated image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// The seed of its latent, where it was drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// The file of its latent and its place there, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latent: Option<String>,
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
            // Drawn for a batch as a whole: one image at a time keeps a seed's image the same whatever seeds stand
            // beside it.
            LayerNoise::Random => 1,
            LayerNoise::Constant | LayerNoise::None => usize::from(self.batch),
        }
    }

    fn noise(&self, seed: u32) -> NoiseMode {
        match self.noise_mode {
            LayerNoise::Constant => NoiseMode::Constant,
            LayerNoise::None => NoiseMode::None,
            LayerNoise::Random => NoiseMode::Random {
                seed: (u64::from(self.seed) << 32) | u64::from(seed),
            },
        }
    }
}

/// Where the latent of an image comes from.
enum Source {
    Seed(u32),
    /// Of a file: what to call the image, where the latent stands, and the latent.
    File(String, String, FoundLatent),
}

impl Source {
    /// The image's name in files and previews.
    fn name(&self) -> String {
        match self {
            Self::Seed(seed) => format!("seed{seed:04}"),
            Self::File(name, ..) => name.clone(),
        }
    }

    fn seed(&self) -> Option<u32> {
        match self {
            Self::Seed(seed) => Some(*seed),
            Self::File(..) => None,
        }
    }

    fn offset_block(&self) -> Option<usize> {
        Some(self.found()?.offset.as_ref()?.block)
    }

    fn found(&self) -> Option<&FoundLatent> {
        match self {
            Self::Seed(_) => None,
            Self::File(_, _, found) => Some(found),
        }
    }

    fn latent(&self) -> Option<String> {
        match self {
            Self::Seed(_) => None,
            Self::File(_, place, _) => Some(place.clone()),
        }
    }
}

/// All latents that were asked for, in their order.
fn sources(
    options: &Options,
    model: &Model,
    observer: &mut dyn Observer,
) -> Result<Vec<Source>, Error> {
    if options.latents.is_empty() {
        return Ok(options.seeds.0.iter().copied().map(Source::Seed).collect());
    }
    let synthesis = &model.generator.synthesis;
    let mut names = Names::default();
    let mut found = Vec::new();
    for path in &options.latents {
        let file = LatentFile::read(path, synthesis.num_ws(), synthesis.w_dim())?;
        if let Some(note) = file.note_for(&model.name) {
            observer.warn(&Warning::Latents(format!("{}: {note}", path.display())));
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let offset = file.offset.map(|offset| Offset::of_file(offset, model));
        let offset = offset.transpose()?;
        for latent in file.latents {
            let name = names.unique(&file_name(&stem));
            let place = format!("{}: {}", path.display(), shown(&latent.name));
            let shape = (synthesis.num_ws(), synthesis.w_dim());
            let latent = FoundLatent {
                w_plus: Array2::from_shape_vec(shape, latent.w_plus)
                    .expect("read as latents of this shape"),
                offset: offset.clone(),
            };
            found.push(Source::File(name, place, latent));
        }
    }
    Ok(found)
}

/// Generates the images and shows each to the observer, under the name `seedNNNN` or its file's. What was made when the
/// observer ends the job is written and returned. Pictures of a model with opacity are RGBA, previews of it over white.
///
/// # Errors
///
/// The model cannot be loaded or cannot be used with these options, an image is not finite, or a file cannot be read or
/// written.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    options.validate()?;
    let model = context.model(&options.model)?;
    model.check_truncation(options.truncation_psi)?;
    let layers = model.generator.synthesis.num_ws();
    if let Some(cutoff) = options.truncation_cutoff.filter(|cutoff| *cutoff > layers) {
        return Err(Error::option(
            "truncation_cutoff",
            cutoff,
            format!("{} has {layers} layers", model.name),
        ));
    }
    let class = match options.latents.as_slice() {
        [] => class::check(options.class, &model)?,
        // Of latents the class is decided.
        _ => None,
    };
    let sources = sources(options, &model, observer)?;
    if let Some(out) = &options.out {
        files::make_folder(out)?;
    }
    observer.begin(&Phase::new("images", sources.len()));
    let mut waiting: Vec<ModelImage> = Vec::new();
    let mut images: Vec<Image> = Vec::new();
    // Offsets behind different blocks are no batch.
    let alike = sources.chunk_by(|a, b| a.offset_block() == b.offset_block());
    for batch in alike.flat_map(|sources| sources.chunks(options.at_once())) {
        if observer.cancelled() {
            break;
        }
        let made = forward(options, &model, class, batch, context)?;
        for (source, picture) in batch.iter().zip(made) {
            let name = source.name();
            observer.preview(&Preview::new(&name, &picture.opaque()));
            let mut file = None;
            match &options.out {
                Some(out) if options.single => {
                    let path = files::file(out, &format!("{}-{name}", model.name), "png");
                    picture.write(&path)?;
                    file = Some(ShownPath(path));
                }
                Some(_) => waiting.push(picture),
                None => {}
            }
            images.push(Image {
                seed: source.seed(),
                latent: source.latent(),
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
        model_image::sheet(&waiting, columns, PADDING).write(&file)?;
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
        wanted: sources.len(),
        cancelled: images.len() < sources.len(),
        images,
    })
}

fn forward(
    options: &Options,
    model: &Model,
    class: Option<usize>,
    batch: &[Source],
    context: &Context,
) -> Result<Vec<ModelImage>, Error> {
    let device = context.device();
    let truncation = Truncation {
        psi: options.truncation_psi,
        cutoff: options.truncation_cutoff,
    };
    let generator = &model.generator;
    let seeds: Vec<u32> = batch.iter().filter_map(Source::seed).collect();
    let found: Vec<&FoundLatent> = batch.iter().filter_map(Source::found).collect();
    let offsets: Vec<Option<&Offset>> = found.iter().map(|found| found.offset.as_ref()).collect();
    let offset = feature_offset::batch(&offsets, device)?;
    let w_plus = if seeds.is_empty() {
        let latents: Vec<Array2<f32>> = found.iter().map(|found| found.w_plus.clone()).collect();
        to_tensor(&latents, device)
    } else {
        let z = latents_from_seeds(&seeds, generator.mapping.z_dim(), device);
        let labels = class::labels(class, seeds.len(), model, device);
        generator.mapping.forward(z, labels, truncation)
    };
    let noise = options.noise(seeds.first().copied().unwrap_or_default());
    let images = synthesize(generator, w_plus.clone(), &noise, offset.as_ref());
    generator
        .check_finite(&images, &w_plus, &noise)
        .map_err(Error::of_model(&model.name))?;
    Ok(ModelImage::from_signed_unit(images))
}
