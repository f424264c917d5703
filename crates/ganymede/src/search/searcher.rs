//! Ranking the models of a zoo for images.

use std::path::Path;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use clap::ValueEnum;
use image_tensor::RgbImage;
use model_zoo::Zoo;
use ndarray::Array2;
use retrieval_gaussian::{Index, Query, Ranking, RetrievalMethod, SearchOptions};

use crate::Failure;
use crate::features::Features;
use crate::index_record::IndexRecord;
use crate::weights::{BASE, Weights};

/// How models are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// log N(q; mu, Sigma + ridge I)
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
    features: Features,
}

impl Searcher {
    /// Opens a folder of models, or the weights folder's zoo. Warns of models that the index does not know.
    pub fn open(
        zoo: Option<&Path>,
        features_file: Option<&Path>,
        weights: &Weights,
        device: &Device,
    ) -> Result<Self, Failure> {
        let root = zoo.map_or_else(|| weights.zoo(), Path::to_owned);
        let zoo = Zoo::open_without(root, &[BASE])?;
        let index = zoo.index().map_err(|e| {
            format!(
                "{e}; the example `index` builds it: cargo run --release --example index -- build --zoo {}",
                zoo.root().display()
            )
        })?;
        let record = IndexRecord::read(&zoo.index_path())?;
        let indexed: Vec<&str> = index.names().collect();
        record.outdated_by_time(&zoo, &indexed)?.warn();
        let features = Features::load(&record.features, features_file, weights, device)?;
        Ok(Self {
            zoo,
            index,
            features,
        })
    }

    /// Features `[images, dimension]`.
    pub fn features(&self, images: &[RgbImage]) -> Array2<f32> {
        self.features.of_images(images)
    }

    /// All models, best first, and how long scoring them took.
    pub fn rank(&self, query: &Query, method: Method) -> Result<(Ranking, Duration), Failure> {
        let started = Instant::now();
        let ranking = self
            .index
            .search(query, &SearchOptions::new(method.method()))?;
        Ok((ranking, started.elapsed()))
    }
}
