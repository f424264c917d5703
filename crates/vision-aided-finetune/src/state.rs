//! Where training stands, in one file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Device;
use checkpoint_file::{Checkpoint, FloatPrecision, StoredTensor, save_safetensors};
use serde::{Deserialize, Serialize};
use stylegan2::{Discriminator, Generator};

use crate::counters::contradiction;
use crate::images::FINGERPRINT_ALGORITHM;
use crate::vision_aided::{
    HeadConfig, VisionAidedDiscriminator, VisionAidedHead, VisionBackbone, VisionBackboneKind,
    VisionLevels,
};
use crate::{Adam, ImageSet, Trainer, TrainingConfig, TrainingError};

/// Layout of the file; another number is refused.
///
/// Fields that are added to the record need a `serde(default)` that stands for what training did before it had them.
const VERSION: u32 = 1;
const GENERATOR: &str = "G.";
const GENERATOR_AVERAGE: &str = "G_ema.";
const SLOW_AVERAGE: &str = "G_slow.";
const DISCRIMINATOR: &str = "D.";
const GENERATOR_ADAM: &str = "adam.G.";
const DISCRIMINATOR_ADAM: &str = "adam.D.";
/// Followed by the number of the discriminator.
const HEAD: &str = "heads.";
const HEAD_ADAM: &str = "adam.heads.";
const PATH_LENGTH_MEAN: &str = "path_length_mean";
/// Norms of the image discriminator's and of the frozen networks' gradients; where the options keep a balance.
const BALANCE: &str = "vision_aided_balance";
const TRAINING: &str = "training";
const PROVENANCE: &str = "provenance";

/// How far training is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) iterations: u64,
    pub(crate) images: u64,
    /// Not counted at first: as if all had been finite.
    #[serde(default)]
    pub(crate) non_finite: NonFinite,
}

/// How often on end a measurement was NaN or infinite, up to the last iteration that took it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NonFinite {
    pub(crate) losses: u64,
    /// Of R1, or of R2 beside it: the name is that of checkpoints from before there was R2.
    pub(crate) r1_penalty: u64,
    pub(crate) path_length: u64,
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
    /// None in runs of before there were any.
    #[serde(default)]
    vision_aided: Vec<VisionAidedRecord>,
}

/// A vision-aided discriminator.
#[derive(Debug, Serialize, Deserialize)]
struct VisionAidedRecord {
    backbone: String,
    input_side: usize,
    #[serde(default)]
    levels: VisionLevels,
    head: HeadConfig,
    adam_steps: u64,
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
            fingerprint: images.fingerprint().to_owned(),
        }
    }

    /// Why training cannot go on with these images, if so.
    fn refusal(&self, found: &Self) -> Option<String> {
        if self == found {
            return None;
        }
        let known = format!("{FINGERPRINT_ALGORITHM}:");
        if (self.count, self.side) == (found.count, found.side)
            && !self.fingerprint.starts_with(&known)
        {
            return Some(format!(
                "the fingerprint {} of its images was computed in another way, so that it cannot be compared; if {} images of {side}x{side} with \
                 the fingerprint {} are those it was trained on, write that into the metadata `{TRAINING}`, images.fingerprint",
                self.fingerprint,
                found.count,
                found.fingerprint,
                side = found.side,
            ));
        }
        Some(format!(
            "it was trained on {self}, found {found}; give the same images in the same order"
        ))
    }
}

impl fmt::Display for ImagesRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            count,
            side,
            fingerprint,
        } = self;
        let images = if *count == 1 { "image" } else { "images" };
        write!(f, "{count} {images} of {side}x{side} ({fingerprint})")
    }
}

