//! Finished runs measured in the features of a second network.

use std::path::Path;

use burn::tensor::Device;
use metrics_fid::ImageFeatures;
use serde::{Deserialize, Serialize};
use stylegan2::Generator;
use vision_aided_finetune::ImageSet;

use super::plan::Target;
use crate::runs::export::GENERATOR;
use crate::runs::image_sets::training_set;
use crate::transfer::FineTuning;
use crate::transfer::distance::Yardstick;
use crate::{Error, Observer, digest, files};

const FILE: &str = "second.json";

/// Distances to the reference images in other features than the study's own. By default those that discriminators see,
/// which is what a generator learns to imitate: distances in them flatter it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecondDistance {
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

impl SecondDistance {
    /// Measures what the run in `folder` started from and came to, unless that was done.
    pub(super) fn measure(
        features: &ImageFeatures,
        tuning: &FineTuning,
        target: &Target,
        source: &Path,
        folder: &Path,
        observer: &mut dyn Observer,
        device: &Device,
    ) -> Result<(), Error> {
        let distance = features.distance_name();
        let path = folder.join(GENERATOR);
        let generator = digest::of_file(&path)?;
        if Self::read(folder)?.is_some_and(|kept| kept.is_of(&distance, &generator)) {
            return Ok(());
        }
        let start = Generator::load(source, device)?;
        let best = Generator::load(&path, device)?;
        let (side, channels) = (best.config().img_resolution, best.config().img_channels);
        let mut read = |path: &Path| -> Result<ImageSet, Error> {
            let images = training_set(path, side, tuning.skip_bad, observer)?;
            Ok(images.for_channels(channels).into_owned())
        };
        let images = read(&target.images)?;
        let reference = match &target.reference {
            Some(path) => read(path)?,
            None => images.clone(),
        };
        let yardstick = Yardstick::new(
            features,
            [tuning.samples, 0],
            &reference,
            &images,
            &target.folder.join("statistics"),
            observer,
            device,
        )?;
        let mut distance_of = |generator| -> Result<f64, Error> {
            let measured = yardstick.measure(generator, 0, 0, observer, device)?;
            Ok(measured.frechet_distance)
        };
        let measured = Self {
            distance,
            generator,
            start: distance_of(&start)?,
            best: distance_of(&best)?,
        };
        files::write_json(&folder.join(FILE), &measured)
    }

    fn is_of(&self, distance: &str, generator: &str) -> bool {
        self.distance == distance && self.generator == generator
    }

    /// What was measured of the run in `folder`.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let text = files::read_text(&path)?;
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|e| Error::File {
                path,
                problem: format!("not a measurement ({e}); remove it to measure again"),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_is_of_one_distance_and_of_one_generator() {
        let measured = SecondDistance {
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
        let kept = SecondDistance::read(folder.path())
            .expect("read")
            .expect("there");
        assert!(!kept.is_of("one", "ab12"));
    }
}
