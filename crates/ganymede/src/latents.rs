//! Latents by what users have: seeds, files of an inversion, images.

use ganymede::class;
use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use burn::tensor::{Device, Tensor, TensorData};
use checkpoint::shown;
use image_source::SourceImage;
use lpips::Lpips;
use ndarray::Array2;
use stylegan2::{LatentFile, Truncation, latents_from_seeds};

use crate::interrupt::Interrupt;
use crate::inversion_args::InversionArgs;
use crate::{Failure, progress};
use ganymede::Model;
use ganymede::device::DeviceChoice;
use ganymede::images::{Target, to_targets};

/// Where a latent comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub inversion: &'a InversionArgs,
    /// Of what is random in that.
    pub seed: u32,
    /// Decides how often losses are read.
    pub device_choice: DeviceChoice,
    /// Where the model is.
    pub device: &'a Device,
    /// The distance that images are inverted by.
    pub metric: &'a Lpips,
    /// Ends inversions early.
    pub interrupt: &'a Interrupt,
}

impl LatentSettings<'_> {
    /// Latents `[num_ws, w_dim]` of all sources in their order. Images are inverted together.
    pub fn load(
        &self,
        sources: &[LatentSource],
        model: &Model,
    ) -> Result<Vec<Array2<f32>>, Failure> {
        check_truncation(self.truncation_psi, model)?;
        let class = class::check(self.class, model)?;
        // All images are read first, so that a wrong name is found before the work and not after it.
        let images: Vec<Target> = sources
            .iter()
            .filter_map(|source| match source {
                LatentSource::Image(path) => {
                    Some(Target::load(path, model.resolution()).map_err(Failure::from))
                }
                LatentSource::Decoded(image) => {
                    Some(Ok(Target::of((**image).clone(), model.resolution())))
                }
                _ => None,
            })
            .collect::<Result<_, _>>()?;
        let mut inverted = self.invert(&images, model)?.into_iter();
        sources
            .iter()
            .map(|source| match source {
                LatentSource::Seed(seed) => {
                    let mapping = &model.generator.mapping;
                    let z = latents_from_seeds(&[*seed], mapping.z_dim(), self.device);
                    let labels = class::labels(class, 1, model, self.device);
                    let truncation = Truncation::psi(self.truncation_psi);
                    Ok(from_tensor(mapping.forward(z, labels, truncation)).remove(0))
                }
                LatentSource::File(path) => read(path, model),
                LatentSource::Image(_) | LatentSource::Decoded(_) => {
                    Ok(inverted.next().expect("all images were inverted"))
                }
            })
            .collect()
    }

    fn invert(&self, targets: &[Target], model: &Model) -> Result<Vec<Array2<f32>>, Failure> {
        if !targets.is_empty() {
            self.inversion.check_side(&model.name, model.resolution())?;
        }
        let config = self.inversion.config(self.seed, self.device_choice);
        let mut latents = Vec::with_capacity(targets.len());
        for batch in targets.chunks(usize::from(self.inversion.batch)) {
            let pixels: Vec<_> = batch.iter().map(|target| target.pixels.clone()).collect();
            let what = format!(
                "inverting image {} of {}",
                latents.len() + batch.len(),
                targets.len()
            );
            let bar = progress::bar(config.steps, &what);
            let inversions = inversion::invert(
                &model.generator,
                self.metric,
                to_targets(&pixels, &model.generator, self.device),
                &config,
                |now| {
                    progress::show_inversion(&bar, now);
                    self.interrupt.flow()
                },
            )?;
            bar.finish_and_clear();
            latents.extend(
                inversions
                    .into_iter()
                    .flat_map(|inversion| from_tensor(inversion.best.w_plus)),
            );
        }
        Ok(latents)
    }
}

/// Whether latents of the model can be truncated so.
pub fn check_truncation(psi: f32, model: &Model) -> Result<(), Failure> {
    if !psi.is_finite() {
        return Err(
            format!("--truncation-psi {psi}: not a number that latents can be scaled by").into(),
        );
    }
    if psi != 1.0 && !model.generator.mapping.tracks_w_avg() {
        return Err(format!(
            "--truncation-psi {psi}: {} has no mean latent to truncate towards; use --truncation-psi 1",
            model.name
        )
        .into());
    }
    Ok(())
}

/// The first latent of a file, with a note where there are more or it is of another model.
fn read(path: &Path, model: &Model) -> Result<Array2<f32>, Failure> {
    let synthesis = &model.generator.synthesis;
    let (layers, features) = (synthesis.num_ws(), synthesis.w_dim());
    let file = LatentFile::read(path, layers, features)?;
    if let Some(note) = file.note_for(&model.name) {
        eprintln!("{}: {note}", path.display());
    }
    let count = file.latents.len();
    let first = file
        .latents
        .into_iter()
        .next()
        .ok_or("a file of latents has one")?;
    if count > 1 {
        eprintln!(
            "{}: {count} latents, of which the first is taken, {}",
            path.display(),
            shown(&first.name)
        );
    }
    Ok(Array2::from_shape_vec((layers, features), first.w_plus)?)
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
