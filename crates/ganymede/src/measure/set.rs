//! The two sides of a comparison.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use feature_stats::{Ddof, MeanCovariance, Moments};
use image_tensor::{RgbImage, from_signed_unit};
use metrics_fid::{
    FeatureSet, ImageFeatures, ImageSource, Keep, MetricsError, StreamOptions, generated_features,
    read_npz_statistics, stored_features,
};
use serde::{Deserialize, Serialize};
use stylegan2::Truncation;

use crate::{Error, Model, Observer, Phase, class, sampling};

/// Images of a set that are kept to look at and for distances between them.
pub const FIRST_IMAGES: usize = 200;

/// One side: statistics, and the features where there are images.
pub struct Set {
    source: String,
    pub statistics: MeanCovariance,
    pub images: Option<FeatureSet>,
    /// Up to [`FIRST_IMAGES`] images that were generated; those of files can be read again.
    pub first_images: Vec<RgbImage>,
    /// The files, where they are images.
    pub files: Option<ImageSource>,
    /// Number of images, where it is known.
    count: Option<u64>,
    skipped: Vec<MetricsError>,
    sizes: Vec<SizeCount>,
}

/// How many images have a size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeCount {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// How many.
    pub images: u64,
}

/// A set as results show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetReport {
    /// A path, or a model and its seeds.
    pub source: String,
    /// None for statistics that do not say it.
    pub images: Option<u64>,
    /// Why images were left out.
    pub skipped: Vec<String>,
    /// Of the images; none of statistics.
    pub sizes: Vec<SizeCount>,
}

impl Set {
    /// Statistics, or the images of a folder or archive.
    pub fn read(
        path: &Path,
        what: &str,
        features: &ImageFeatures,
        options: &StreamOptions,
        device: &Device,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        let (statistics, count) = match extension {
            "npz" => (read_npz_statistics(path)?, None),
            // Packed images end so, too.
            "safetensors" if ImageSource::open_packed(path).is_err() => {
                let moments = Moments::load(path)?;
                (
                    moments.mean_covariance(Ddof::Sample)?,
                    Some(moments.count()),
                )
            }
            _ => return Self::read_images(path, what, features, options, device, observer),
        };
        let (found, expected) = (statistics.dimension(), features.dimension());
        if found != expected {
            return Err(Error::File {
                path: path.to_owned(),
                problem: format!(
                    "statistics of {found} features, {} gives {expected}; choose the protocol they were made with",
                    features.name()
                ),
            });
        }
        Ok(Self {
            source: path.display().to_string(),
            statistics,
            images: None,
            first_images: Vec::new(),
            files: None,
            count,
            skipped: Vec::new(),
            sizes: Vec::new(),
        })
    }

    fn read_images(
        path: &Path,
        what: &str,
        features: &ImageFeatures,
        options: &StreamOptions,
        device: &Device,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        let files = ImageSource::open(path)?;
        observer.begin(&Phase::new(what, files.len()));
        let stored = stored_features(features, &files, options, device, |images| {
            observer.position(images);
            observer.flow()
        })?;
        observer.end();
        let used = usize::try_from(stored.set.count()).unwrap_or(usize::MAX);
        files.require_of(used, 2, "a covariance of features")?;
        let sizes = stored
            .sizes
            .iter()
            .map(|([width, height], images)| SizeCount {
                width: *width,
                height: *height,
                images: *images,
            });
        Ok(Self {
            source: path.display().to_string(),
            statistics: stored.set.mean_covariance()?,
            count: Some(stored.set.count()),
            first_images: Vec::new(),
            files: Some(files),
            sizes: sizes.collect(),
            skipped: stored.skipped,
            images: Some(stored.set),
        })
    }

    /// What a model makes.
    pub fn generate(
        images: &GeneratedImages<'_>,
        features: &ImageFeatures,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        observer.begin(&Phase::new("generated images", images.count as usize));
        let mut first_images = Vec::new();
        let batches = images.batches()?.inspect(|batch| {
            if first_images.len() < FIRST_IMAGES {
                first_images.extend(from_signed_unit(batch.clone()));
            }
        });
        let set = generated_features(features, batches, Keep::Features, |done| {
            observer.position(done);
            observer.flow()
        })?;
        observer.end();
        first_images.truncate(FIRST_IMAGES);
        let side = images.model.resolution();
        Ok(Self {
            source: images.describe(),
            statistics: set.mean_covariance()?,
            count: Some(set.count()),
            sizes: vec![SizeCount {
                width: side,
                height: side,
                images: set.count(),
            }],
            first_images,
            files: None,
            skipped: Vec::new(),
            images: Some(set),
        })
    }

    pub fn report(&self) -> SetReport {
        SetReport {
            source: self.source.clone(),
            images: self.count,
            skipped: self.skipped.iter().map(ToString::to_string).collect(),
            sizes: self.sizes.clone(),
        }
    }
}

/// Images of consecutive seeds.
pub struct GeneratedImages<'m> {
    pub model: &'m Model,
    pub count: u32,
    pub first_seed: u32,
    pub psi: f32,
    /// Of a conditional model; none for classes that are drawn uniformly.
    pub class: Option<usize>,
    pub batch: usize,
    pub device: &'m Device,
}

impl GeneratedImages<'_> {
    fn describe(&self) -> String {
        format!(
            "{}, seeds {} to {}, truncation psi {}{}",
            self.model.name,
            self.first_seed,
            self.first_seed + (self.count - 1),
            self.psi,
            match (self.class, self.model.generator.num_classes()) {
                (Some(class), _) => format!(", class {class}"),
                (None, 0) => String::new(),
                (None, classes) => format!(", {classes} classes drawn uniformly"),
            }
        )
    }

    fn batches(&self) -> Result<impl Iterator<Item = Tensor<4>>, Error> {
        let generator = &self.model.generator;
        if self.class.is_some() {
            class::check(self.class, self.model)?;
        }
        self.model.check_truncation(self.psi)?;
        let last = self.first_seed.checked_add(self.count - 1).ok_or_else(|| {
            Error::option(
                "seed",
                self.first_seed,
                format!("{} seeds from there on go beyond {}", self.count, u32::MAX),
            )
        })?;
        let seeds: Vec<u32> = (self.first_seed..=last).collect();
        let truncation = Truncation::psi(self.psi);
        Ok(sampling::batches(
            generator,
            self.class,
            seeds,
            truncation,
            self.batch,
            self.device,
        ))
    }
}