pub(crate) fn save(trainer: &Trainer, path: &Path) -> Result<(), TrainingError> {
    let mut networks = vec![
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
    if let Some(average) = &trainer.slow_average {
        let config = average.config().to_json();
        networks.push((SLOW_AVERAGE, average.tensors(), config));
    }
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
    let mut vision_aided = Vec::new();
    for (index, discriminator) in trainer.vision_aided.iter().enumerate() {
        let named = discriminator.head.tensors().into_iter();
        tensors.extend(named.map(|(name, tensor)| (format!("{HEAD}{index}.{name}"), tensor)));
        tensors.extend(discriminator.adam.tensors(&format!("{HEAD_ADAM}{index}.")));
        let backbone = discriminator.backbone();
        vision_aided.push(VisionAidedRecord {
            backbone: backbone.kind().to_string(),
            input_side: backbone.input_side(),
            levels: backbone.levels(),
            head: backbone.head().with_form(discriminator.head.form()),
            adam_steps: discriminator.adam.steps(),
        });
    }
    // As a tensor, so that no decimal form comes between.
    tensors.insert(
        PATH_LENGTH_MEAN.to_owned(),
        StoredTensor::from_f32(vec![1], &[trainer.path_length_mean.value]),
    );
    if let Some(norms) = trainer.balance.norms {
        tensors.insert(BALANCE.to_owned(), StoredTensor::from_f32(vec![2], &norms));
    }
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
        vision_aided,
    };
    let record = serde_json::to_string(&record).expect("numbers and text have a JSON form");
    metadata.insert(TRAINING.to_owned(), record);
    if let Some(provenance) = trainer.provenance() {
        metadata.insert(PROVENANCE.to_owned(), provenance.to_owned());
    }
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
    backbones: &[VisionBackbone],
    device: &Device,
) -> Result<Trainer, TrainingError> {
    let file = Checkpoint::open(path)?;
    let cannot = |reason: String| TrainingError::CannotResume {
        path: path.to_owned(),
        reason,
    };
    let record = record(&file)?;
    let SavedNetworks {
        generator,
        generator_average,
        discriminator,
    } = SavedNetworks::of(&file, device)?;
    let images = crate::networks::in_colors_of(&generator, images);
    if let Some(reason) = record.images.refusal(&ImagesRecord::of(&images)) {
        return Err(cannot(reason));
    }
    let slow_average = match record.config.slow_average_kimg {
        Some(_) => Some(Generator::from_checkpoint(
            &network(&file, SLOW_AVERAGE),
            device,
        )?),
        None => None,
    };
    let mut trainer = Trainer::new(
        record.config,
        generator,
        Some(generator_average),
        discriminator,
        images,
        device,
    )?;
    trainer.generator_adam = Adam::from_tensors(
        trainer.config.corrected_generator_adam(),
        record.generator_adam_steps,
        &trainer.generator,
        &file,
        GENERATOR_ADAM,
        device,
    )?;
    trainer.discriminator_adam = Adam::from_tensors(
        trainer.config.corrected_discriminator_adam(),
        record.discriminator_adam_steps,
        &trainer.discriminator,
        &file,
        DISCRIMINATOR_ADAM,
        device,
    )?;
    check_backbones(&record.vision_aided, backbones).map_err(cannot)?;
    for (index, (record, backbone)) in record.vision_aided.iter().zip(backbones).enumerate() {
        let head = file.subset(&format!("{HEAD}{index}."));
        let head = VisionAidedHead::load(&record.head, &head, device)?.train();
        let adam = Adam::from_tensors(
            trainer.config.vision_aided.adam,
            record.adam_steps,
            &head,
            &file,
            &format!("{HEAD_ADAM}{index}."),
            device,
        )?;
        trainer
            .vision_aided
            .push(VisionAidedDiscriminator::from_parts(
                backbone.clone(),
                head,
                adam,
            ));
    }
    trainer.slow_average = slow_average;
    trainer.progress = record.progress;
    let mean = file.tensors().get(PATH_LENGTH_MEAN);
    let mean = mean.map(StoredTensor::to_f32).unwrap_or_default();
    let [mean] = mean[..] else {
        return Err(cannot(format!(
            "`{PATH_LENGTH_MEAN}` has {} values, expected 1",
            mean.len()
        )));
    };
    trainer.path_length_mean.value = mean;
    if let Some(norms) = file.tensors().get(BALANCE) {
        let norms = norms.to_f32();
        let found = norms.len();
        let norms = <[f32; 2]>::try_from(norms)
            .map_err(|_| cannot(format!("`{BALANCE}` has {found} values, expected 2")))?;
        if !norms.iter().all(|norm| norm.is_finite() && *norm >= 0.0) {
            return Err(cannot(format!(
                "`{BALANCE}` is {norms:?}, expected two lengths"
            )));
        }
        trainer.balance.norms = Some(norms);
    }
    trainer.set_provenance(file.metadata().get(PROVENANCE).cloned());
    Ok(trainer)
}

