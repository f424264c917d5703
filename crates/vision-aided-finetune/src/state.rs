//! Where training stands, in one file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use checkpoint::{Checkpoint, FloatPrecision, StoredTensor, save_safetensors};
use serde::{Deserialize, Serialize};
use stylegan2::{Discriminator, Generator};

use crate::{Adam, ImageSet, Trainer, TrainingConfig, TrainingError};

/// Layout of the file; another number is refused.
const VERSION: u32 = 1;
const GENERATOR: &str = "G.";
const GENERATOR_AVERAGE: &str = "G_ema.";
const DISCRIMINATOR: &str = "D.";
const GENERATOR_ADAM: &str = "adam.G.";
const DISCRIMINATOR_ADAM: &str = "adam.D.";
const PATH_LENGTH_MEAN: &str = "path_length_mean";
const TRAINING: &str = "training";

/// How far training is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) iterations: u64,
    pub(crate) images: u64,
}

/// The metadata entry `training`.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    version: u32,
    config: TrainingConfig,
    progress: Progress,
    generator_adam_steps: u64,
    discriminator_adam_steps: u64,
    images: ImagesRecord,
}

/// What the run was trained on.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ImagesRecord {
    count: usize,
    side: usize,
    /// As text, as JSON numbers are only exact to 53 bits for many readers.
    fingerprint: String,
}

impl ImagesRecord {
    fn of(images: &ImageSet) -> Self {
        Self {
            count: images.len(),
            side: images.side(),
            fingerprint: format!("{:016x}", images.fingerprint()),
        }
    }
}

pub(crate) fn save(trainer: &Trainer, path: &Path) -> Result<(), TrainingError> {
    let networks = [
        (
            GENERATOR,
            trainer.generator.tensors(),
            trainer.generator.config().to_json(),
        ),
        (
            GENERATOR_AVERAGE,
            trainer.generator_average.tensors(),
            trainer.generator_average.config().to_json(),
        ),
        (
            DISCRIMINATOR,
            trainer.discriminator.tensors(),
            trainer.discriminator.config().to_json(),
        ),
    ];
    let mut tensors = BTreeMap::new();
    let mut metadata = BTreeMap::new();
    for (prefix, network, config) in networks {
        tensors.extend(
            network
                .into_iter()
                .map(|(name, tensor)| (format!("{prefix}{name}"), tensor)),
        );
        metadata.insert(format!("{prefix}config"), config);
    }
    tensors.extend(trainer.generator_adam.tensors(GENERATOR_ADAM));
    tensors.extend(trainer.discriminator_adam.tensors(DISCRIMINATOR_ADAM));
    // As a tensor, so that no decimal form comes between.
    tensors.insert(
        PATH_LENGTH_MEAN.to_owned(),
        StoredTensor::from_f32(vec![1], &[trainer.path_length_mean.value]),
    );
    for (name, tensor) in &tensors {
        if let Some(value) = tensor.to_f32().into_iter().find(|v| !v.is_finite()) {
            return Err(TrainingError::NonFiniteWeights {
                path: path.to_owned(),
                tensor: name.clone(),
                value,
            });
        }
    }
    let record = Record {
        version: VERSION,
        config: trainer.config.clone(),
        progress: trainer.progress,
        generator_adam_steps: trainer.generator_adam.steps(),
        discriminator_adam_steps: trainer.discriminator_adam.steps(),
        images: ImagesRecord::of(trainer.images()),
    };
    let record = serde_json::to_string(&record).expect("numbers and text have a JSON form");
    metadata.insert(TRAINING.to_owned(), record);
    Ok(save_safetensors(
        path,
        &tensors,
        &metadata,
        FloatPrecision::F32,
    )?)
}

pub(crate) fn resume(
    path: &Path,
    images: Arc<ImageSet>,
    device: &Device,
) -> Result<Trainer, TrainingError> {
    let file = Checkpoint::open(path)?;
    let cannot = |reason: String| TrainingError::CannotResume {
        path: path.to_owned(),
        reason,
    };
    let record = file.metadata().get(TRAINING).ok_or_else(|| {
        cannot(format!(
            "it has no metadata `{TRAINING}`, so it is a network and no training run; start a new run from it instead"
        ))
    })?;
    let record: Record = serde_json::from_str(record)
        .map_err(|e| cannot(format!("its metadata `{TRAINING}` is not understood: {e}")))?;
    if record.version != VERSION {
        return Err(cannot(format!(
            "its layout has version {}, expected {VERSION}",
            record.version
        )));
    }
    let found = ImagesRecord::of(&images);
    if found != record.images {
        return Err(cannot(format!(
            "it was trained on {:?}, found {found:?}; give the same images in the same order",
            record.images
        )));
    }
    let generator = |prefix| {
        network(&file, prefix, |part| {
            Generator::from_checkpoint(part, device)
        })
    };
    let mut trainer = Trainer::new(
        record.config,
        generator(GENERATOR)?,
        Some(generator(GENERATOR_AVERAGE)?),
        network(&file, DISCRIMINATOR, |part| {
            Discriminator::from_checkpoint(part, device)
        })?,
        images,
        device,
    )?;
    trainer.generator_adam = Adam::from_tensors(
        trainer.config.corrected_generator_adam(),
        record.generator_adam_steps,
        &file,
        GENERATOR_ADAM,
        device,
    )?;
    trainer.discriminator_adam = Adam::from_tensors(
        trainer.config.corrected_discriminator_adam(),
        record.discriminator_adam_steps,
        &file,
        DISCRIMINATOR_ADAM,
        device,
    )?;
    trainer.progress = record.progress;
    trainer.path_length_mean.value = file.tensor::<1>(PATH_LENGTH_MEAN, device)?.into_scalar();
    Ok(trainer)
}

/// One network of the file, under its own names and configuration.
fn network<N>(
    file: &Checkpoint,
    prefix: &str,
    load: impl FnOnce(&Checkpoint) -> Result<N, stylegan2::StyleGan2Error>,
) -> Result<N, TrainingError> {
    let part = file.subset(prefix);
    let config = file.metadata().get(&format!("{prefix}config"));
    let metadata = config
        .map(|config| BTreeMap::from([("config".to_owned(), config.clone())]))
        .unwrap_or_default();
    Ok(load(&Checkpoint::from_tensors(
        file.path(),
        part.tensors().clone(),
        metadata,
    ))?)
}
