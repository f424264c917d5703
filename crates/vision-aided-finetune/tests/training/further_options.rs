//! The options that a run may take beyond the official loop's: shared images, a slow average, annealing, relativistic
//! losses and R2.

use burn::tensor::Device;
use checkpoint_file::Checkpoint;
use vision_aided_finetune::{Trainer, TrainingConfig};

use crate::small_run::{config, images, trainer};

fn device() -> Device {
    testkit::devices().remove(0).1
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// The generator's own step is the same; the discriminator sees the images from before it, so that its mean logit of
/// them is the one that the generator's loss came from.
#[test]
fn shared_images_are_those_of_the_generators_step() {
    let device = device();
    let report = |shared_images| {
        let options = TrainingConfig {
            augment: Default::default(),
            // One image, so that its loss says its logit.
            batch_size: 1,
            path_length_batch_shrink: 1,
            shared_images,
            ..config()
        };
        trainer(options, &device).unwrap().step().unwrap()
    };
    let [apart, shared] = [false, true].map(report);
    assert_eq!(apart.generator_loss, shared.generator_loss);
    let loss_of = |logit: f32| (1.0 + (-logit).exp()).ln();
    // Rounding of a logarithm near 1, and of logits that were computed in passes of other sizes.
    assert!((loss_of(shared.fake_logit) - shared.generator_loss).abs() < 1e-5);
    assert!((loss_of(apart.fake_logit) - apart.generator_loss).abs() > 1e-3);
}

#[test]
fn a_run_with_all_of_them_resumes_bit_for_bit() {
    let device = device();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("training.safetensors");
    let options = TrainingConfig {
        slow_average_kimg: Some(1.0),
        annealing: Some("0.004:0.02:0.1:3".parse().unwrap()),
        relativistic: true,
        r2_gamma: 0.5,
        flatness_weight: 3.0,
        shared_images: true,
        ..config()
    };
    let mut straight = trainer(options, &device).unwrap();
    for _ in 0..2 {
        straight.step().unwrap();
    }
    straight.save(&file).unwrap();
    let mut resumed = Trainer::resume(&file, images(10), &[], &device).unwrap();
    for _ in 0..4 {
        assert_eq!(resumed.step().unwrap(), straight.step().unwrap());
    }
    let slow = |trainer: &Trainer| trainer.slow_average().unwrap().tensors();
    assert_eq!(slow(&resumed), slow(&straight));
    assert_ne!(slow(&straight), straight.generator_average().tensors());
    let saved = Checkpoint::open(&file).unwrap();
    assert!(
        saved
            .tensors()
            .keys()
            .any(|name| name.starts_with("G_slow."))
    );
}

/// Of two runs that differ in nothing else, the one that pays for small steps has fewer of them.
#[test]
fn a_weight_on_small_steps_makes_even_images() {
    let device = device();
    let excess = |flatness_weight| {
        let options = TrainingConfig {
            flatness_weight,
            path_length_weight: 0.0,
            ..config()
        };
        let mut trainer = trainer(options, &device).unwrap();
        let reports: Vec<_> = (0..60).map(|_| trainer.step().unwrap()).collect();
        reports[59].excess_variation.unwrap()
    };
    // The least weight has it measured, and moves nothing.
    let [without, with] = [1e-9, 1e4].map(excess);
    // It was 0.6: most differences of a network of random weights are edges, which pay the same at any height.
    assert!(with < 0.8 * without, "{with}, {without}");
}

/// Adam divides by the size of gradients, so that the movement of the weights is in proportion to the learning rate.
#[test]
fn annealed_steps_are_shorter() {
    let device = device();
    let second_step = |annealing: Option<&str>| {
        let options = TrainingConfig {
            annealing: annealing.map(|text| text.parse().unwrap()),
            path_length_weight: 0.0,
            ..config()
        };
        let mut trainer = trainer(options, &device).unwrap();
        let weight = |trainer: &Trainer| {
            let tensors = trainer.generator().tensors();
            tensors["synthesis.b16.conv1.weight"].to_f32()
        };
        trainer.step().unwrap();
        let before = weight(&trainer);
        trainer.step().unwrap();
        let moved = weight(&trainer).into_iter().zip(before);
        norm(moved.map(|(after, before)| f64::from(after) - f64::from(before)))
    };
    // The first iteration begins at no images, with the full rate; the second one is past the end.
    let ratio = second_step(Some("0:0.001:0.1")) / second_step(None);
    // Weights near 1 are rounded to 6e-8, and a step of a tenth of 0.002 is added.
    assert!((ratio - 0.1).abs() < 1e-4, "{ratio}");
}
