//! How much of an attribute images have.

use std::path::PathBuf;

use burn::tensor::Device;
use ganspace::LinearScore;
use image_tensor::{RgbImage, from_signed_unit};

use super::region::RegionColour;
use crate::features::Features;
use crate::images::{Target, to_targets};
use crate::{Error, Model, Observer, Phase};

/// What an attribute is measured by.
pub enum Attribute {
    /// A linear score of image features, fitted on images with and without the attribute.
    Fitted {
        features: Box<Features>,
        score: LinearScore,
        /// On images that were left out of the fit, one at a time; none where there are too few.
        accuracy: Option<f64>,
    },
    /// The colour of a part of the picture.
    Region(RegionColour),
}

impl Attribute {
    /// Reads and fits the images, brought to the model's size and colours, so that sharpness does not tell them from the model's.
    pub fn fit(
        with: &[PathBuf],
        without: &[PathBuf],
        model: &Model,
        features: Features,
        device: &Device,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        let count = with.len() + without.len();
        observer.begin(&Phase::new("images of the attribute", count));
        let mut done = 0;
        let mut features_of = |paths: &[PathBuf]| {
            let images = paths
                .iter()
                .map(|path| {
                    observer.go_on()?;
                    done += 1;
                    observer.position(done);
                    Ok(Target::load(path, model.resolution())?.pixels)
                })
                .collect::<Result<Vec<_>, Error>>()?;
            let seen = from_signed_unit(to_targets(&images, &model.generator, device));
            Ok::<_, Error>(features.of_images(&seen))
        };
        let (with, without) = (features_of(with)?, features_of(without)?);
        observer.end();
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
            Self::Region(colour) => Ok(images.iter().map(|image| colour.of(image)).collect()),
        }
    }
}