fn record(file: &Checkpoint) -> Result<Record, TrainingError> {
    let cannot = |reason: String| TrainingError::CannotResume {
        path: file.path().to_owned(),
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
    let networks = [
        ("generator", record.generator_adam_steps),
        ("discriminator", record.discriminator_adam_steps),
    ];
    let heads = record
        .vision_aided
        .iter()
        .map(|head| (head.backbone.as_str(), head.adam_steps));
    let fault = contradiction(
        &record.progress,
        record.config.batch_size,
        networks.into_iter().chain(heads),
    );
    if let Some(fault) = fault {
        return Err(cannot(format!(
            "its metadata `{TRAINING}` contradicts itself, so the file is damaged or was changed: {fault}; go on from an older checkpoint"
        )));
    }
    Ok(record)
}

/// Whether a metadata entry `training` is one of ours, of any version: models of others have notes under that name.
fn is_record(text: &str) -> bool {
    let record: Result<serde_json::Value, _> = serde_json::from_str(text);
    record.is_ok_and(|record| record.get("version").is_some() && record.get("progress").is_some())
}

pub(crate) fn image_side(path: &Path) -> Result<usize, TrainingError> {
    Ok(record(&Checkpoint::open(path)?)?.images.side)
}

pub(crate) fn images_shown(path: &Path) -> Result<u64, TrainingError> {
    Ok(record(&Checkpoint::open(path)?)?.progress.images)
}

pub(crate) fn provenance(path: &Path) -> Result<Option<String>, TrainingError> {
    let file = Checkpoint::open(path)?;
    record(&file)?;
    Ok(file.metadata().get(PROVENANCE).cloned())
}

/// A frozen network that a vision-aided discriminator of a checkpoint stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SavedVisionNetwork {
    /// Which network.
    pub kind: VisionBackboneKind,
    /// Side of its input.
    pub input_side: usize,
    /// Levels of its features.
    pub levels: VisionLevels,
}

pub(crate) fn vision_networks(path: &Path) -> Result<Vec<SavedVisionNetwork>, TrainingError> {
    let file = Checkpoint::open(path)?;
    let networks = record(&file)?.vision_aided.into_iter();
    networks
        .map(|record| {
            Ok(SavedVisionNetwork {
                kind: record.backbone.parse()?,
                input_side: record.input_side,
                levels: record.levels,
            })
        })
        .collect()
}

/// Says why the run cannot go on with these networks, if so.
fn check_backbones(expected: &[VisionAidedRecord], found: &[VisionBackbone]) -> Result<(), String> {
    let list = |networks: Vec<(String, usize, VisionLevels)>| {
        let names: Vec<String> = networks
            .into_iter()
            .map(|(name, side, levels)| match levels {
                VisionLevels::Published => format!("{name} at {side} pixels"),
                levels => format!("{name} at {side} pixels, {levels} levels"),
            })
            .collect();
        match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(", "),
        }
    };
    let heads_fit = expected
        .iter()
        .zip(found)
        .all(|(record, backbone)| record.head == backbone.head().with_form(record.head.form));
    let expected: Vec<_> = expected
        .iter()
        .map(|record| (record.backbone.clone(), record.input_side, record.levels))
        .collect();
    let found: Vec<_> = found
        .iter()
        .map(|network| {
            let name = network.kind().to_string();
            (name, network.input_side(), network.levels())
        })
        .collect();
    if expected == found && heads_fit {
        return Ok(());
    }
    Err(format!(
        "its vision-aided discriminators stand on other networks: found {}, expected {}; give those",
        list(found),
        list(expected)
    ))
}

/// The networks of a checkpoint of a training run, to start another run from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SavedNetworks {
    /// The generator in training.
    pub generator: Generator,
    /// Its running average.
    pub generator_average: Generator,
    /// The discriminator.
    pub discriminator: Discriminator,
}

impl SavedNetworks {
    /// The networks of a file that [`Trainer::save`] wrote; `None` for any other checkpoint.
    ///
    /// # Errors
    /// When the file cannot be read, or it is of a training run and a network in it is unusable.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Option<Self>, TrainingError> {
        let file = Checkpoint::open(path)?;
        let of_a_run = file.metadata().get(TRAINING).is_some_and(|r| is_record(r));
        of_a_run.then(|| Self::of(&file, device)).transpose()
    }

    fn of(file: &Checkpoint, device: &Device) -> Result<Self, TrainingError> {
        let generator = |prefix| Generator::from_checkpoint(&network(file, prefix), device);
        Ok(Self {
            generator: generator(GENERATOR)?,
            generator_average: generator(GENERATOR_AVERAGE)?,
            discriminator: Discriminator::from_checkpoint(&network(file, DISCRIMINATOR), device)?,
        })
    }
}

/// One network of the file, under its own names and configuration.
fn network(file: &Checkpoint, prefix: &str) -> Checkpoint {
    let part = file.subset(prefix);
    let config = file.metadata().get(&format!("{prefix}config"));
    let metadata = config
        .map(|config| BTreeMap::from([("config".to_owned(), config.clone())]))
        .unwrap_or_default();
    Checkpoint::from_tensors(file.path(), part.tensors().clone(), metadata)
}
