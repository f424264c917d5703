//! Latents by what users have: seeds, files of an inversion, images.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use burn::tensor::{Device, Tensor, TensorData};
use checkpoint_file::shown;
use image_source::{BadImages, SourceImage};
use lpips::Lpips;
use ndarray::Array2;
use stylegan2::{LatentFile, Truncation, latents_from_seeds};

use serde::{Deserialize, Serialize};

pub use crate::feature_offset::Offset;
use crate::images::{Target, for_each_image, only_image};
use crate::invert::{Search, Settings};
use crate::{Context, Error, Model, Observer, Warning, class};

/// A latent, and what is added to the features that it makes.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundLatent {
    /// `[num_ws, w_dim]`.
    pub w_plus: Array2<f32>,
    /// Of a refined inversion.
    pub offset: Option<Offset>,
}

impl From<Array2<f32>> for FoundLatent {
    fn from(w_plus: Array2<f32>) -> Self {
        Self {
            w_plus,
            offset: None,
        }
    }
}

/// Where a latent comes from. Its text is a seed, or a path: of a file of latents by its extension, else of an image.
///
/// ```
/// use ganymede::latents::LatentSource;
///
/// let Ok(source) = "17".parse::<LatentSource>();
/// assert_eq!(source, LatentSource::Seed(17));
/// let Ok(source) = "face.png".parse::<LatentSource>();
/// assert_eq!(source, LatentSource::Image("face.png".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum LatentSource {
    /// The latent that the official code draws for a seed.
    Seed(u32),
    /// A file of latents, such as `invert` and other projectors write.
    File(PathBuf),
    /// The inversion of an image.
    Image(PathBuf),
    /// The inversion of an image that has been read, such as one of an archive.
    Decoded(Box<SourceImage>),
}

impl FromStr for LatentSource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        if let Ok(seed) = text.parse() {
            return Ok(Self::Seed(seed));
        }
        let path = PathBuf::from(text);
        Ok(if LatentFile::is_named_so(&path) {
            Self::File(path)
        } else {
            Self::Image(path)
        })
    }
}

impl From<String> for LatentSource {
    fn from(text: String) -> Self {
        let Ok(source) = text.parse();
        source
    }
}

impl From<LatentSource> for String {
    fn from(source: LatentSource) -> Self {
        match source {
            LatentSource::Seed(seed) => seed.to_string(),
            other => other.to_string(),
        }
    }
}

/// As results name it.
impl fmt::Display for LatentSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seed(seed) => write!(f, "seed {seed}"),
            Self::File(path) | Self::Image(path) => path.display().fmt(f),
            Self::Decoded(image) => image.name.fmt(f),
        }
    }
}

/// How sources become latents of a model.
pub struct LatentSettings<'a> {
    /// Truncation of seeds.
    pub truncation_psi: f32,
    /// Class of seeds.
    pub class: Option<usize>,
    /// How images are inverted.
    pub inversion: &'a Settings,
    /// Of what is random in that.
    pub seed: u32,
    /// Where the model is, and the weights that a regressed start needs.
    pub context: &'a Context,
    /// The distance that images are inverted by.
    pub metric: &'a Lpips,
}

impl LatentSettings<'_> {
    /// Latents of all sources in their order. Images are inverted together; those that an observer ends early are as
    /// far as they came.
    ///
    /// # Errors
    ///
    /// The model has no mean latent to truncate towards or no such class, a file cannot be read or is of latents of
    /// another shape, or an image cannot be inverted.
    pub fn load(
        &self,
        sources: &[LatentSource],
        model: &Model,
        observer: &mut dyn Observer,
    ) -> Result<Vec<FoundLatent>, Error> {
        let device = self.context.device();
        model.check_truncation(self.truncation_psi)?;
        let class = class::check(self.class, model)?;
        // All images are read first, so that a wrong name is found before the work and not after it.
        let images: Vec<Target> = sources
            .iter()
            .filter_map(|source| match source {
                LatentSource::Image(path) => Some(Target::load(path, model.resolution())),
                LatentSource::Decoded(image) => {
                    Some(Ok(Target::of((**image).clone(), model.resolution())))
                }
                _ => None,
            })
            .collect::<Result<_, _>>()?;
        let mut inverted = self.invert(&images, model, observer)?.into_iter();
        sources
            .iter()
            .map(|source| match source {
                LatentSource::Seed(seed) => {
                    let mapping = &model.generator.mapping;
                    let z = latents_from_seeds(&[*seed], mapping.z_dim(), device);
                    let labels = class::labels(class, 1, model, device);
                    let truncation = Truncation::psi(self.truncation_psi);
                    let w_plus = mapping.forward(z, labels, truncation);
                    Ok(from_tensor(w_plus).remove(0).into())
                }
                LatentSource::File(path) => read(path, model, observer),
                LatentSource::Image(_) | LatentSource::Decoded(_) => {
                    Ok(inverted.next().expect("all images were inverted"))
                }
            })
            .collect()
    }

    fn invert(
        &self,
        targets: &[Target],
        model: &Model,
        observer: &mut dyn Observer,
    ) -> Result<Vec<FoundLatent>, Error> {
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let search = Search::new(
            self.inversion,
            self.seed,
            model,
            self.metric,
            self.context,
            observer,
        )?;
        let mut latents = Vec::with_capacity(targets.len());
        for batch in targets.chunks(search.batch()) {
            let pixels: Vec<_> = batch.iter().map(|target| target.pixels.clone()).collect();
            let what = format!(
                "inverting image {} of {}",
                latents.len() + batch.len(),
                targets.len()
            );
            let found = search.run(&pixels, &what, observer, |_, _| {})?;
            latents.extend(found.iter().map(|found| found.latent()));
        }
        Ok(latents)
    }
}

