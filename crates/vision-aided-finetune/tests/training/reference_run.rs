//! The first iterations of a run, with every step and both regularizers, against the same loop in PyTorch with double
//! backpropagation.
//!
//! `benches/peer/training_fixture.py` computed the file in f64, from the same random numbers.

use std::path::Path;
use std::sync::Arc;

use checkpoint_file::Checkpoint;
use serde::Deserialize;
use stylegan2::{Discriminator, Generator};
use testkit::assert_close;
use vision_aided_finetune::{ImageSet, Trainer, TrainingConfig};

/// The options in the file's metadata.
#[derive(Deserialize)]
struct Options {
    seed: u64,
    batch_size: usize,
    learning_rate: f64,
    r1_gamma: f64,
    r1_interval: u64,
    #[serde(default)]
    r2_gamma: f64,
    #[serde(default)]
    relativistic: bool,
    path_length_weight: f64,
    path_length_interval: u64,
    path_length_batch_shrink: usize,
    path_length_decay: f32,
    style_mixing_probability: f64,
    average_kimg: f64,
    average_rampup: f64,
}

impl Options {
    fn config(&self) -> TrainingConfig {
        let mut config = TrainingConfig {
            seed: self.seed,
            batch_size: self.batch_size,
            r1_gamma: self.r1_gamma,
            r1_interval: self.r1_interval,
            r2_gamma: self.r2_gamma,
            relativistic: self.relativistic,
            path_length_weight: self.path_length_weight,
            path_length_interval: self.path_length_interval,
            path_length_batch_shrink: self.path_length_batch_shrink,
            path_length_decay: self.path_length_decay,
            style_mixing_probability: self.style_mixing_probability,
            noise: false,
            ..TrainingConfig::default()
        };
        config.average.kimg = self.average_kimg;
        config.average.rampup = Some(self.average_rampup);
        config.generator_adam.learning_rate = self.learning_rate;
        config.discriminator_adam.learning_rate = self.learning_rate;
        config
    }
}

/// Adam divides gradients by their own size, so that rounding moves a weight of small gradient as far as one of large
/// gradient; the effect on losses grows from iteration to iteration. A wrong factor or order of steps is off by a
/// percent at once.
const LOSS_TOLERANCE: f32 = 1e-3;
/// Of a weight's movement over the run, and of the average's distance to the generator: four times what was found.
/// Another network or factor is off by a tenth at least.
const MOVEMENT_TOLERANCE: f64 = 1e-4;
/// Weights of the mapping network are near 100 and move by a thousandth, of which f32 keeps three digits.
const MAPPING_MOVEMENT_TOLERANCE: f64 = 1e-2;

fn movement_tolerance(name: &str) -> f64 {
    if name.starts_with("mapping.fc") {
        MAPPING_MOVEMENT_TOLERANCE
    } else {
        MOVEMENT_TOLERANCE
    }
}

#[test]
fn losses_penalties_and_weights_are_those_of_double_backpropagation() {
    compare("first_iterations.safetensors");
}

#[test]
fn relativistic_losses_and_both_gradient_penalties_are_those_of_double_backpropagation() {
    compare("relativistic_iterations.safetensors");
}

fn compare(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/training")
        .join(name);
    let file = Checkpoint::open(path).unwrap();
    let options: Options = serde_json::from_str(&file.metadata()["config"]).unwrap();
    let values = |name: &str| file.tensors()[name].to_f32();
    let side = file.tensors()["images"].shape()[3];
    let bytes = values("images").iter().map(|value| *value as u8).collect();
    let images = Arc::new(ImageSet::from_bytes(side, bytes));

    for (device_name, device) in testkit::devices() {
        let mut trainer = Trainer::new(
            options.config(),
            Generator::from_checkpoint(&file, &device).unwrap(),
            None,
            Discriminator::from_checkpoint(&file, &device).unwrap(),
            Arc::clone(&images),
            &device,
        )
        .unwrap();
        let [generator, discriminator, r1, length] =
            ["generator", "discriminator", "r1_penalty", "path_length"].map(values);
        let r2 = match options.r2_gamma > 0.0 {
            true => values("r2_penalty"),
            false => vec![f32::NAN; generator.len()],
        };
        for iteration in 0..generator.len() {
            let report = trainer.step().unwrap();
            let check = |what: &str, found: f32, expected: f32| {
                assert!(
                    (found - expected).abs() <= LOSS_TOLERANCE * expected.abs(),
                    "{device_name}, iteration {iteration}, {what}: {found}, expected {expected}"
                );
            };
            check("generator", report.generator_loss, generator[iteration]);
            check(
                "discriminator",
                report.discriminator_loss,
                discriminator[iteration],
            );
            for (what, found, expected) in [
                ("R1", report.r1_penalty, r1[iteration]),
                ("R2", report.r2_penalty, r2[iteration]),
                ("path length", report.path_length, length[iteration]),
            ] {
                assert_eq!(found.is_none(), expected.is_nan(), "{what} at {iteration}");
                if let Some(found) = found {
                    check(what, found, expected);
                }
            }
        }
        // Weights hardly move in a few iterations, so it is the movement that is compared.
        let [generator, average, discriminator] = [
            trainer.generator().tensors(),
            trainer.generator_average().tensors(),
            trainer.discriminator().tensors(),
        ];
        for (prefix, found) in [("G.", &generator), ("D.", &discriminator)] {
            let start = file.subset(prefix);
            let end = file.subset(&format!("end/{prefix}"));
            assert!(!end.tensors().is_empty());
            for (name, expected) in end.tensors() {
                let start = start.tensors()[name].to_f32();
                assert_close(
                    &format!("movement of {prefix}{name} on {device_name}"),
                    &difference(&found[name].to_f32(), &start),
                    &difference(&expected.to_f32(), &start),
                    movement_tolerance(name),
                );
            }
        }
        let end = file.subset("end/G.");
        for (name, expected) in file.subset("end/G_ema.").tensors() {
            let current = generator[name].to_f32();
            if name == "mapping.w_avg" {
                assert_eq!(average[name].to_f32(), current, "a buffer is copied");
                continue;
            }
            assert_close(
                &format!("distance of the average of {name} on {device_name}"),
                &difference(&average[name].to_f32(), &current),
                &difference(&expected.to_f32(), &end.tensors()[name].to_f32()),
                movement_tolerance(name),
            );
        }
    }
}

fn difference(a: &[f32], b: &[f32]) -> Vec<f32> {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}
