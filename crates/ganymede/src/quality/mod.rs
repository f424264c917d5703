//! How good a model is, as its card says: distance from its data, diversity, samples among real images, and the
//! inversion of held-out images.

mod diversity;
mod gates;

use std::ops::Range;
use std::path::{Path, PathBuf};

use backbones::FeatureNetworkKind;
use burn::tensor::{Device, Tensor};
use checkpoint_file::Checkpoint;
use feature_stats::{Ddof, Moments};
use lpips::{Lpips, Version};
use metrics_fid::{ImageFeatures, frechet_distance};
use model_zoo::Quality;
use stylegan2::{Generator, Truncation};
use vision_aided_finetune::ImageSet;

pub use diversity::DiversityComparison;
pub use gates::{FeatureMeter, Gates, JUDGES, compared, held_out_inversion};

use crate::images::spread;
use crate::{Error, Observer, Warning, Weights, digest, features, files, kept_moments, sampling};

/// Samples, and at most as many training images, that the Fréchet distance is measured with unless another number is
/// asked for.
pub const FRECHET_IMAGES: u32 = 2000;

/// Side of the images that the features of the Fréchet distance are taken of: twice that of the zoo's images, and a
/// third of the published side's pixels.
const FEATURES_SIDE: u32 = 128;

/// Their name in cards: `fid` sees images at the published side, so that its values are others.
const FEATURES: &str = "efficientnet_lite0, whole picture at 128 pixels";

/// Below this share of the data's diversity a model has lost a part of its style.
pub const LEAST_DIVERSITY: f64 = 0.6;

/// Measures models of the zoo, all in the same way.
pub struct QualityMeter<'a> {
    lpips: Lpips,
    features: ImageFeatures,
    /// Of the features' weights.
    network: String,
    images: u32,
    folder: PathBuf,
    device: &'a Device,
}

impl<'a> QualityMeter<'a> {
    /// `images` is the number of samples and the most training images of the Fréchet distance. Statistics are kept in
    /// `folder` while they are made, so that an interrupted measurement goes on.
    ///
    /// # Errors
    ///
    /// The networks' weights are not in the weights folder.
    pub fn new(
        weights: &Weights,
        images: u32,
        folder: &Path,
        device: &'a Device,
    ) -> Result<Self, Error> {
        let kind = FeatureNetworkKind::EfficientNetLite0;
        let file = features::embedded(kind, weights)?;
        let extractor = kind.load(&Checkpoint::open(&file)?, device)?;
        Ok(Self {
            lpips: Lpips::load(
                diversity::NETWORK,
                Version::V0_1,
                weights.features(),
                device,
            )?,
            features: features::whole_picture(extractor, FEATURES, FEATURES_SIDE).into(),
            network: digest::of_file(&file)?,
            images,
            folder: folder.to_owned(),
            device,
        })
    }

    /// Diversity, and Fréchet distance from the training images, of the generator in a file.
    ///
    /// # Errors
    ///
    /// The file holds no generator of images of this size, or of finite ones; a file cannot be written;
    /// [`Error::Cancelled`] when the observer ends the job.
    pub fn measure(
        &self,
        name: &str,
        generator: &Path,
        images: &ImageSet,
        observer: &mut dyn Observer,
    ) -> Result<Quality, Error> {
        files::make_folder(&self.folder)?;
        let key = digest::of_file(generator)?;
        let generator = Generator::load(generator, self.device)?;
        let side = generator.config().img_resolution;
        if side != images.side() {
            return Err(Error::Model {
                model: name.to_owned(),
                problem: format!(
                    "it makes images of {side} pixels, its training images have {}; measure it with images of its size",
                    images.side()
                ),
            });
        }
        let images = &*images.for_channels(generator.config().img_channels);
        let real = spread(images.len(), self.images as usize);
        let counts = [real.len() as u64, u64::from(self.images)];
        let real = self.moments(
            images.fingerprint(),
            counts[0],
            &format!("{name}: images"),
            |range| {
                let chosen = &real[range.start as usize..range.end as usize];
                Ok(images.batch(chosen, &vec![false; chosen.len()], self.device))
            },
            observer,
        )?;
        let samples = self.moments(
            &key,
            counts[1],
            &format!("{name}: samples"),
            |range| {
                let seeds: Vec<u32> = (range.start as u32..range.end as u32).collect();
                sampling::checked(&generator, &seeds, None, Truncation::NONE, self.device)
                    .map_err(Error::of_model(name))
            },
            observer,
        )?;
        let distance = frechet_distance(
            &real.mean_covariance(Ddof::Sample)?,
            &samples.mean_covariance(Ddof::Sample)?,
        )?;
        let diversity = DiversityComparison::measure(&generator, images, &self.lpips, self.device)?;
        Ok(Quality {
            diversity_protocol: Some(format!(
                "mean LPIPS (alex, v0.1) of all pairs of {0} images: seeds 0 to {1} at psi 1, and training images",
                diversity::IMAGES,
                diversity::IMAGES - 1
            )),
            diversity_samples: Some(rounded(diversity.samples.into(), 4)),
            diversity_real: Some(rounded(diversity.real.into(), 4)),
            diversity_ratio: Some(rounded(diversity.ratio().into(), 3)),
            frechet_protocol: Some(format!(
                "squared Fréchet distance of the features of images of {FEATURES_SIDE} pixels, not a FID; seeds 0 to {} at psi 1, and {} of {} training images, spread evenly",
                counts[1] - 1,
                counts[0],
                images.len()
            )),
            frechet_features: Some(self.features.name().to_owned()),
            frechet_distance: Some(rounded(distance, 3)),
            frechet_samples: Some(counts[1]),
            frechet_real: Some(counts[0]),
            features: Default::default(),
            inversion: None,
            further: Default::default(),
        })
    }

    /// Moments of the features of `count` images, `of` which the batch of a range is made by `batch`.
    fn moments(
        &self,
        of: &str,
        count: u64,
        what: &str,
        mut batch: impl FnMut(Range<u64>) -> Result<Tensor<4>, Error>,
        observer: &mut dyn Observer,
    ) -> Result<Moments, Error> {
        // Which images are chosen of a set depends on their number.
        let key = digest::short(&format!(
            "{of} {count} {} {}",
            self.features.name(),
            self.network
        ));
        let file = self.folder.join(format!("{key}.moments.safetensors"));
        kept_moments::accumulate(
            Some(&file),
            self.features.dimension(),
            count,
            what,
            observer,
            |range| Ok(self.features.of_tensor(batch(range)?)),
        )
    }
}

/// Says when a model has lost too much of its data's diversity.
pub(crate) fn warn_of_collapse(name: &str, quality: &Quality, observer: &mut dyn Observer) {
    if let Some(ratio) = quality
        .diversity_ratio
        .filter(|ratio| *ratio < LEAST_DIVERSITY)
    {
        observer.warn(&Warning::Collapsed {
            model: name.to_owned(),
            ratio,
            least: LEAST_DIVERSITY,
        });
    }
}

/// A number as cards show it.
pub(crate) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}