/// Sources with the images of folders and archives in place of those; see [`for_each_image`].
///
/// # Errors
///
/// As there.
pub fn expand(
    sources: Vec<LatentSource>,
    bad_images: BadImages,
    observer: &mut dyn Observer,
) -> Result<Vec<LatentSource>, Error> {
    let mut expanded = Vec::with_capacity(sources.len());
    for source in sources {
        let LatentSource::Image(path) = source else {
            expanded.push(source);
            continue;
        };
        for_each_image(&[path], bad_images, observer, |image| {
            expanded.push(LatentSource::Decoded(Box::new(image)));
            Ok(())
        })?;
    }
    Ok(expanded)
}

/// A source; the only image of a folder or an archive in place of that.
///
/// # Errors
///
/// As [`only_image`].
pub fn expand_one(
    source: LatentSource,
    bad_images: BadImages,
    observer: &mut dyn Observer,
) -> Result<LatentSource, Error> {
    Ok(match source {
        LatentSource::Image(path) => {
            LatentSource::Decoded(Box::new(only_image(&path, bad_images, observer)?))
        }
        other => other,
    })
}

/// The first latent of a file, with a note where there are more or it is of another model.
fn read(path: &Path, model: &Model, observer: &mut dyn Observer) -> Result<FoundLatent, Error> {
    let synthesis = &model.generator.synthesis;
    let (layers, features) = (synthesis.num_ws(), synthesis.w_dim());
    let file = LatentFile::read(path, layers, features)?;
    if let Some(note) = file.note_for(&model.name) {
        observer.warn(&Warning::Latents(format!("{}: {note}", path.display())));
    }
    let count = file.latents.len();
    let first = file
        .latents
        .into_iter()
        .next()
        .expect("a file of latents has one");
    if count > 1 {
        observer.warn(&Warning::Latents(format!(
            "{}: {count} latents, of which the first is taken, {}",
            path.display(),
            shown(&first.name)
        )));
    }
    let offset = file
        .offset
        .map(|offset| Offset::of_file(offset, model))
        .transpose()?;
    Ok(FoundLatent {
        w_plus: Array2::from_shape_vec((layers, features), first.w_plus)
            .expect("read as latents of this shape"),
        offset,
    })
}

/// The latents alone.
pub fn without_offsets(latents: Vec<FoundLatent>) -> Vec<Array2<f32>> {
    latents.into_iter().map(|latent| latent.w_plus).collect()
}

/// `w_plus` `[batch, num_ws, w_dim]` of latents of one shape.
pub fn to_tensor(latents: &[Array2<f32>], device: &Device) -> Tensor<3> {
    let (layers, features) = latents[0].dim();
    let values: Vec<f32> = latents.iter().flatten().copied().collect();
    Tensor::from_data(
        TensorData::new(values, [latents.len(), layers, features]),
        device,
    )
}

/// The latents of `w_plus` `[batch, num_ws, w_dim]`.
pub fn from_tensor(w_plus: Tensor<3>) -> Vec<Array2<f32>> {
    let [_, layers, features] = w_plus.dims();
    let values: Vec<f32> = w_plus
        .into_data()
        .convert::<f32>()
        .try_to_vec()
        .expect("converted to f32 above");
    values
        .chunks_exact(layers * features)
        .map(|latent| {
            Array2::from_shape_vec((layers, features), latent.to_vec())
                .expect("cut to this size above")
        })
        .collect()
}
