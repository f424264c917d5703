use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vision_aided_finetune::vision_aided::{
    HeadForm, VisionAidedLoss, VisionBackboneKind, VisionLevels,
};
use vision_aided_finetune::{DiffAugment, TrainingConfig};

use crate::Error;
use crate::numbers::{self, check_not_negative, check_positive};
#[cfg(feature = "clap")]
use crate::numbers::{minutes, not_negative, positive};
use crate::protocol::Protocol;
use crate::runs::vision_networks::VisionNetwork;

/// What is fine-tuned, on what, and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct Options {
    /// Start from this generator: a name of the zoo, a checkpoint of any known format, or a training run's checkpoint
    /// [default: the model that the zoo's index ranks first for the images]
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME|FILE"))]
    pub source: Option<String>,
    /// Start from this discriminator [default: the one in the source's file or beside it, else random weights]
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub discriminator: Option<PathBuf>,
    /// Images to train on, a folder, a .zip or .tar archive or a packed file [default: avataaars of the repository's
    /// few-shot sets]
    #[cfg_attr(feature = "clap", arg(long, value_name = "PATH"))]
    pub images: Option<PathBuf>,
    /// Such images that distances are measured against [default: the training images]
    #[cfg_attr(feature = "clap", arg(long, value_name = "PATH"))]
    pub reference: Option<PathBuf>,
    /// Length of the run, in thousands of images; a list has stages, each of which starts from the best snapshot so far
    /// and adds the network of --vision-aided that tells the generator's images best from real ones
    #[cfg_attr(feature = "clap", arg(long, value_name = "K,..", value_delimiter = ',', default_values_t = Options::default().kimg, value_parser = positive))]
    pub kimg: Vec<f64>,
    /// Train without discriminators on frozen networks
    #[cfg_attr(feature = "clap", arg(long))]
    pub plain: bool,
    /// Where the run is kept: checkpoint, measurements, samples and the fine-tuned networks [default:
    /// out/finetune/NAME, after the images]
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub out: Option<PathBuf>,
    /// Folder of models that the source is ranked from [default: zoo/ in the weights folder]
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "DIR", conflicts_with = "source")
    )]
    pub models: Option<PathBuf>,
    /// How the generator is fine-tuned and measured.
    #[cfg_attr(feature = "clap", command(flatten))]
    pub tuning: FineTuning,
    /// Seed of everything random
    #[cfg_attr(feature = "clap", arg(skip))]
    pub seed: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            source: None,
            discriminator: None,
            images: None,
            reference: None,
            kimg: vec![5.0],
            plain: false,
            out: None,
            models: None,
            tuning: FineTuning::default(),
            seed: 0,
        }
    }
}

impl Options {
    /// Whether the values make sense together, as far as that can be said before anything is opened.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] names the first that does not.
    pub fn validate(&self) -> Result<(), Error> {
        self.tuning.validate()?;
        if self.kimg.is_empty() {
            return Err(Error::option(
                "kimg",
                "",
                "expected the length of a stage at least",
            ));
        }
        for kimg in &self.kimg {
            check_positive("kimg", *kimg)?;
        }
        match (&self.models, &self.source) {
            (Some(models), Some(_)) => Err(Error::option(
                "models",
                models.display(),
                "a source that is named is not ranked; leave out one of them",
            )),
            _ => Ok(()),
        }
    }
}

