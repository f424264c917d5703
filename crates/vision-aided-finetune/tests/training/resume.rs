use std::collections::BTreeMap;

use burn::tensor::Device;
use checkpoint::{Checkpoint, FloatPrecision, save_safetensors};
use stylegan2::{Discriminator, Generator};
use vision_aided_finetune::{Trainer, TrainingError};

use crate::small_run::{config, images, trainer};

fn device() -> Device {
    testkit::devices().remove(0).1
}

/// Saving between any two iterations changes nothing: the reports (losses, logits, penalties) are equal to the last bit, and so are the
/// weights at the end. Iteration 5 lies between two R1 steps and two path length steps, with both optimisers' moments in use.
#[test]
fn a_resumed_run_equals_an_uninterrupted_one_bit_for_bit() {
    let device = device();
    let folder = tempfile::tempdir().unwrap();
    let (middle, end) = (5, 12);
    let mut straight = trainer(config(), &device).unwrap();
    let mut expected = Vec::new();
    let file = folder.path().join("training.safetensors");
    for iteration in 0..end {
        if iteration == middle {
            straight.save(&file).unwrap();
        }
        expected.push(straight.step().unwrap());
    }

    let mut resumed = Trainer::resume(&file, images(10), &device).unwrap();
    assert_eq!(resumed.config(), straight.config());
    assert_eq!(resumed.iterations(), middle as u64);
    for expected in &expected[middle..] {
        assert_eq!(resumed.step().unwrap(), *expected);
    }
    let [first, second] = [&straight, &resumed].map(|trainer| {
        let path = folder.path().join("end.safetensors");
        trainer.save(&path).unwrap();
        Checkpoint::open(path).unwrap()
    });
    assert!(
        first.tensors() == second.tensors(),
        "weights or moments differ"
    );
    assert_eq!(first.metadata(), second.metadata());
    let total: Vec<_> = expected
        .iter()
        .filter_map(|report| report.r1_penalty)
        .collect();
    assert_eq!(total.len(), 4, "iterations 0, 3, 6 and 9 take R1");
}

#[test]
fn the_networks_of_a_checkpoint_open_as_networks() {
    let device = device();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("training.safetensors");
    let mut trainer = trainer(config(), &device).unwrap();
    trainer.step().unwrap();
    trainer.save(&file).unwrap();
    let average = Generator::load(&file, &device).unwrap();
    assert_eq!(average.tensors(), trainer.generator_average().tensors());
    let discriminator = Discriminator::load(&file, &device).unwrap();
    assert_eq!(discriminator.tensors(), trainer.discriminator().tensors());
}

#[test]
fn a_run_is_only_resumed_with_its_own_images() {
    let device = device();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("training.safetensors");
    trainer(config(), &device).unwrap().save(&file).unwrap();
    let error = Trainer::resume(&file, images(11), &device).unwrap_err();
    let message = error.to_string();
    assert!(
        matches!(error, TrainingError::CannotResume { .. }),
        "{message}"
    );
    assert!(
        message.contains("count: 10") && message.contains("count: 11"),
        "{message}"
    );
}

#[test]
fn files_that_are_no_training_runs_are_refused_with_the_reason() {
    let device = device();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.safetensors");
    let refused = || {
        Trainer::resume(&file, images(10), &device)
            .unwrap_err()
            .to_string()
    };

    assert!(refused().contains("file.safetensors"), "a missing file");
    crate::small_run::generator(1, &device)
        .save(&file, FloatPrecision::F32)
        .unwrap();
    assert!(refused().contains("no training run"), "{}", refused());

    trainer(config(), &device).unwrap().save(&file).unwrap();
    let good = Checkpoint::open(&file).unwrap();
    let rewrite = |edit: &dyn Fn(&mut BTreeMap<String, String>)| {
        let mut metadata = good.metadata().clone();
        edit(&mut metadata);
        save_safetensors(&file, good.tensors(), &metadata, FloatPrecision::F32).unwrap();
    };
    rewrite(&|metadata| {
        let record = metadata.get_mut("training").unwrap();
        *record = record.replace("\"version\":1", "\"version\":2");
    });
    assert!(refused().contains("version 2"), "{}", refused());
    rewrite(&|metadata| {
        metadata.insert("training".into(), "{}".into());
    });
    assert!(refused().contains("not understood"), "{}", refused());

    let mut tensors = good.tensors().clone();
    tensors.remove("D.b4.out.weight");
    save_safetensors(&file, &tensors, good.metadata(), FloatPrecision::F32).unwrap();
    assert!(refused().contains("file.safetensors"), "{}", refused());
}
