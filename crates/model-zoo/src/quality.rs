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
    /// All further entries.
    #[serde(flatten)]
    pub further: toml::Table,
}

impl Quality {
    /// What makes no sense, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        let numbers = [
            ("diversity_samples", self.diversity_samples),
            ("diversity_real", self.diversity_real),
            ("diversity_ratio", self.diversity_ratio),
            ("frechet_distance", self.frechet_distance),
        ];
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
