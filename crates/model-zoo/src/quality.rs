use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How good a model is, as measured: the table `[quality]` of its card. What was not measured is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// How diversity was measured: distance, images, truncation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity_protocol: Option<String>,
    /// Mean distance of pairs of samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity_samples: Option<f64>,
    /// Mean distance of pairs of real images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity_real: Option<f64>,
    /// The former over the latter: 1 where samples differ as much as real images do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity_ratio: Option<f64>,
    /// How the Fréchet distance was measured: which samples, which real images, how both became the network's input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frechet_protocol: Option<String>,
    /// The features that it is a distance of. Distances of different features cannot be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frechet_features: Option<String>,
    /// Squared Fréchet distance between samples and real images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frechet_distance: Option<f64>,
    /// Number of samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frechet_samples: Option<u64>,
    /// Number of real images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frechet_real: Option<u64>,
    /// How samples lie among real images, by the network whose features are compared.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub features: BTreeMap<String, FeatureQuality>,
    /// How well held-out images of the model's own kind are inverted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inversion: Option<InversionQuality>,
    /// All further entries.
    #[serde(flatten)]
    pub further: toml::Table,
}

/// Samples among real images in the features of one network. No single number of these can be trusted alone: repeated
/// images have a precision of 1, noise that covers everything a recall of 1, and a Fréchet distance sees means and
/// covariances only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureQuality {
    /// Which samples, which real images, how both became the network's input.
    pub protocol: String,
    /// Squared Fréchet distance.
    pub frechet_distance: f64,
    /// Part of the samples that lie among the real images (Kynkäänniemi et al. 2019), in [0, 1].
    pub precision: f64,
    /// Part of the real images that lie among the samples, in [0, 1].
    pub recall: f64,
    /// In how many balls of real images a sample lies, over the number of neighbors (Naeem et al. 2020); 1 is expected
    /// of equal distributions.
    pub density: f64,
    /// Part of the real images with a sample in their ball, in [0, 1].
    pub coverage: f64,
}

/// Inversion of held-out images, medians over the images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InversionQuality {
    /// Which images, which space, how many steps, which losses.
    pub protocol: String,
    /// Peak signal-to-noise ratio in dB.
    pub psnr: f64,
    /// LPIPS of VGG16.
    pub lpips_vgg: f64,
    /// `|w_plus - w_avg|`.
    pub distance: f64,
}

impl Quality {
    /// What makes no sense, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        let mut numbers: Vec<(String, Option<f64>)> = [
            ("diversity_samples", self.diversity_samples),
            ("diversity_real", self.diversity_real),
            ("diversity_ratio", self.diversity_ratio),
            ("frechet_distance", self.frechet_distance),
        ]
        .map(|(key, number)| (key.to_owned(), number))
        .into();
        for (network, measured) in &self.features {
            let keys = [
                ("frechet_distance", measured.frechet_distance),
                ("precision", measured.precision),
                ("recall", measured.recall),
                ("density", measured.density),
                ("coverage", measured.coverage),
            ];
            numbers.extend(
                keys.map(|(key, number)| (format!("features.{network}.{key}"), Some(number))),
            );
        }
        if let Some(inversion) = &self.inversion {
            let keys = [
                ("psnr", inversion.psnr),
                ("lpips_vgg", inversion.lpips_vgg),
                ("distance", inversion.distance),
            ];
            numbers.extend(keys.map(|(key, number)| (format!("inversion.{key}"), Some(number))));
        }
        for (key, number) in numbers {
            if let Some(found) = number.filter(|number| !(number.is_finite() && *number >= 0.0)) {
                return Some(format!(
                    "`quality.{key}` is {found}; expected a finite number of at least 0"
                ));
            }
        }
        if self.frechet_distance.is_some() && self.frechet_protocol.is_none() {
            return Some(
                "`quality.frechet_distance` means nothing without `quality.frechet_protocol`; say how it was measured"
                    .to_owned(),
            );
        }
        None
    }
}