/// How a generator is fine-tuned and measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct FineTuning {
    /// Leave out images that cannot be read, and say so
    #[cfg_attr(feature = "clap", arg(long))]
    pub skip_bad: bool,
    /// Discriminators on frozen networks beside the image discriminator, `NAME` or `NAME=FILE`: efficientnet_lite0,
    /// vgg16, clip_vit_b32, dino_vit_b16 (the last two need a file)
    #[cfg_attr(feature = "clap", arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = FineTuning::default().vision_aided))]
    pub vision_aided: Vec<VisionNetwork>,
    /// Side of the images that frozen networks see; 224 as published, smaller ones are faster
    #[cfg_attr(feature = "clap", arg(long, value_name = "PIXELS", default_value_t = FineTuning::default().vision_aided_input))]
    pub vision_aided_input: usize,
    /// Levels of their features that heads see: fine has half and quarter resolution too, where lines are; the
    /// transformers have the published ones only
    #[cfg_attr(feature = "clap", arg(long, value_name = "LEVELS", default_value_t = FineTuning::default().vision_aided_levels))]
    pub vision_aided_levels: VisionLevels,
    /// Bound on what frozen networks send to the generator's images, as a multiple of the image discriminator's
    /// gradient there; 0 for none, as published
    #[cfg_attr(feature = "clap", arg(long, value_name = "RATIO", default_value_t = FineTuning::default().vision_aided_balance, value_parser = not_negative))]
    pub vision_aided_balance: f64,
    /// Layers of the heads on frozen networks: equalized (as in the authors' StyleGAN2 code) or spectral-norm (as in
    /// their package)
    #[cfg_attr(feature = "clap", arg(long, value_name = "FORM", default_value = "equalized", value_parser = head_form))]
    pub heads: HeadForm,
    /// Loss of the heads: sigmoid, sigmoid-smoothed (targets of 0.8 instead of 1) or hinge
    #[cfg_attr(feature = "clap", arg(long, value_name = "LOSS", default_value = "sigmoid-smoothed", value_parser = head_loss))]
    pub heads_loss: VisionAidedLoss,
    /// Augmentations of what frozen networks see
    #[cfg_attr(feature = "clap", arg(long, value_name = "LIST", default_value_t = FineTuning::default().vision_aided_augment))]
    pub vision_aided_augment: DiffAugment,
    /// Augmentations of what the image discriminator sees
    #[cfg_attr(feature = "clap", arg(long, value_name = "LIST", default_value_t = FineTuning::default().augment))]
    pub augment: DiffAugment,
    /// Images of a batch
    #[cfg_attr(feature = "clap", arg(long, value_name = "N", default_value_t = FineTuning::default().batch))]
    pub batch: usize,
    /// Learning rate of all networks
    #[cfg_attr(feature = "clap", arg(long, value_name = "RATE", default_value_t = FineTuning::default().learning_rate, value_parser = positive))]
    pub learning_rate: f64,
    /// Weight of R1
    #[cfg_attr(feature = "clap", arg(long, value_name = "GAMMA", default_value_t = FineTuning::default().gamma, value_parser = not_negative))]
    pub gamma: f64,
    /// Half-life of the generator's average, in thousands of images; StyleGAN2's would be longer than half of a run of
    /// 5 kimg
    #[cfg_attr(feature = "clap", arg(long, value_name = "K", default_value_t = FineTuning::default().average_kimg, value_parser = positive))]
    pub average_kimg: f64,
    /// Leave the first N layers of the image discriminator, from the image on, as they are (Freeze-D)
    #[cfg_attr(feature = "clap", arg(long, value_name = "N", default_value_t = FineTuning::default().freeze_layers))]
    pub freeze_layers: usize,
    /// Flip half of the images left to right
    #[cfg_attr(feature = "clap", arg(long))]
    pub mirror: bool,
    /// Train with noise images (flat art is better without)
    #[cfg_attr(feature = "clap", arg(long))]
    pub noise: bool,
    /// Measure, and keep the run, every so many thousand images
    #[cfg_attr(feature = "clap", arg(long, value_name = "K", default_value_t = FineTuning::default().snapshot_kimg, value_parser = positive))]
    pub snapshot_kimg: f64,
    /// Generated images of a measurement: seeds 0, 1, ..
    #[cfg_attr(feature = "clap", arg(long, value_name = "N", default_value_t = FineTuning::default().samples, value_parser = clap::value_parser!(u32).range(2..)))]
    pub samples: u32,
    /// Features of the Fréchet distance and how images become the network's input
    #[cfg_attr(feature = "clap", arg(long, value_enum, default_value_t = FineTuning::default().protocol))]
    pub protocol: Protocol,
    /// Weights of that network (.safetensors, .pth or .pt) [default: its file in features/ of the weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub features: Option<PathBuf>,
    /// Also write the checkpoint every so many minutes
    #[cfg_attr(feature = "clap", arg(long, value_name = "MINUTES", default_value_t = FineTuning::default().checkpoint_minutes, value_parser = minutes))]
    pub checkpoint_minutes: f64,
}

