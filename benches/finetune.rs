//! Throughput of fine-tuning at 64x64, batch 8, without and with a discriminator on the embedded EfficientNet-lite0,
//! and what of it the frozen network takes.

mod measure;

use std::sync::Arc;
use std::time::Duration;

use benches::{Error, Step, Stepper, TargetImages, Workload, weights_folder};
use burn::tensor::Device;
use checkpoint_file::Checkpoint;
use criterion::{Criterion, criterion_group, criterion_main};
use stylegan2::{Discriminator, Generator};
use vision_aided_finetune::vision_aided::{VisionBackbone, VisionBackboneKind};
use vision_aided_finetune::{DiffAugment, ImageSet, Trainer, TrainingConfig};

const BATCH: usize = 8;
/// Side of the frozen network's input.
const INPUT: usize = 128;
/// Iterations of one round of R1, which every measurement of the share has whole.
const ROUND: usize = 16;
/// Rounds that the share is the mean of.
const ROUNDS: u32 = 3;

fn trainer(device: &Device) -> Result<Trainer, Error> {
    let weights = weights_folder();
    let model = weights.join("zoo/micah");
    let generator = Generator::load(model.join("generator.safetensors"), device)?;
    let discriminator = Discriminator::load(model.join("discriminator.safetensors"), device)?;
    let side = generator.config().img_resolution;
    let images = Arc::new(ImageSet::open(weights.join("few_shot/bottts"), side)?);
    let config = TrainingConfig {
        batch_size: BATCH,
        r1_gamma: 1.0,
        path_length_weight: 0.0,
        noise: false,
        augment: DiffAugment {
            color: true,
            translation: true,
            cutout: true,
        },
        ..TrainingConfig::default()
    };
    Ok(Trainer::new(
        config,
        generator,
        None,
        discriminator,
        images,
        device,
    )?)
}

fn backbone(device: &Device) -> Result<VisionBackbone, Error> {
    let file = weights_folder().join("features/efficientnet_lite0.safetensors");
    let kind = VisionBackboneKind::EfficientNetLite0;
    Ok(VisionBackbone::load(kind, &Checkpoint::open(file)?, device)?.with_input_side(INPUT)?)
}

/// Mean time of a step over whole rounds.
fn step_time(stepper: &mut Stepper) -> Result<Duration, Error> {
    let steps = stepper.run(ROUND)?;
    let sum: Duration = steps.iter().map(|step: &Step| step.duration).sum();
    Ok(sum / steps.len() as u32)
}

/// Most memory that the process had resident so far, where the system tells.
fn peak_memory() -> String {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmHWM:"))?;
            let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
            Some(format!("{:.0} MiB", kib / 1024.0))
        })
        .unwrap_or_else(|| "unknown".to_owned())
}

fn finetune(criterion: &mut Criterion) {
    let device = Device::flex();
    let run = |criterion: &mut Criterion| -> Result<(), Error> {
        println!("peak memory before: {}", peak_memory());
        let plain = Workload::Training(Box::new(trainer(&device)?));
        measure::group(criterion, "finetune/64/plain", [(BATCH, plain)])?;
        println!("peak memory after plain steps: {}", peak_memory());

        let network = backbone(&device)?;
        let mut aided = trainer(&device)?;
        aided.add_vision_aided(network.clone());
        let aided = Workload::Training(Box::new(aided));
        let name = format!("finetune/64/efficientnet_lite0 at {INPUT}");
        measure::group(criterion, &name, [(BATCH, aided)])?;
        println!("peak memory after vision-aided steps: {}", peak_memory());

        // In turns, so that a change of the machine's load meets both.
        let mut aided = trainer(&device)?;
        aided.add_vision_aided(network.clone());
        let mut aided = Workload::Training(Box::new(aided)).start();
        let images = TargetImages {
            batch: BATCH,
            resolution: 64,
        };
        let mut frozen = Workload::FrozenNetwork {
            backbone: network,
            images: images.tensor(&device),
        }
        .start();
        let (mut steps, mut shares) = (Duration::ZERO, Duration::ZERO);
        step_time(&mut aided)?;
        step_time(&mut frozen)?;
        for _ in 0..ROUNDS {
            steps += step_time(&mut aided)?;
            shares += step_time(&mut frozen)?;
        }
        println!(
            "finetune/64, batch {BATCH}: the frozen network takes {:.0} % of a step ({:.1} of {:.1} ms)",
            100.0 * shares.as_secs_f64() / steps.as_secs_f64(),
            1e3 * shares.as_secs_f64() / f64::from(ROUNDS),
            1e3 * steps.as_secs_f64() / f64::from(ROUNDS)
        );
        Ok(())
    };
    if let Err(error) = run(criterion) {
        panic!("finetune: {error}");
    }
}

criterion_group!(benches, finetune);
criterion_main!(benches);
