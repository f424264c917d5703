//! How much of an attribute images have.

use std::path::{Path, PathBuf};

use backbones::{FeatureExtractor, FeatureNetworkKind};
use burn::tensor::Device;
use checkpoint::Checkpoint;
use ganspace::LinearScore;
use image_tensor::{RgbImage, from_signed_unit};
use ndarray::Array2;

use crate::cli::images::{Target, to_targets};
use crate::cli::model::Model;
use crate::cli::{Failure, progress};

/// The feature network, which the repository has the weights of.
const NETWORK: FeatureNetworkKind = FeatureNetworkKind::EfficientNetLite0;

/// A linear score of image features, fitted on images with and without the attribute.
pub struct Attribute {
    extractor: FeatureExtractor,
    score: LinearScore,
    device: Device,
    batch: usize,
    /// On images that were left out of the fit, one at a time; none where there are too few.
    pub accuracy: Option<f64>,
}

impl Attribute {
    /// Reads and fits the images, brought to the model's size, so that sharpness does not tell them from the model's.
    pub fn fit(
        with: &[PathBuf],
        without: &[PathBuf],
        model: &Model,
        features: &Path,
        batch: usize,
        device: &Device,
    ) -> Result<Self, Failure> {
        let file = Checkpoint::open(features.join(format!("{NETWORK}.safetensors")))?;
        let extractor = NETWORK.load(&file, device)?;
        let bar = progress::bar(with.len() + without.len(), "images of the attribute");
        let features_of = |paths: &[PathBuf]| -> Result<Array2<f32>, Failure> {
            let mut rows = Vec::new();
            for paths in paths.chunks(batch) {
                let images = paths
                    .iter()
                    .map(|path| Ok(Target::load(path, model.resolution())?.pixels))
                    .collect::<Result<Vec<_>, Failure>>()?;
                let seen = from_signed_unit(to_targets(&images, &model.generator, device));
                rows.extend(values(&extractor, &seen, device));
                bar.inc(paths.len() as u64);
            }
            Ok(Array2::from_shape_vec(
                (paths.len(), extractor.dimension()),
                rows,
            )?)
        };
        let (with, without) = (features_of(with)?, features_of(without)?);
        bar.finish_and_clear();
        Ok(Self {
            score: LinearScore::fit(with.view(), without.view())?,
            accuracy: LinearScore::leave_one_out_accuracy(with.view(), without.view()).ok(),
            extractor,
            device: device.clone(),
            batch,
        })
    }

    /// Scores of images: positive for those that rather have the attribute.
    pub fn scores(&self, images: &[RgbImage]) -> Result<Vec<f64>, Failure> {
        let mut scores = Vec::with_capacity(images.len());
        for images in images.chunks(self.batch) {
            let features = Array2::from_shape_vec(
                (images.len(), self.extractor.dimension()),
                values(&self.extractor, images, &self.device),
            )?;
            scores.extend(self.score.scores(features.view())?);
        }
        Ok(scores)
    }
}

fn values(extractor: &FeatureExtractor, images: &[RgbImage], device: &Device) -> Vec<f32> {
    extractor
        .image_features(images, device)
        .into_data()
        .convert::<f32>()
        .try_to_vec()
        .expect("converted to f32 above")
}
