//! Finished runs measured with a network that trained none of them.

use ganymede::digest;
use ganymede::files;
use std::path::Path;

use burn::tensor::Device;
use metrics_fid::ImageFeatures;
use serde::{Deserialize, Serialize};
use stylegan2::Generator;
use vision_aided_finetune::ImageSet;

use crate::plan::Target;
use examples::Failure;
use examples::output;
use examples::transfer::distance::Yardstick;
use examples::transfer::options::TransferArgs;

const FILE: &str = "independent.json";

/// Of the run.
const GENERATOR: &str = "generator.safetensors";

/// Distances to the reference images in features that the run's discriminators do not see: what they see is what a generator learns to imitate, so that
/// distances of those features flatter it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Independent {
    /// What they are called.
    pub distance: String,
    /// SHA-256 of the run's best generator: a run that is made longer may find a better one.
    #[serde(default)]
    pub generator: String,
    /// Of the source as it is.
    pub start: f64,
    /// Of the run's best generator by the study's own distance.
    pub best: f64,
}

impl Independent {
    /// Measures what the run in `folder` started from and came to, unless that was done; `false` when interrupted.
    pub fn measure(
        features: &ImageFeatures,
        transfer: &TransferArgs,
        target: &Target,
        source: &Path,
        folder: &Path,
        interrupted: &dyn Fn() -> bool,
        device: &Device,
    ) -> Result<bool, Failure> {
        let distance = features.distance_name();
        let path = folder.join(GENERATOR);
        let generator = digest::of_file(&path)?;
        if Self::read(folder)?.is_some_and(|kept| kept.is_of(&distance, &generator)) {
            return Ok(true);
        }
        let start = Generator::load(source, device)?;
        let best = Generator::load(&path, device)?;
        let (side, channels) = (best.config().img_resolution, best.config().img_channels);
        let read = |path: &Path| -> Result<ImageSet, Failure> {
            let images = transfer.bad_images.training_set(path, side)?;
            Ok(images.for_channels(channels).into_owned())
        };
        let images = read(&target.images)?;
        let reference = match &target.reference {
            Some(path) => read(path)?,
            None => images.clone(),
        };
        let yardstick = Yardstick::new(
            features,
            transfer.samples,
            &reference,
            &images,
            &target.folder.join("statistics"),
            interrupted,
            device,
        )?;
        let Some(yardstick) = yardstick else {
            return Ok(false);
        };
        let mut distances = Vec::new();
        for generator in [&start, &best] {
            match yardstick.measure(generator, 0, 0, interrupted, device)? {
                Some(measured) => distances.push(measured.frechet_distance),
                None => return Ok(false),
            }
        }
        let measured = Self {
            distance,
            generator,
            start: distances[0],
            best: distances[1],
        };
        output::write_json(&folder.join(FILE), &measured)?;
        Ok(true)
    }

    fn is_of(&self, distance: &str, generator: &str) -> bool {
        self.distance == distance && self.generator == generator
    }

    /// What was measured of the run in `folder`.
    pub fn read(folder: &Path) -> Result<Option<Self>, Failure> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let text = files::read_text(&path)?;
        serde_json::from_str(&text).map(Some).map_err(|e| {
            format!(
                "{}: not a measurement ({e}); remove it to measure again",
                path.display()
            )
            .into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_is_of_one_distance_and_of_one_generator() {
        let measured = Independent {
            distance: "one".into(),
            generator: "ab12".into(),
            start: 2.0,
            best: 1.0,
        };
        assert!(measured.is_of("one", "ab12"));
        // A run made longer has found another generator.
        assert!(!measured.is_of("one", "cd34"));
        assert!(!measured.is_of("another", "ab12"));
    }

    #[test]
    fn measurements_without_a_generator_are_made_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = r#"{"distance": "one", "start": 2.0, "best": 1.0}"#;
        std::fs::write(folder.path().join(FILE), text).expect("written");
        let kept = Independent::read(folder.path())
            .expect("read")
            .expect("there");
        assert!(!kept.is_of("one", "ab12"));
    }
}
