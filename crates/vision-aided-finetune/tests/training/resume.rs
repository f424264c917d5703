use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Device;
use checkpoint_file::{Checkpoint, FloatPrecision, StoredTensor, save_safetensors};
use stylegan2::{Discriminator, Generator};
use vision_aided_finetune::{ImageSet, SavedNetworks, Trainer, TrainingError};

use crate::small_run::{config, images, trainer};

fn device() -> Device {
    testkit::devices().remove(0).1
}

/// Saving between any two iterations changes nothing: the reports (losses, logits, penalties) are equal to the last
/// bit, and so are the weights at the end. The six positions lie before, at and after both regularizers' steps and the
/// ends of epochs (10 images, batches of 4).
#[test]
fn a_resumed_run_equals_an_uninterrupted_one_bit_for_bit() {
    const POSITIONS: std::ops::RangeInclusive<usize> = 1..=6;
    let device = device();
    let folder = tempfile::tempdir().unwrap();
    let saved = |middle: usize| folder.path().join(format!("{middle}.safetensors"));
    let end = 12;
    let mut straight = trainer(config(), &device).unwrap();
    straight.set_provenance(Some("a test".into()));
    let mut expected = Vec::new();
    for iteration in 0..end {
        if POSITIONS.contains(&iteration) {
            straight.save(saved(iteration)).unwrap();
        }
        expected.push(straight.step().unwrap());
    }
    let state = |trainer: &Trainer| {
        let path = folder.path().join("end.safetensors");
        trainer.save(&path).unwrap();
        Checkpoint::open(path).unwrap()
    };
    let last = state(&straight);

    for middle in POSITIONS {
        let mut resumed = Trainer::resume(saved(middle), images(10), &[], &device).unwrap();
        assert_eq!(resumed.config(), straight.config());
        assert_eq!(resumed.iterations(), middle as u64);
        assert_eq!(resumed.provenance(), Some("a test"));
        for expected in &expected[middle..] {
            assert_eq!(resumed.step().unwrap(), *expected, "from {middle} on");
        }
        let found = state(&resumed);
        assert!(
            found.tensors() == last.tensors(),
            "weights or moments differ, from {middle} on"
        );
        assert_eq!(found.metadata(), last.metadata());
    }
    let total: Vec<_> = expected
        .iter()
        .filter_map(|report| report.r1_penalty)
        .collect();
    assert_eq!(total.len(), 4, "iterations 0, 3, 6 and 9 take R1");
}

