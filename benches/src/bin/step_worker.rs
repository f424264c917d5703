//! Our side of the comparison with PyTorch: reads requests as JSON lines and answers each with one line, as
//! `peer/worker.py` does.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::Arc;

use backbones::FeatureNetworkKind;
use benches::{DeviceName, Error, Step, Stepper, Workload, feature_extractor};
use burn::tensor::Device;
use checkpoint_file::Checkpoint;
use lpips::{Lpips, Version};
use serde::{Deserialize, Serialize};
use stylegan2::{Discriminator, Generator};
use vision_aided_finetune::{ImageSet, Trainer, TrainingConfig};

/// What the zoo is trained with.
const R1_GAMMA: f64 = 0.1;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    /// Answered at once.
    Hello(bool),
    /// Prepares a case.
    Load(Case),
    /// Runs this many steps.
    Steps(usize),
}

#[derive(Deserialize)]
struct Case {
    /// Where our side computes.
    #[serde(default)]
    device: DeviceName,
    /// The generator; absent for features.
    model: Option<PathBuf>,
    /// Weights of EfficientNet-lite0, whose features of the targets are computed; absent for all else.
    features: Option<PathBuf>,
    batch: usize,
    /// Network of LPIPS; absent for synthesis alone.
    net: Option<String>,
    lpips_folder: Option<PathBuf>,
    targets: PathBuf,
    /// Absent for all else than training.
    training: Option<TrainingFiles>,
}

#[derive(Deserialize)]
struct TrainingFiles {
    discriminator: PathBuf,
    /// `images` `[count, 3, side, side]`, whole numbers from 0 to 255.
    images: PathBuf,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Ready { ready: bool },
    Steps { seconds: Vec<f64>, losses: Vec<f64> },
}

fn main() -> Result<(), Error> {
    program_allocator::begin();
    let mut stepper: Option<Stepper> = None;
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?)? {
            Request::Hello(ready) => Answer::Ready { ready },
            Request::Load(case) => {
                // The last case's tensors go first.
                drop(stepper.take());
                stepper = Some(load(&case)?.start());
                Answer::Ready { ready: true }
            }
            Request::Steps(count) => {
                let stepper = stepper.as_mut().ok_or("`load` must come before `steps`")?;
                timed(&stepper.run(count)?)
            }
        };
        serde_json::to_writer(&mut output, &answer)?;
        writeln!(output)?;
        output.flush()?;
    }
    Ok(())
}

fn load(case: &Case) -> Result<Workload, Error> {
    let device = case.device.open()?;
    if let Some(weights) = &case.features {
        let kind = FeatureNetworkKind::EfficientNetLite0;
        return Ok(Workload::Features {
            extractor: feature_extractor(kind, &Checkpoint::open(weights)?, &device)?,
            images: Checkpoint::open(&case.targets)?.tensor("targets", &device)?,
        });
    }
    let model = case
        .model
        .as_ref()
        .ok_or("expected `model` or `features`")?;
    let generator = Generator::load(model, &device)?;
    if let Some(files) = &case.training {
        return training(generator, files, case.batch, &device);
    }
    let Some(net) = &case.net else {
        return Ok(Workload::Synthesis {
            generator,
            batch: case.batch,
        });
    };
    let folder = case
        .lpips_folder
        .as_ref()
        .ok_or("an inversion needs `lpips_folder`")?;
    Ok(Workload::Inversion {
        generator,
        lpips: Lpips::load(net.parse()?, Version::V0_1, folder, &device)?,
        targets: Checkpoint::open(&case.targets)?.tensor("targets", &device)?,
    })
}

/// Training with the options of `peer/training.py`.
fn training(
    generator: Generator,
    files: &TrainingFiles,
    batch_size: usize,
    device: &Device,
) -> Result<Workload, Error> {
    let file = Checkpoint::open(&files.images)?;
    let images = file.tensors().get("images").ok_or("no tensor `images`")?;
    let &[_, _, _, side] = images.shape() else {
        return Err("expected `images` [count, 3, side, side]".into());
    };
    let bytes = images.to_f32().into_iter().map(|value| value as u8);
    let config = TrainingConfig {
        batch_size,
        r1_gamma: R1_GAMMA,
        noise: false,
        ..TrainingConfig::default()
    };
    Ok(Workload::Training(Box::new(Trainer::new(
        config,
        generator,
        None,
        Discriminator::load(&files.discriminator, device)?,
        Arc::new(ImageSet::from_bytes(side, bytes.collect())),
        device,
    )?)))
}

fn timed(steps: &[Step]) -> Answer {
    Answer::Steps {
        seconds: steps.iter().map(|s| s.duration.as_secs_f64()).collect(),
        losses: steps.iter().map(|s| s.loss).collect(),
    }
}
