use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use burn::tensor::{Device, Tensor};
use image_tensor::RgbImage;
use model_zoo::Zoo;
use ndarray::Array2;
use retrieval_gaussian::{Index, Query, Ranking, RetrievalMethod, SearchOptions};
use serde::{Deserialize, Serialize};
use web_time::Instant;

use super::OwnScores;
use crate::features::UnitFeatures;
use crate::index_record::{IndexRecord, Outdated};
use crate::{BASE, Error, Weights};

/// How models are scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Method {
    /// log N(q; mu, Sigma + ridge I)
    #[default]
    GaussianDensity,
    /// exp(cos(q, mu))
    FirstMoment,
    /// t q.mu + t^2/2 q.Sigma q
    FirstAndSecondMoment,
}

impl Method {
    /// As results name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::GaussianDensity => "gaussian_density",
            Self::FirstMoment => "first_moment",
            Self::FirstAndSecondMoment => "first_and_second_moment",
        }
    }

    fn method(self) -> RetrievalMethod {
        match self {
            Self::GaussianDensity => RetrievalMethod::GaussianDensity,
            Self::FirstMoment => RetrievalMethod::FirstMoment,
            Self::FirstAndSecondMoment => RetrievalMethod::FirstAndSecondMoment,
        }
    }
}

/// A zoo with its index and the network of its features.
pub struct Searcher {
    /// The models.
    pub zoo: Zoo,
    /// The statistics of their features.
    pub index: Index,
    /// What the index does not know of the models.
    pub outdated: Outdated,
    pub(super) features: UnitFeatures,
    pub(super) kept_scores: BTreeMap<String, OwnScores>,
    /// How samples of the index were made.
    pub(super) truncation_psi: f32,
    pub(super) classes: BTreeMap<String, usize>,
}

impl Searcher {
    /// Opens a folder of models with its index, or the weights folder's zoo, and the network that the index is of,
    /// whose weights are those of the weights folder or `features_file`.
    ///
    /// # Errors
    ///
    /// There is no such folder, it has no index, or the weights of the network are missing.
    pub fn open(
        zoo: Option<&Path>,
        features_file: Option<&Path>,
        weights: &Weights,
        device: &Device,
    ) -> Result<Self, Error> {
        let root = zoo.map_or_else(|| weights.zoo(), Path::to_owned);
        let zoo = Zoo::open_without(root, &[BASE])?;
        let index = zoo.index().map_err(|source| Error::NoIndex {
            zoo: zoo.root().to_owned(),
            source: Box::new(source),
        })?;
        let record = IndexRecord::read(&zoo.index_path())?;
        let indexed: Vec<&str> = index.names().collect();
        let outdated = record.outdated_by_time(&zoo, &indexed)?;
        let features = UnitFeatures::load(&record.features, features_file, weights, device)?;
        Ok(Self {
            zoo,
            index,
            outdated,
            features,
            kept_scores: record.own_scores,
            truncation_psi: record.truncation_psi,
            classes: record.classes,
        })
    }

    /// Features `[images, dimension]`.
    pub fn features(&self, images: &[RgbImage]) -> Array2<f32> {
        self.features.of_images(images)
    }

    /// Features `[images, dimension]` of a generator's images.
    pub fn features_of_tensor(&self, images: Tensor<4>) -> Array2<f32> {
        self.features.of_tensor(images)
    }

    /// All models, best first, and how long scoring them took.
    ///
    /// # Errors
    ///
    /// The query does not fit the index.
    pub fn rank(&self, query: &Query, method: Method) -> Result<(Ranking, Duration), Error> {
        let started = Instant::now();
        let ranking = self
            .index
            .search(query, &SearchOptions::new(method.method()))?;
        Ok((ranking, started.elapsed()))
    }
}
