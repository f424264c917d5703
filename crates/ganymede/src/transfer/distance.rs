//! The Fréchet distance of a generator along the way.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use feature_stats::{Ddof, Moments};
use metrics_fid::{FeatureSet, FrechetReference, ImageFeatures, Keep, generated_features};
use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use stylegan2::{Generator, RandomState, Truncation};
use vision_aided_finetune::{ImageSet, Log};
use web_time::Instant;

use crate::{Error, Observer, Phase, sampling};

/// Images that pass the network together.
const BATCH: usize = 16;

/// How far a generator's images are from real ones after some training: one line of `distances.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Iterations before it.
    pub iteration: u64,
    /// Thousands of real images shown so far.
    pub kimg: f64,
    /// To the reference images.
    pub frechet_distance: f64,
    /// To the training images themselves.
    pub frechet_distance_training: f64,
    /// Distances to the reference of as many images drawn from these with replacement: how much it owes to which images
    /// there were. Draws of one number are of the same latents in all measurements. Empty where none were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resampled: Vec<f64>,
    /// How long measuring took, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measuring_seconds: Option<f64>,
}

/// A run's measurements.
pub type Distances = Log<Measurement>;

/// Where a run keeps its measurements.
pub fn distances_file(folder: &Path) -> PathBuf {
    folder.join("distances.jsonl")
}

/// The measurement with the least distance to the reference, the earliest of several.
pub fn best(measurements: &[Measurement]) -> Option<&Measurement> {
    measurements
        .iter()
        .min_by(|a, b| a.frechet_distance.total_cmp(&b.frechet_distance))
}

/// What generators are measured by: real images' features, and the network that gives them.
pub struct Yardstick {
    features: ImageFeatures,
    samples: u32,
    resamples: u32,
    reference: FrechetReference,
    training: FrechetReference,
}

impl Yardstick {
    /// Prepares the reference and the training images, for measurements of `samples` images and `resamples` draws of
    /// these; the reference's statistics are kept in the folder `statistics`, named by what they are of.
    ///
    /// # Errors
    ///
    /// A file cannot be read or written; [`Error::Cancelled`] when the observer ends the job.
    pub fn new(
        features: &ImageFeatures,
        [samples, resamples]: [u32; 2],
        reference: &ImageSet,
        training: &ImageSet,
        statistics: &Path,
        observer: &mut dyn Observer,
        device: &Device,
    ) -> Result<Self, Error> {
        let mut of =
            |images, what| statistics_of(features, images, what, statistics, observer, device);
        let (reference, training) = (
            of(reference, "reference images")?,
            of(training, "training images")?,
        );
        let prepared = |moments: Moments| -> Result<FrechetReference, Error> {
            Ok(FrechetReference::new(
                &moments.mean_covariance(Ddof::Sample)?,
            )?)
        };
        Ok(Self {
            features: features.clone(),
            samples,
            resamples,
            reference: prepared(reference)?,
            training: prepared(training)?,
        })
    }

    /// Measures a generator after `iteration` iterations.
    ///
    /// # Errors
    ///
    /// Its images are not finite; [`Error::Cancelled`] when the observer ends the job.
    pub fn measure(
        &self,
        generator: &Generator,
        iteration: u64,
        images_shown: u64,
        observer: &mut dyn Observer,
        device: &Device,
    ) -> Result<Measurement, Error> {
        let begin = Instant::now();
        let seeds = (0..self.samples).collect();
        let batches = sampling::batches(generator, None, seeds, Truncation::NONE, BATCH, device);
        observer.begin(&Phase::new("measuring", self.samples as usize));
        let keep = match self.resamples {
            0 => Keep::Moments,
            _ => Keep::Features,
        };
        let set = generated_features(&self.features, batches, keep, |done| {
            observer.position(done);
            observer.flow()
        });
        observer.end();
        let set = set?;
        let statistics = set.mean_covariance()?;
        Ok(Measurement {
            iteration,
            kimg: images_shown as f64 / 1000.0,
            frechet_distance: self.reference.distance(&statistics)?,
            frechet_distance_training: self.training.distance(&statistics)?,
            resampled: match set.features() {
                Some(features) => self.resampled(features)?,
                None => Vec::new(),
            },
            measuring_seconds: Some(begin.elapsed().as_secs_f64()),
        })
    }

    /// Distances of draws of the images, the same draws whatever the features.
    fn resampled(&self, features: ArrayView2<'_, f32>) -> Result<Vec<f64>, Error> {
        let count = features.nrows();
        let mut random = RandomState::new(0);
        (0..self.resamples)
            .map(|_| {
                let rows: Vec<usize> = (0..count)
                    .map(|_| (random.uniform() * count as f64) as usize)
                    .collect();
                let mut drawn = FeatureSet::new(features.ncols(), Keep::Moments);
                drawn.add_rows(features.select(Axis(0), &rows).view())?;
                Ok(self.reference.distance(&drawn.mean_covariance()?)?)
            })
            .collect()
    }

    /// What the distances are to be called.
    pub fn distance_name(&self) -> String {
        self.features.distance_name()
    }
}

/// Moments of the features of real images, from the file where they were computed before.
fn statistics_of(
    features: &ImageFeatures,
    images: &ImageSet,
    what: &str,
    folder: &Path,
    observer: &mut dyn Observer,
    device: &Device,
) -> Result<Moments, Error> {
    let file = statistics_file(features, images, folder);
    if file.is_file() {
        return Ok(Moments::load(&file)?);
    }
    observer.begin(&Phase::new(what, images.len()));
    let starts = (0..images.len()).step_by(BATCH);
    let batches = starts.map(|start| {
        let indices: Vec<usize> = (start..(start + BATCH).min(images.len())).collect();
        images.batch(&indices, &vec![false; indices.len()], device)
    });
    let set = generated_features(features, batches, Keep::Moments, |done| {
        observer.position(done);
        observer.flow()
    });
    observer.end();
    let set = set?;
    set.moments().save(&file)?;
    Ok(set.moments().clone())
}

fn statistics_file(features: &ImageFeatures, images: &ImageSet, folder: &Path) -> PathBuf {
    /// Enough of a SHA-256 to tell sets of images apart.
    const DIGITS: usize = 16;
    let network: String = features
        .name()
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '-' })
        .collect();
    let fingerprint = images.fingerprint();
    let hash = fingerprint.rsplit(':').next().unwrap_or(fingerprint);
    folder.join(format!(
        "{network}-{}.moments.safetensors",
        &hash[..hash.len().min(DIGITS)]
    ))
}
