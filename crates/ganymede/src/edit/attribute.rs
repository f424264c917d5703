//! How much of an attribute images have.

use std::path::PathBuf;

use burn::tensor::Device;
use ganspace::LinearScore;
use image_source::BadImages;
use image_tensor::{RgbImage, from_signed_unit};

use super::region::RegionColor;
use crate::features::UnitFeatures;
use crate::images::{Target, to_targets};
use crate::{Error, Model, Observer};

/// What an attribute is measured by.
pub enum Attribute {
    /// A linear score of image features, fitted on images with and without the attribute.
    Fitted {
        features: Box<UnitFeatures>,
        score: LinearScore,
        /// On images that were left out of the fit, one at a time; none where there are too few.
        accuracy: Option<f64>,
    },
    /// The color of a part of the picture.
    Region(RegionColor),
}

impl Attribute {
    /// Reads and fits the images of files, folders and archives, brought to the model's size and colors, so that
    /// sharpness does not tell them from the model's.
    pub fn fit(
        with: &[PathBuf],
        without: &[PathBuf],
        bad_images: BadImages,
        model: &Model,
        features: UnitFeatures,
        device: &Device,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        let mut features_of = |paths: &[PathBuf]| {
            let targets = Target::load_all(paths, model.resolution(), bad_images, observer)?;
            let images: Vec<RgbImage> = targets.into_iter().map(|image| image.pixels).collect();
            let seen = from_signed_unit(to_targets(&images, &model.generator, device));
            Ok::<_, Error>(features.of_images(&seen))
        };
        let (with, without) = (features_of(with)?, features_of(without)?);
        Ok(Self::Fitted {
            score: LinearScore::fit(with.view(), without.view())?,
            accuracy: LinearScore::leave_one_out_accuracy(with.view(), without.view()).ok(),
            features: Box::new(features),
        })
    }

    /// Scores of images; those of a fit are positive where images rather have the attribute.
    pub fn scores(&self, images: &[RgbImage]) -> Result<Vec<f64>, Error> {
        match self {
            Self::Fitted {
                features, score, ..
            } => Ok(score.scores(features.of_images(images).view())?.to_vec()),
            Self::Region(color) => Ok(images.iter().map(|image| color.of(image)).collect()),
        }
    }
}
