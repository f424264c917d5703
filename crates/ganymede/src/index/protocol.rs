use std::path::{Path, PathBuf};

use burn::tensor::Device;
use feature_stats::Moments;
use model_zoo::ZooModel;
use serde::{Deserialize, Serialize};
use stylegan2::{NoiseMode, Truncation, latents_from_seeds};

use crate::features::{FeatureRecord, UnitFeatures};
use crate::{Error, Model, Observer, digest, files, kept_moments};

/// How samples become statistics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    pub features: FeatureRecord,
    pub samples: u64,
    pub truncation_psi: f32,
    /// Latents are drawn from this seed and those after it.
    pub seed: u32,
}

impl Protocol {
    /// Moments of a model's features, those of one class where that is given and the model has classes, going on from what an earlier call left in
    /// `folder`, where one is named.
    pub fn moments(
        &self,
        model: &ZooModel,
        class: Option<usize>,
        features: &UnitFeatures,
        folder: Option<&Path>,
        device: &Device,
        observer: &mut dyn Observer,
    ) -> Result<Moments, Error> {
        let loaded = Model::of_zoo(model, device)?;
        loaded.check_truncation(self.truncation_psi)?;
        let generator = loaded.generator;
        let class = class.filter(|_| generator.num_classes() > 0);
        let path = match folder {
            Some(folder) => {
                files::make_folder(folder)?;
                Some(self.file(model, class, folder)?)
            }
            None => None,
        };
        let psi = Truncation::psi(self.truncation_psi);
        kept_moments::accumulate(
            path.as_deref(),
            features.dimension(),
            self.samples,
            model.name(),
            observer,
            |range| {
                let seeds: Vec<u32> = range
                    .map(|index| self.seed.wrapping_add(index as u32))
                    .collect();
                let z = latents_from_seeds(&seeds, generator.config().z_dim, device);
                let labels = generator.labels(class, &seeds, device)?;
                let w_plus = generator.mapping.forward(z, labels, psi);
                let images = generator
                    .synthesis
                    .forward(w_plus.clone(), &NoiseMode::Constant);
                generator.check_finite(&images, &w_plus, &NoiseMode::Constant)?;
                Ok(features.of_tensor(images))
            },
        )
    }

    /// Named by everything that the statistics depend on but the number of samples.
    fn file(
        &self,
        model: &ZooModel,
        class: Option<usize>,
        folder: &Path,
    ) -> Result<PathBuf, Error> {
        let class = class.map_or(String::new(), |class| format!(" class {class}"));
        let key = digest::short(&format!(
            "{} {} {} {} {}{class}",
            digest::of_file(&model.generator_path())?,
            self.features.network,
            self.features.side,
            self.truncation_psi,
            self.seed
        ));
        Ok(folder.join(format!("{}-{key}.moments.safetensors", model.name())))
    }
}
