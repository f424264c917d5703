//! Options of fine-tuning that its programs share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use vision_aided_finetune::vision_aided::{HeadForm, VisionAidedLoss};
use vision_aided_finetune::{DiffAugment, TrainingConfig};

use crate::Failure;
use crate::image_sets::BadImageArgs;
use crate::numbers::{minutes, not_negative, positive};
use crate::training::vision_networks::VisionNetwork;
use ganymede::protocol::Protocol;

/// How a generator is fine-tuned and measured.
#[derive(Args, Clone, Debug)]
pub struct TransferArgs {
    /// What happens with images that cannot be read.
    #[command(flatten)]
    pub bad_images: BadImageArgs,
    /// Discriminators on frozen networks beside the image discriminator, `NAME` or `NAME=FILE`: efficientnet_lite0, vgg16, clip_vit_b32, dino_vit_b16
    /// (the last two need a file)
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "efficientnet_lite0"
    )]
    pub vision_aided: Vec<VisionNetwork>,

    /// Side of the images that frozen networks see; 224 as published, smaller ones are faster
    #[arg(long, value_name = "PIXELS", default_value_t = 128)]
    pub vision_aided_input: usize,

    /// Layers of the heads on frozen networks: equalised (as in the authors' StyleGAN2 code) or spectral-norm (as in their package)
    #[arg(long, value_name = "FORM", default_value = "equalised", value_parser = head_form)]
    pub heads: HeadForm,

    /// Loss of the heads: sigmoid, sigmoid-smoothed (targets of 0.8 instead of 1) or hinge
    #[arg(long, value_name = "LOSS", default_value = "sigmoid-smoothed", value_parser = head_loss)]
    pub heads_loss: VisionAidedLoss,

    /// Augmentations of what frozen networks see
    #[arg(long, value_name = "LIST", default_value = "color,translation,cutout")]
    pub vision_aided_augment: DiffAugment,

    /// Augmentations of what the image discriminator sees
    #[arg(long, value_name = "LIST", default_value = "color,translation,cutout")]
    pub augment: DiffAugment,

    /// Images of a batch
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub batch: usize,

    /// Learning rate of all networks
    #[arg(long, value_name = "RATE", default_value_t = 0.002, value_parser = positive)]
    pub learning_rate: f64,

    /// Weight of R1
    #[arg(long, value_name = "GAMMA", default_value_t = 1.0, value_parser = not_negative)]
    pub gamma: f64,

    /// Half-life of the generator's average, in thousands of images; StyleGAN2's would be longer than half of a run of 5 kimg
    #[arg(long, value_name = "K", default_value_t = 0.5, value_parser = positive)]
    pub average_kimg: f64,

    /// Leave the first N layers of the image discriminator, from the image on, as they are (Freeze-D)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub freeze_layers: usize,

    /// Flip half of the images left to right
    #[arg(long)]
    pub mirror: bool,

    /// Train with noise images (flat art is better without)
    #[arg(long)]
    pub noise: bool,

    /// Measure, and keep the run, every so many thousand images
    #[arg(long, value_name = "K", default_value_t = 0.5, value_parser = positive)]
    pub snapshot_kimg: f64,

    /// Generated images of a measurement: seeds 0, 1, ..
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..))]
    pub samples: u32,

    /// Features of the Fréchet distance and how images become the network's input
    #[arg(long, value_enum, default_value_t = Protocol::EfficientnetLite0)]
    pub protocol: Protocol,

    /// Weights of that network (.safetensors, .pth or .pt) [default for efficientnet_lite0: those in the weights folder]
    #[arg(long, value_name = "FILE")]
    pub features: Option<PathBuf>,

    /// Also write the checkpoint every so many minutes
    #[arg(long, value_name = "MINUTES", default_value = "5", value_parser = minutes)]
    pub checkpoint_minutes: Duration,
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
    /// Layers of the discriminator that stay as they are.
    pub freeze_layers: usize,
    /// Features of the Fréchet distance, by their name on the command line.
    pub protocol: String,
    /// Generated images of a measurement.
    pub samples: u32,
    /// Thousands of images between measurements.
    pub snapshot_kimg: f64,
}

impl TransferArgs {
    /// The settings with a seed; `plain` leaves the vision-aided discriminators out.
    pub fn settings(&self, seed: u32, plain: bool) -> Settings {
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
        let networks: &[VisionNetwork] = if plain { &[] } else { &self.vision_aided };
        Settings {
            training,
            vision_aided: networks.iter().map(VisionNetwork::name).collect(),
            vision_aided_input: self.vision_aided_input,
            freeze_layers: self.freeze_layers,
            protocol: self.protocol.name().to_owned(),
            samples: self.samples,
            snapshot_kimg: self.snapshot_kimg,
        }
    }
}

impl Settings {
    /// Refuses other settings than those a run was started with, naming the first that differs.
    pub fn check_same(&self, run: &Self) -> Result<(), Failure> {
        let [now, run] = [serde_json::to_value(self)?, serde_json::to_value(run)?];
        match difference("", &now, &run) {
            None => Ok(()),
            Some((option, found, expected)) => Err(format!(
                "the run there was started with {option} {expected}, found {found}; give the same options to continue it, or choose another --out"
            )
            .into()),
        }
    }
}

fn head_form(text: &str) -> Result<HeadForm, String> {
    match text {
        "equalised" => Ok(HeadForm::EqualisedLearningRate),
        "spectral-norm" => Ok(HeadForm::SpectralNorm),
        _ => Err("expected equalised or spectral-norm".to_owned()),
    }
}

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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        transfer: TransferArgs,
    }

    fn settings(args: &[&str]) -> Settings {
        let program = Program::try_parse_from([&["test"], args].concat()).unwrap();
        program.transfer.settings(1, false)
    }

    #[test]
    fn another_setting_is_named_with_both_values() {
        let run = settings(&[]);
        run.check_same(&settings(&[])).unwrap();
        let now = settings(&["--gamma=2"]);
        let message = now.check_same(&run).unwrap_err().to_string();
        for part in ["training.r1_gamma 1.0", "found 2.0"] {
            assert!(message.contains(part), "{message}: no {part}");
        }
        let now = settings(&["--vision-aided=vgg16"]);
        let message = now.check_same(&run).unwrap_err().to_string();
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
