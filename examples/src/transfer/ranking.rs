//! The models of a zoo by how likely each is to make a set of images.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use image_tensor::{DecodeLimits, RgbImage};
use metrics_fid::ImageSource;
use retrieval_gaussian::Query;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::terminal::warn_of_outdated;
use crate::training::export::GENERATOR;
use ganymede::Weights;
use ganymede::search::{Method, Searcher};

/// A model's place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// 1 for the best.
    pub rank: usize,
    /// Its name in the zoo.
    pub model: String,
    /// Mean log-density of the images' features.
    pub score: f64,
}

impl Ranked {
    /// The model's file.
    pub fn generator(&self, models: Option<&Path>, weights: &Weights) -> PathBuf {
        let zoo = models.map_or_else(|| weights.zoo(), Path::to_owned);
        zoo.join(&self.model).join(GENERATOR)
    }
}

/// All models of a zoo (the weights folder's without `models`) by the mean Gaussian density of the features of the images of a folder or archive, best first.
pub fn ranking(
    models: Option<&Path>,
    images: &Path,
    weights: &Weights,
    device: &Device,
) -> Result<Vec<Ranked>, Failure> {
    let searcher = Searcher::open(models, None, weights, device)?;
    warn_of_outdated(&searcher.outdated);
    let limits = DecodeLimits::default();
    let pictures: Vec<RgbImage> = ImageSource::open(images)?
        .images(&limits)
        .map(|image| Ok(image?.pixels))
        .collect::<Result<_, Failure>>()?;
    let features = searcher.features(&pictures);
    let query = Query::feature_set(features.view());
    let (ranking, _) = searcher.rank(&query, Method::GaussianDensity)?;
    Ok((1..)
        .zip(ranking.models)
        .map(|(rank, model)| Ranked {
            rank,
            model: model.model,
            score: model.score,
        })
        .collect())
}
