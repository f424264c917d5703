use std::path::{Path, PathBuf};

use burn::tensor::Device;
use feature_stats::Moments;
use model_zoo::ZooModel;
use sha2::{Digest, Sha256};
use stylegan2::{NoiseMode, Truncation, latents_from_seeds};

use crate::cli::features::{BATCH, FeatureRecord, Features};
use crate::cli::interrupt::Interrupt;
use crate::cli::{Failure, output, progress};

/// How samples become statistics.
#[derive(Clone, Debug)]
pub struct Protocol {
    pub features: FeatureRecord,
    pub samples: u64,
    pub truncation_psi: f32,
    /// Latents are drawn from this seed and those after it.
    pub seed: u32,
}

/// Batches between two saves, so that an interruption costs seconds and the file system little.
const BATCHES_PER_SAVE: u64 = 64;

impl Protocol {
    /// Moments of a model's features, going on from what an earlier call left in `folder`; `None` when interrupted.
    pub fn moments(
        &self,
        model: &ZooModel,
        features: &Features,
        folder: &Path,
        device: &Device,
        interrupt: &Interrupt,
    ) -> Result<Option<Moments>, Failure> {
        output::make_folder(folder)?;
        let path = self.file(model, folder)?;
        let mut moments = match path.is_file() {
            true => Moments::load(&path)?,
            false => Moments::new(features.dimension()),
        };
        if moments.count() == self.samples {
            return Ok(Some(moments));
        }
        // Samples cannot be taken out again.
        if moments.count() > self.samples {
            moments = Moments::new(features.dimension());
        }
        let generator = model.load_generator(device)?;
        let psi = Truncation::psi(self.truncation_psi);
        let bar = progress::bar(self.samples as usize, model.name());
        let mut batches = 0;
        while moments.count() < self.samples {
            if interrupt.requested() {
                moments.save(&path)?;
                bar.finish_and_clear();
                return Ok(None);
            }
            bar.set_position(moments.count());
            let count = (self.samples - moments.count()).min(BATCH as u64);
            let seeds: Vec<u32> = (0..count)
                .map(|index| self.seed.wrapping_add((moments.count() + index) as u32))
                .collect();
            let z = latents_from_seeds(&seeds, generator.config().z_dim, device);
            let images = generator.forward(z, None, psi, &NoiseMode::Constant);
            moments.add_rows(features.of_tensor(images).view())?;
            batches += 1;
            if batches % BATCHES_PER_SAVE == 0 {
                moments.save(&path)?;
            }
        }
        moments.save(&path)?;
        bar.finish_and_clear();
        Ok(Some(moments))
    }

    /// Named by everything that the statistics depend on but the number of samples.
    fn file(&self, model: &ZooModel, folder: &Path) -> Result<PathBuf, Failure> {
        let generator = model.generator_path();
        let bytes = std::fs::read(&generator)
            .map_err(|e| format!("{}: cannot be read ({e})", generator.display()))?;
        let mut hash = Sha256::new();
        hash.update(bytes);
        hash.update(format!(
            "{} {} {} {}",
            self.features.network, self.features.side, self.truncation_psi, self.seed
        ));
        let digest: String = hash
            .finalize()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(folder.join(format!("{}-{digest}.moments.safetensors", model.name())))
    }
}
