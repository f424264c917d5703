//! How much of an attribute images have.

use std::path::PathBuf;

use burn::tensor::Device;
use ganspace::LinearScore;
use image_tensor::{RgbImage, from_signed_unit};

use crate::cli::features::Features;
use crate::cli::images::{Target, to_targets};
use crate::cli::model::Model;
use crate::cli::{Failure, progress};

/// A linear score of image features, fitted on images with and without the attribute.
pub struct Attribute {
    features: Features,
    score: LinearScore,
    /// On images that were left out of the fit, one at a time; none where there are too few.
    pub accuracy: Option<f64>,
}

impl Attribute {
    /// Reads and fits the images, brought to the model's size and colours, so that sharpness does not tell them from the model's.
    pub fn fit(
        with: &[PathBuf],
        without: &[PathBuf],
        model: &Model,
        features: Features,
        device: &Device,
    ) -> Result<Self, Failure> {
        let bar = progress::bar(with.len() + without.len(), "images of the attribute");
        let features_of = |paths: &[PathBuf]| {
            let images = paths
                .iter()
                .map(|path| {
                    bar.inc(1);
                    Ok(Target::load(path, model.resolution())?.pixels)
                })
                .collect::<Result<Vec<_>, Failure>>()?;
            let seen = from_signed_unit(to_targets(&images, &model.generator, device));
            Ok::<_, Failure>(features.of_images(&seen))
        };
        let (with, without) = (features_of(with)?, features_of(without)?);
        bar.finish_and_clear();
        Ok(Self {
            score: LinearScore::fit(with.view(), without.view())?,
            accuracy: LinearScore::leave_one_out_accuracy(with.view(), without.view()).ok(),
            features,
        })
    }

    /// Scores of images: positive for those that rather have the attribute.
    pub fn scores(&self, images: &[RgbImage]) -> Result<Vec<f64>, Failure> {
        Ok(self
            .score
            .scores(self.features.of_images(images).view())?
            .to_vec())
    }
}