impl Default for FineTuning {
    fn default() -> Self {
        let all = DiffAugment {
            color: true,
            translation: true,
            cutout: true,
        };
        Self {
            skip_bad: false,
            vision_aided: vec![VisionBackboneKind::EfficientNetLite0.into()],
            vision_aided_input: 128,
            vision_aided_levels: VisionLevels::Fine,
            vision_aided_balance: 1.0,
            heads: HeadForm::EqualizedLearningRate,
            heads_loss: VisionAidedLoss::MultilevelSigmoidSmoothed,
            vision_aided_augment: all,
            augment: all,
            batch: 8,
            learning_rate: 0.002,
            gamma: 1.0,
            average_kimg: 0.5,
            freeze_layers: 0,
            mirror: false,
            noise: false,
            snapshot_kimg: 0.5,
            samples: 1000,
            protocol: Protocol::AlexNet,
            features: None,
            checkpoint_minutes: 5.0,
        }
    }
}

/// What decides a run besides its images and what it starts from; a run that goes on has the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Options of the trainer.
    pub training: TrainingConfig,
    /// Candidates for further discriminators, in their order.
    pub vision_aided: Vec<String>,
    /// Side of the images that frozen networks see.
    pub vision_aided_input: usize,
    /// Levels of their features; records of before there was a choice have none.
    #[serde(default)]
    pub vision_aided_levels: VisionLevels,
    /// Layers of the discriminator that stay as they are.
    pub freeze_layers: usize,
    /// Features of the Fréchet distance, by their name on the command line.
    pub protocol: String,
    /// Generated images of a measurement.
    pub samples: u32,
    /// Draws of these images that a measurement is repeated on.
    #[serde(default)]
    pub resamples: u32,
    /// Thousands of images between measurements.
    pub snapshot_kimg: f64,
}

impl FineTuning {
    /// Whether the values can be used, as far as that can be said before anything is opened.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] names the first that cannot.
    pub fn validate(&self) -> Result<(), Error> {
        for (option, value) in [
            ("learning_rate", self.learning_rate),
            ("average_kimg", self.average_kimg),
            ("snapshot_kimg", self.snapshot_kimg),
            ("checkpoint_minutes", self.checkpoint_minutes),
        ] {
            check_positive(option, value)?;
        }
        check_not_negative("gamma", self.gamma)?;
        check_not_negative("vision_aided_balance", self.vision_aided_balance)?;
        match self.samples {
            0 | 1 => Err(Error::option(
                "samples",
                self.samples,
                "expected at least 2",
            )),
            _ => Ok(()),
        }
    }

    /// Between two checkpoints.
    pub(super) fn checkpoint_interval(&self) -> Duration {
        numbers::duration(self.checkpoint_minutes).unwrap_or(Duration::MAX)
    }

    /// The settings with a seed; `plain` leaves the vision-aided discriminators out.
    pub(crate) fn settings(&self, seed: u32, plain: bool) -> Settings {
        let defaults = TrainingConfig::default();
        let mut training = TrainingConfig {
            seed: u64::from(seed),
            batch_size: self.batch,
            r1_gamma: self.gamma,
            // The penalty shapes latents over far more images than a few-shot run shows.
            path_length_weight: 0.0,
            path_length_batch_shrink: defaults.path_length_batch_shrink.min(self.batch),
            augment: self.augment,
            mirror: self.mirror,
            noise: self.noise,
            ..defaults
        };
        training.average.kimg = self.average_kimg;
        // As in the official code: the average of trained weights is worth keeping.
        training.average.rampup = None;
        training.generator_adam.learning_rate = self.learning_rate;
        training.discriminator_adam.learning_rate = self.learning_rate;
        training.vision_aided.adam.learning_rate = self.learning_rate;
        training.vision_aided.augment = self.vision_aided_augment;
        training.vision_aided.head_form = self.heads;
        training.vision_aided.loss = self.heads_loss;
        training.vision_aided.average_levels = true;
        training.vision_aided.balance =
            (self.vision_aided_balance > 0.0).then_some(self.vision_aided_balance);
        let networks: &[VisionNetwork] = if plain { &[] } else { &self.vision_aided };
        Settings {
            training,
            vision_aided: networks.iter().map(VisionNetwork::name).collect(),
            vision_aided_input: self.vision_aided_input,
            vision_aided_levels: self.vision_aided_levels,
            freeze_layers: self.freeze_layers,
            protocol: self.protocol.name().to_owned(),
            samples: self.samples,
            resamples: 0,
            snapshot_kimg: self.snapshot_kimg,
        }
    }
}

