//! Features of images by a frozen network, and how they were made.

use std::path::{Path, PathBuf};

use backbones::{FeatureExtractor, FeatureNetworkKind, Preprocessing, Sizing};
use burn::tensor::{Device, Tensor};
use checkpoint_file::Checkpoint;
use image_tensor::RgbImage;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::{Error, Weights, text};

/// What the embedded network's features of the whole picture, resized to the network's published input, are called.
pub const WHOLE_EFFICIENTNET_LITE0: &str = "efficientnet_lite0, whole picture";

/// Images that pass the network together.
pub const BATCH: usize = 16;

/// Which features.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct FeatureOptions {
    /// Network: efficientnet_lite0, alexnet, vgg16, clip_vit_b32, dino_vit_b16 or inception_v3_fid; alexnet_layers or
    /// vgg16_layers for the means of all layers
    #[cfg_attr(feature = "clap", arg(long, default_value_t = FeatureOptions::default().features, value_name = "NAME"))]
    #[serde(with = "text")]
    pub features: FeatureNetworkKind,
    /// Its weights [default: the network's file in features/ of the weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub features_file: Option<PathBuf>,
    /// Side that whole images are resized to, whatever their aspect ratio; 0 for the network's published resize and
    /// crop
    #[cfg_attr(feature = "clap", arg(long, default_value_t = FeatureOptions::default().features_side, value_name = "PIXELS"))]
    pub features_side: u32,
}

/// What has to be the same for two features to be comparable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureRecord {
    /// Its name, as [`FeatureNetworkKind`] shows it.
    pub network: String,
    /// 0 for the published preprocessing.
    pub side: u32,
}

impl Default for FeatureOptions {
    fn default() -> Self {
        Self {
            features: FeatureNetworkKind::default(),
            features_file: None,
            features_side: 128,
        }
    }
}

impl FeatureOptions {
    /// What has to be the same for features to be comparable with these.
    pub fn record(&self) -> FeatureRecord {
        FeatureRecord {
            network: self.features.to_string(),
            side: self.features_side,
        }
    }

    /// Loads the network.
    ///
    /// # Errors
    ///
    /// Its weights are missing, or are not those of this network.
    pub fn load(&self, weights: &Weights, device: &Device) -> Result<UnitFeatures, Error> {
        UnitFeatures::load(
            &self.record(),
            self.features_file.as_deref(),
            weights,
            device,
        )
    }
}

/// A network that gives features of length 1.
pub struct UnitFeatures {
    extractor: FeatureExtractor,
    device: Device,
}

impl UnitFeatures {
    /// The network of a record; `file` are its weights where they are not in the weights folder.
    ///
    /// # Errors
    ///
    /// There is no such network, or its weights are missing or are not those of this network.
    pub fn load(
        record: &FeatureRecord,
        file: Option<&Path>,
        weights: &Weights,
        device: &Device,
    ) -> Result<Self, Error> {
        let kind: FeatureNetworkKind = record.network.parse()?;
        let path = match file {
            Some(file) => file.to_owned(),
            None => embedded(kind, weights)?,
        };
        let extractor = kind.load(&Checkpoint::open(path)?, device)?;
        let extractor = if record.side == 0 {
            extractor
        } else {
            whole_picture(extractor, "whole picture", record.side)
        };
        Ok(Self {
            extractor,
            device: device.clone(),
        })
    }

    /// Length of a feature.
    pub fn dimension(&self) -> usize {
        self.extractor.dimension()
    }

    /// Features `[images, dimension]` of files' pixels.
    pub fn of_images(&self, images: &[RgbImage]) -> Array2<f32> {
        let batches = images
            .chunks(BATCH)
            .map(|batch| self.extractor.image_features(batch, &self.device));
        rows(Tensor::cat(batches.collect(), 0))
    }

    /// Features `[batch, dimension]` of a generator's images.
    pub fn of_tensor(&self, images: Tensor<4>) -> Array2<f32> {
        rows(self.extractor.features(images))
    }
}

/// The network with whole pictures of any aspect ratio resized to `side`: the published preprocessing of most networks
/// cuts the margins off.
pub fn whole_picture(
    extractor: FeatureExtractor,
    name: &'static str,
    side: u32,
) -> FeatureExtractor {
    let published = extractor.preprocessing();
    extractor.with_preprocessing(Preprocessing {
        name,
        sizing: Sizing::Square(side),
        crop: side,
        ..published
    })
}

/// The file in the weights folder that has the network's weights.
///
/// # Errors
///
/// It is not there.
pub fn embedded(kind: FeatureNetworkKind, weights: &Weights) -> Result<PathBuf, Error> {
    weights.feature_file(&kind.published_weights())
}

/// The rows, each scaled to length 1.
fn rows(features: Tensor<2>) -> Array2<f32> {
    let [count, dimension] = features.dims();
    let values: Vec<f32> = features.into_data().iter::<f32>().collect();
    let mut rows = Array2::from_shape_vec((count, dimension), values)
        .expect("as many values as the shape says");
    for mut row in rows.rows_mut() {
        let length = row
            .iter()
            .map(|v| f64::from(*v).powi(2))
            .sum::<f64>()
            .sqrt();
        // An image without features has no direction; it stays at zero.
        if length > 0.0 {
            row.mapv_inplace(|v| (f64::from(v) / length) as f32);
        }
    }
    rows
}
