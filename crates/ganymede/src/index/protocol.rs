use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use checkpoint_file::{Checkpoint, StoredTensor, save_safetensors};
use feature_stats::Moments;
use model_zoo::ZooModel;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use stylegan2::Truncation;

use crate::features::{FeatureRecord, UnitFeatures};
use crate::index_record::IndexRecord;
use crate::search::{KEPT_SAMPLES, OwnSamples};
use crate::{Error, Model, Observer, digest, files, kept_moments, sampling};

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
    /// How an index was sampled.
    pub fn of(record: &IndexRecord) -> Self {
        Self {
            features: record.features.clone(),
            samples: record.samples,
            truncation_psi: record.truncation_psi,
            seed: record.seed,
        }
    }

    /// Moments of a model's features, those of one class where that is given and the model has classes, going on from
    /// what an earlier call left in `folder`, where one is named.
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
            Some(folder) => Some(self.file(model, class, folder, "moments")?),
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
                let images = sampling::checked(&generator, &seeds, class, psi, device)
                    .map_err(Error::of_model(model.name()))?;
                Ok(features.of_tensor(images))
            },
        )
    }

    /// How many samples of a model say how likely its own samples are.
    pub fn own_samples(&self) -> usize {
        usize::try_from(self.samples).map_or(KEPT_SAMPLES, |samples| samples.min(KEPT_SAMPLES))
    }

    /// Features `[own_samples, dimension]` of samples that the statistics are not of, from `folder` where an earlier
    /// call left them there.
    pub fn own_features(
        &self,
        model: &ZooModel,
        class: Option<usize>,
        network: &UnitFeatures,
        folder: Option<&Path>,
        device: &Device,
        observer: &mut dyn Observer,
    ) -> Result<Array2<f32>, Error> {
        let own = OwnSamples {
            count: self.own_samples(),
            truncation_psi: self.truncation_psi,
            class,
        };
        let Some(folder) = folder else {
            return own.features(model, network, device, observer);
        };
        let path = self.file(model, class, folder, &format!("{}-own", own.count))?;
        if let Some(kept) = kept(&path, [own.count, network.dimension()])? {
            return Ok(kept);
        }
        let features = own.features(model, network, device, observer)?;
        let values: Vec<f32> = features.iter().copied().collect();
        let tensor = StoredTensor::from_f32(features.shape().to_vec(), &values);
        let tensors = BTreeMap::from([(FEATURES.to_owned(), tensor)]);
        save_safetensors(&path, &tensors, &BTreeMap::new(), None)?;
        Ok(features)
    }

    /// Named by everything that the statistics depend on but the number of samples.
    fn file(
        &self,
        model: &ZooModel,
        class: Option<usize>,
        folder: &Path,
        what: &str,
    ) -> Result<PathBuf, Error> {
        files::make_folder(folder)?;
        let class = class.map_or(String::new(), |class| format!(" class {class}"));
        let key = digest::short(&format!(
            "{} {} {} {} {}{class}",
            digest::of_file(&model.generator_path())?,
            self.features.network,
            self.features.side,
            self.truncation_psi,
            self.seed
        ));
        Ok(folder.join(format!("{}-{key}.{what}.safetensors", model.name())))
    }
}

/// The tensor of kept features.
const FEATURES: &str = "features";

/// Features of this shape that an earlier call left in a file; none where it is not there or has others.
fn kept(path: &Path, shape: [usize; 2]) -> Result<Option<Array2<f32>>, Error> {
    if !path.is_file() {
        return Ok(None);
    }
    let file = Checkpoint::open(path)?;
    let tensor = file.tensors().get(FEATURES);
    let tensor = tensor.filter(|tensor| tensor.shape() == shape && tensor.dtype().is_float());
    let kept = tensor.map(|tensor| Array2::from_shape_vec(shape, tensor.to_f32()));
    Ok(kept.and_then(Result::ok))
}