#[test]
fn another_run_starts_from_all_three_networks_of_a_checkpoint() {
    let device = device();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("training.safetensors");
    let mut trainer = trainer(config(), &device).unwrap();
    for _ in 0..3 {
        trainer.step().unwrap();
    }
    trainer.save(&file).unwrap();
    let saved = SavedNetworks::open(&file, &device).unwrap().unwrap();
    assert_eq!(saved.generator.tensors(), trainer.generator().tensors());
    assert_eq!(
        saved.generator_average.tensors(),
        trainer.generator_average().tensors()
    );
    assert_ne!(saved.generator.tensors(), saved.generator_average.tensors());
    assert_eq!(
        saved.discriminator.tensors(),
        trainer.discriminator().tensors()
    );
    let network = folder.path().join("generator.safetensors");
    saved.generator.save(&network, FloatPrecision::F32).unwrap();
    assert!(SavedNetworks::open(&network, &device).unwrap().is_none());

    // A note of the same name, as some models of the zoo have.
    let model = Checkpoint::open(&network).unwrap();
    let mut metadata = model.metadata().clone();
    metadata.insert("training".into(), r#"{"kimg": 52.6}"#.into());
    let noted = folder.path().join("noted.safetensors");
    save_safetensors(&noted, model.tensors(), &metadata, FloatPrecision::F32).unwrap();
    assert!(SavedNetworks::open(&noted, &device).unwrap().is_none());
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
    let error = Trainer::resume(&file, images(11), &[], &device).unwrap_err();
    let message = error.to_string();
    assert!(
        matches!(error, TrainingError::CannotResume { .. }),
        "{message}"
    );
    assert!(
        message.contains("10 images of 16x16") && message.contains("11 images of 16x16"),
        "{message}"
    );
}

/// The record of a run that an earlier version of this crate wrote; only the images are those of this test.
#[test]
fn a_record_of_the_first_layout_is_understood() {
    let device = device();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("training.safetensors");
    trainer(config(), &device).unwrap().save(&file).unwrap();
    let written = Checkpoint::open(&file).unwrap();
    let record = |fingerprint: &str| {
        let record = format!(
            r#"{{"version":1,"config":{{"seed":0,"batch_size":16,
            "generator_adam":{{"learning_rate":0.002,"beta_1":0.0,"beta_2":0.99,"epsilon":1e-8}},
            "discriminator_adam":{{"learning_rate":0.002,"beta_1":0.0,"beta_2":0.99,"epsilon":1e-8}},
            "r1_gamma":0.1,"r1_interval":16,"path_length_weight":2.0,"path_length_interval":4,"path_length_batch_shrink":2,
            "path_length_decay":0.01,"style_mixing_probability":0.9,"average":{{"kimg":5.0,"rampup":0.05}},
            "augment":{{"color":false,"translation":false,"cutout":false}},"mirror":false,"noise":false}},
            "progress":{{"iterations":1363,"images":21808}},"generator_adam_steps":0,"discriminator_adam_steps":0,
            "images":{{"count":10,"side":16,"fingerprint":"{fingerprint}"}}}}"#
        );
        let mut metadata = written.metadata().clone();
        metadata.insert("training".into(), record);
        save_safetensors(&file, written.tensors(), &metadata, FloatPrecision::F32).unwrap();
        Trainer::resume(&file, images(10), &[], &device)
    };
    let run = record(images(10).fingerprint()).unwrap();
    assert_eq!((run.iterations(), run.images_shown()), (1363, 21808));
    assert_eq!(run.config().r1_gamma, 0.1);
    assert_eq!(run.config().average.rampup, Some(0.05));
    assert_eq!(run.provenance(), None);

    // Its fingerprints were of another algorithm: neither equal nor a sign of other images.
    let message = record("69aaa2a1d072cf61").unwrap_err().to_string();
    assert!(
        message.contains("another way") && message.contains(images(10).fingerprint()),
        "{message}"
    );
}

#[test]
fn a_run_is_not_resumed_with_images_that_differ_in_one_pixel() {
    let device = device();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("training.safetensors");
    trainer(config(), &device).unwrap().save(&file).unwrap();
    let set = images(10);
    let mut bytes: Vec<u8> = (0..10)
        .flat_map(|index| set.image(index).to_vec())
        .collect();
    let inner = 3 * 3 * 16 * 16 + 8 * 16 + 7;
    bytes[inner] ^= 1;
    let other = Arc::new(ImageSet::from_bytes(16, bytes));
    let message = Trainer::resume(&file, other, &[], &device)
        .unwrap_err()
        .to_string();
    assert!(message.contains("same images"), "{message}");
}

#[test]
fn files_that_are_no_training_runs_are_refused_with_the_reason() {
    let device = device();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.safetensors");
    let refused = || {
        Trainer::resume(&file, images(10), &[], &device)
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

    let with = |name: &str, shape: Vec<usize>| {
        let mut tensors = good.tensors().clone();
        let zeros = vec![0.0; shape.iter().product()];
        tensors.insert(name.into(), StoredTensor::from_f32(shape, &zeros));
        save_safetensors(&file, &tensors, good.metadata(), FloatPrecision::F32).unwrap();
        refused()
    };
    let message = with("path_length_mean", vec![2]);
    assert!(message.contains("2 values, expected 1"), "{message}");
    let message = with("adam.D.first.epilogue.out.bias", vec![1]);
    assert!(message.contains("epilogue.out.bias"), "{message}");

    let mut tensors = good.tensors().clone();
    tensors.remove("D.b4.out.weight");
    save_safetensors(&file, &tensors, good.metadata(), FloatPrecision::F32).unwrap();
    assert!(refused().contains("file.safetensors"), "{}", refused());
}
