//! How good a model is, measured for its card.

use std::ops::Range;
use std::path::{Path, PathBuf};

use backbones::FeatureNetworkKind;
use burn::tensor::Device;
use checkpoint::Checkpoint;
use feature_stats::{Ddof, Moments};
use lpips::{Lpips, Version};
use metrics_fid::{ImageFeatures, frechet_distance};
use model_zoo::Quality;
use stylegan2::Generator;
use vision_aided_finetune::ImageSet;

use crate::Failure;
use crate::diversity::{self, Diversity};
use crate::terminal::Asking;
use ganymede::features;
use ganymede::images::spread;
use ganymede::{Weights, digest, files, kept_moments, sampling};

/// Samples, and at most as many training images, that the Fréchet distance is measured with unless another number is asked for.
pub const FRECHET_IMAGES: u32 = 2000;

/// Side of the images that the features of the Fréchet distance are taken of: twice that of the zoo's images, and a third of the published side's pixels.
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
    interrupted: &'a dyn Fn() -> bool,
}

impl<'a> QualityMeter<'a> {
    /// `images` is the number of samples and the most training images of the Fréchet distance. Statistics are kept in `folder` while they are made, so
    /// that an interrupted measurement goes on.
    pub fn new(
        weights: &Weights,
        images: u32,
        folder: &Path,
        device: &'a Device,
        interrupted: &'a dyn Fn() -> bool,
    ) -> Result<Self, Failure> {
        let kind = FeatureNetworkKind::EfficientNetLite0;
        let file = features::embedded(kind, weights);
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
            interrupted,
        })
    }

    /// Diversity, and Fréchet distance from the training images, of the generator in a file; `None` when interrupted.
    pub fn measure(
        &self,
        name: &str,
        generator: &Path,
        images: &ImageSet,
    ) -> Result<Option<Quality>, Failure> {
        files::make_folder(&self.folder)?;
        let key = digest::of_file(generator)?;
        let generator = Generator::load(generator, self.device)?;
        let side = generator.config().img_resolution;
        if side != images.side() {
            return Err(format!(
                "{name}: it makes images of {side} pixels, its training images have {}; measure it with images of its size",
                images.side()
            )
            .into());
        }
        let images = &*images.for_channels(generator.config().img_channels);
        let real = spread(images.len(), self.images as usize);
        let counts = [real.len() as u64, u64::from(self.images)];
        let Some(real) = self.moments(
            images.fingerprint(),
            counts[0],
            &format!("{name}: images"),
            |range| {
                let chosen = &real[range.start as usize..range.end as usize];
                Ok(images.batch(chosen, &vec![false; chosen.len()], self.device))
            },
        )?
        else {
            return Ok(None);
        };
        let Some(samples) =
            self.moments(&key, counts[1], &format!("{name}: samples"), |range| {
                let seeds: Vec<u32> = (range.start as u32..range.end as u32).collect();
                sampling::checked(&generator, &seeds, self.device).map_err(|error| {
                    ganymede::Error::Model {
                        model: name.to_owned(),
                        problem: error.to_string(),
                    }
                })
            })?
        else {
            return Ok(None);
        };
        let distance = frechet_distance(
            &real.mean_covariance(Ddof::Sample)?,
            &samples.mean_covariance(Ddof::Sample)?,
        )?;
        let diversity = Diversity::measure(&generator, images, &self.lpips, self.device)?;
        Ok(Some(Quality {
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
        }))
    }

    /// Moments of the features of `count` images, `of` which the batch of a range is made by `batch`.
    fn moments(
        &self,
        of: &str,
        count: u64,
        what: &str,
        mut batch: impl FnMut(Range<u64>) -> Result<burn::tensor::Tensor<4>, ganymede::Error>,
    ) -> Result<Option<Moments>, Failure> {
        // Which images are chosen of a set depends on their number.
        let key = digest::short(&format!(
            "{of} {count} {} {}",
            self.features.name(),
            self.network
        ));
        let file = self.folder.join(format!("{key}.moments.safetensors"));
        let found = kept_moments::accumulate(
            Some(&file),
            self.features.dimension(),
            count,
            what,
            &mut Asking::new(self.interrupted),
            |range| Ok(self.features.of_tensor(batch(range)?)),
        );
        match found {
            Ok(moments) => Ok(Some(moments)),
            Err(ganymede::Error::Cancelled) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Says when a model has lost too much of its data's diversity.
pub fn warn_of_collapse(name: &str, quality: &Quality) {
    if let Some(ratio) = quality
        .diversity_ratio
        .filter(|ratio| *ratio < LEAST_DIVERSITY)
    {
        eprintln!(
            "warning: the samples of {name} have {ratio:.2} of the diversity of their data, expected at least {LEAST_DIVERSITY}; train on, or with --augment"
        );
    }
}

/// A number as cards show it.
pub fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}
