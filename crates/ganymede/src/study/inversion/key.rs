//! What an inversion is kept under: the hash of everything that its result depends on.

use std::collections::BTreeMap;

use image_tensor::RgbImage;
use inversion::InversionConfig;
use lpips::{LpipsNetwork, Version};
use model_zoo::ZooModel;

use crate::device::DeviceChoice;
use crate::{Error, Weights, digest};

/// To be raised when a change of the program changes results.
const PROTOCOL: u32 = 3;

/// Networks that inversions are measured with: the authors' metric, and the one that they train with.
pub const JUDGES: [LpipsNetwork; 2] = [LpipsNetwork::AlexNet, LpipsNetwork::Vgg16];

/// The keys of a study's inversions.
pub struct Keys {
    recipe: String,
    /// SHA-256 of the generators' files, by name.
    generators: BTreeMap<String, String>,
}

/// How all of a study's inversions are made.
pub struct Recipe<'a> {
    pub config: &'a InversionConfig,
    /// Network of the loss.
    pub loss: LpipsNetwork,
    /// Images that are optimized together.
    pub batch: usize,
    pub device: DeviceChoice,
}

impl Keys {
    /// Reads the files of the models and of the metrics.
    pub fn new(recipe: &Recipe<'_>, models: &[ZooModel], weights: &Weights) -> Result<Self, Error> {
        let metrics = JUDGES
            .iter()
            .flat_map(|network| network.published_weights(Version::V0_1))
            .map(|published| digest::of_file(&weights.feature_file(&published)?))
            .collect::<Result<Vec<_>, _>>()?;
        let generators = models
            .iter()
            .map(|model| {
                let file = digest::of_file(&model.generator_path())?;
                Ok((model.name().to_owned(), file))
            })
            .collect::<Result<_, Error>>()?;
        Self::from_parts(recipe, &metrics, generators)
    }

    pub fn from_parts(
        recipe: &Recipe<'_>,
        metrics: &[String],
        generators: BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let Recipe {
            config,
            loss,
            batch,
            device,
        } = recipe;
        let device = serde_json::to_string(device)?;
        let config = serde_json::to_string(config)?;
        Ok(Self {
            recipe: format!(
                "protocol {PROTOCOL}\nloss {loss}\nbatch {batch}\ndevice {device}\nmetrics {}\n{config}",
                metrics.join(" ")
            ),
            generators,
        })
    }

    /// How all inversions are made, but for their models and images.
    pub fn recipe(&self) -> &str {
        &self.recipe
    }

    /// SHA-256 of the file of a model of the study.
    pub fn generator(&self, model: &str) -> &str {
        &self.generators[model]
    }

    /// The key of an image in a model of the study.
    pub fn of(&self, model: &str, pixels: &RgbImage) -> String {
        let (width, height) = pixels.dimensions();
        let image = digest::of_bytes(pixels.as_raw());
        digest::of_bytes(
            format!(
                "{}\ngenerator {}\nimage {width} {height} {image}",
                self.recipe, self.generators[model]
            )
            .as_bytes(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image_tensor::Rgb;

    fn keys(change: impl Fn(&mut InversionConfig), metrics: &[&str], loss: LpipsNetwork) -> Keys {
        let mut config = InversionConfig::default();
        change(&mut config);
        let recipe = Recipe {
            config: &config,
            loss,
            batch: 4,
            device: DeviceChoice::Cpu,
        };
        let generators = [("a", "1"), ("b", "2"), ("copy of a", "1")];
        Keys::from_parts(
            &recipe,
            &metrics.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>(),
            generators
                .iter()
                .map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned()))
                .collect(),
        )
        .expect("settings without tensors")
    }

    #[test]
    fn keys_follow_the_content_and_nothing_else() {
        let gray = RgbImage::from_pixel(4, 2, Rgb([7; 3]));
        let plain = || keys(|_| {}, &["x", "y"], LpipsNetwork::AlexNet);
        let key = plain().of("a", &gray);
        assert_eq!(key, plain().of("a", &gray.clone()));
        assert_eq!(key, plain().of("copy of a", &gray));

        let mut other = gray.clone();
        other.put_pixel(3, 1, Rgb([7, 7, 8]));
        let turned = RgbImage::from_pixel(2, 4, Rgb([7; 3]));
        let changes = [
            plain().of("b", &gray),
            plain().of("a", &other),
            plain().of("a", &turned),
            keys(|_| {}, &["x", "z"], LpipsNetwork::AlexNet).of("a", &gray),
            keys(|_| {}, &["x", "y"], LpipsNetwork::Vgg16).of("a", &gray),
            keys(|c| c.steps += 1, &["x", "y"], LpipsNetwork::AlexNet).of("a", &gray),
            keys(
                |c| c.lambda_mse = c.lambda_mse.next_up(),
                &["x", "y"],
                LpipsNetwork::AlexNet,
            )
            .of("a", &gray),
        ];
        for (index, changed) in changes.iter().enumerate() {
            assert_ne!(*changed, key, "change {index}");
            assert!(!changes[..index].contains(changed), "change {index}");
        }
    }
}