impl Settings {
    /// Refuses other settings than those a run was started with, naming the first that differs.
    pub(super) fn check_same(&self, run: &Self, folder: &Path) -> Result<(), Error> {
        let [now, run] = [serde_json::to_value(self)?, serde_json::to_value(run)?];
        match difference("", &now, &run) {
            None => Ok(()),
            Some((option, found, expected)) => Err(Error::RunDiffers {
                folder: folder.to_owned(),
                difference: format!(
                    "was started with {option} {expected}, found {found}; give the same options to continue it"
                ),
            }),
        }
    }
}

#[cfg(feature = "clap")]
fn head_form(text: &str) -> Result<HeadForm, String> {
    match text {
        "equalized" | "equalised" => Ok(HeadForm::EqualizedLearningRate),
        "spectral-norm" => Ok(HeadForm::SpectralNorm),
        _ => Err("expected equalized or spectral-norm".to_owned()),
    }
}

#[cfg(feature = "clap")]
fn head_loss(text: &str) -> Result<VisionAidedLoss, String> {
    match text {
        "sigmoid" => Ok(VisionAidedLoss::MultilevelSigmoid),
        "sigmoid-smoothed" => Ok(VisionAidedLoss::MultilevelSigmoidSmoothed),
        "hinge" => Ok(VisionAidedLoss::MultilevelHinge),
        _ => Err("expected sigmoid, sigmoid-smoothed or hinge".to_owned()),
    }
}

/// The first place where two records differ, and both values.
fn difference(
    path: &str,
    a: &serde_json::Value,
    b: &serde_json::Value,
) -> Option<(String, String, String)> {
    use serde_json::Value::{Null, Object};
    if a == b {
        return None;
    }
    let (Object(a), Object(b)) = (a, b) else {
        return Some((
            path.trim_start_matches('.').to_owned(),
            a.to_string(),
            b.to_string(),
        ));
    };
    let mut names = a.keys().chain(b.keys());
    names.find_map(|name| {
        let [a, b] = [a, b].map(|map| map.get(name).unwrap_or(&Null));
        difference(&format!("{path}.{name}"), a, b)
    })
}

#[cfg(all(test, feature = "clap"))]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        transfer: FineTuning,
    }

    fn settings(args: &[&str]) -> Settings {
        let program = Program::try_parse_from([&["test"], args].concat()).unwrap();
        program.transfer.settings(1, false)
    }

    #[test]
    fn another_setting_is_named_with_both_values() {
        let run = settings(&[]);
        let folder = Path::new("runs/1");
        run.check_same(&settings(&[]), folder).unwrap();
        let now = settings(&["--gamma=2"]);
        let message = now.check_same(&run, folder).unwrap_err().to_string();
        for part in ["runs/1", "training.r1_gamma 1.0", "found 2.0"] {
            assert!(message.contains(part), "{message}: no {part}");
        }
        let now = settings(&["--vision-aided=vgg16"]);
        let message = now.check_same(&run, folder).unwrap_err().to_string();
        assert!(message.contains("vision_aided"), "{message}");
    }

    #[test]
    fn plain_runs_differ_in_the_vision_aided_discriminators_only() {
        let program = Program::try_parse_from(["test"]).unwrap();
        let [with, without] = [false, true].map(|plain| program.transfer.settings(0, plain));
        assert_eq!(with.vision_aided, ["efficientnet_lite0"]);
        assert!(without.vision_aided.is_empty());
        assert_eq!(with.training, without.training);
    }
}
