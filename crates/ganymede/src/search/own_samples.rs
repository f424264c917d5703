//! Samples of a model by which others of it are judged.

use burn::tensor::Device;
use model_zoo::ZooModel;
use ndarray::{Array2, Axis};
use stylegan2::Truncation;

use crate::features::{BATCH, UnitFeatures};
use crate::{Error, Model, Observer, Phase, sampling};

/// Samples are drawn from this seed on, far from those that an index is built of: under its own fit a sample is
/// likelier than another.
pub(super) const FIRST_SEED: u32 = 1 << 31;

/// How many samples, and how they are made.
pub(crate) struct OwnSamples {
    pub count: usize,
    pub truncation_psi: f32,
    /// Drawn uniformly without; of models that have classes.
    pub class: Option<usize>,
}

impl OwnSamples {
    /// Features `[count, dimension]` of the samples.
    pub fn features(
        &self,
        model: &ZooModel,
        network: &UnitFeatures,
        device: &Device,
        observer: &mut dyn Observer,
    ) -> Result<Array2<f32>, Error> {
        let Model { generator, .. } = Model::of_zoo(model, device)?;
        let class = self.class.filter(|_| generator.num_classes() > 0);
        let mut features = Array2::zeros((self.count, network.dimension()));
        observer.begin(&Phase::new("samples", self.count));
        let batches = features.axis_chunks_iter_mut(Axis(0), BATCH);
        for (first, mut batch) in (0..self.count).step_by(BATCH).zip(batches) {
            observer.go_on()?;
            let seeds: Vec<u32> = (first..first + batch.nrows())
                .map(|i| FIRST_SEED + i as u32)
                .collect();
            let psi = Truncation::psi(self.truncation_psi);
            let images = sampling::checked(&generator, &seeds, class, psi, device)
                .map_err(Error::of_model(model.name()))?;
            batch.assign(&network.of_tensor(images));
            observer.position((first + batch.nrows()) as u64);
        }
        observer.end();
        Ok(features)
    }
}
