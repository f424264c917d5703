//! Finished runs measured with a network that trained none of them.

use std::path::Path;

use burn::tensor::Device;
use metrics_fid::ImageFeatures;
use serde::{Deserialize, Serialize};
use stylegan2::Generator;
use vision_aided_finetune::ImageSet;

use crate::Failure;
use crate::cli::output;
use crate::plan::Target;
use crate::transfer::distance::Yardstick;

const FILE: &str = "independent.json";

/// Distances to the reference images in features that the run's discriminators do not see: what they see is what a generator learns to imitate, so that
/// distances of those features flatter it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Independent {
    /// What they are called.
    pub distance: String,
    /// Of the source as it is.
    pub start: f64,
    /// Of the run's best generator by the study's own distance.
    pub best: f64,
}

impl Independent {
    /// Measures what the run in `folder` started from and came to, unless that was done; `false` when interrupted.
    pub fn measure(
        features: &ImageFeatures,
        samples: u32,
        target: &Target,
        source: &Path,
        folder: &Path,
        interrupted: &dyn Fn() -> bool,
        device: &Device,
    ) -> Result<bool, Failure> {
        let distance = features.distance_name();
        if Self::read(folder)?.is_some_and(|kept| kept.distance == distance) {
            return Ok(true);
        }
        let start = Generator::load(source, device)?;
        let best = Generator::load(folder.join("generator.safetensors"), device)?;
        let side = best.config().img_resolution;
        let images = ImageSet::open(&target.images, side)?;
        let reference = match &target.reference {
            Some(path) => ImageSet::open(path, side)?,
            None => images.clone(),
        };
        let yardstick = Yardstick::new(
            features,
            samples,
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
            start: distances[0],
            best: distances[1],
        };
        output::write_whole(&folder.join(FILE), |path| {
            output::write_json(path, &measured)
        })?;
        Ok(true)
    }

    /// What was measured of the run in `folder`.
    pub fn read(folder: &Path) -> Result<Option<Self>, Failure> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let text =
            std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        serde_json::from_str(&text).map(Some).map_err(|e| {
            format!(
                "{}: not a measurement ({e}); remove it to measure again",
                path.display()
            )
            .into()
        })
    }
}
