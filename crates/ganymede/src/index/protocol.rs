use std::path::{Path, PathBuf};

use burn::tensor::Device;
use feature_stats::Moments;
use ganymede::digest;
use ganymede::files;
use model_zoo::ZooModel;
use stylegan2::{NoiseMode, Truncation, latents_from_seeds};

use examples::interrupt::Interrupt;
use examples::{Failure, kept_moments};
use ganymede::features::{FeatureRecord, Features};

/// How samples become statistics.
#[derive(Clone, Debug)]
pub struct Protocol {
    pub features: FeatureRecord,
    pub samples: u64,
    pub truncation_psi: f32,
    /// Latents are drawn from this seed and those after it.
    pub seed: u32,
}

impl Protocol {
    /// Moments of a model's features, those of one class where that is given and the model has classes, going on from what an earlier call left in `folder`; `None` when interrupted.
    pub fn moments(
        &self,
        model: &ZooModel,
        class: Option<usize>,
        features: &Features,
        folder: &Path,
        device: &Device,
        interrupt: &Interrupt,
    ) -> Result<Option<Moments>, Failure> {
        files::make_folder(folder)?;
        let generator = model.load_generator(device)?;
        let class = class.filter(|_| generator.num_classes() > 0);
        let path = self.file(model, class, folder)?;
        let psi = Truncation::psi(self.truncation_psi);
        kept_moments::accumulate(
            &path,
            features.dimension(),
            self.samples,
            model.name(),
            &|| interrupt.requested(),
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
    ) -> Result<PathBuf, Failure> {
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
