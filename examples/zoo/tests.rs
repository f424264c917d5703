//! A zoo of one model, measured.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use burn::tensor::Device;
use checkpoint_file::{FloatPrecision, StoredDType, StoredTensor, save_safetensors};
use clap::Parser;
use model_zoo::{Card, Quality, Zoo};
use stylegan2::{NoiseMode, Truncation, latents_from_seeds};

use crate::arguments::Arguments;
use crate::{Failure, run};
use examples::INTERRUPTED;
use examples::small_model::model;
use examples::terminal::Asking;

const IMAGES: u32 = 6;

/// A zoo with the model `small`, whose training images are its own samples, each pixel a square of `enlarged` by
/// `enlarged`.
fn zoo(folder: &Path, enlarged: usize) -> Zoo {
    let device = Device::flex();
    let generator = model(folder, &device).generator;
    let seeds: Vec<u32> = (0..IMAGES).collect();
    let z = latents_from_seeds(&seeds, generator.config().z_dim, &device);
    let images = generator.forward(z, None, Truncation::NONE, &NoiseMode::Constant);
    let [count, channels, height, width] = images.dims();
    let images = images
        .unsqueeze_dims::<6>(&[3, 5])
        .expand([count, channels, height, enlarged, width, enlarged])
        .reshape([count, channels, height * enlarged, width * enlarged]);
    let bytes: Vec<u8> = images
        .into_data()
        .iter::<f32>()
        .map(|value| (127.5 * value + 128.0).clamp(0.0, 255.0) as u8)
        .collect();
    std::fs::create_dir(folder.join("data")).unwrap();
    save_safetensors(
        folder.join("data/small.training.safetensors"),
        &BTreeMap::from([(
            "images".to_owned(),
            StoredTensor::new(
                StoredDType::U8,
                vec![count, channels, height * enlarged, width * enlarged],
                bytes,
            ),
        )]),
        &BTreeMap::from([("format".to_owned(), "packed-images/1".to_owned())]),
        FloatPrecision::F32,
    )
    .unwrap();
    Zoo::create(folder.join("zoo"))
        .unwrap()
        .add("small", &generator, &Card::new("small", "CC0-1.0"))
        .unwrap()
}

fn zoo_command(folder: &Path, args: &[&str], interrupted: bool) -> Result<ExitCode, Failure> {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (zoo, data, moments) = (path("zoo"), path("data"), path("moments"));
    let images = IMAGES.to_string();
    let place = [
        "--zoo",
        &zoo,
        "--data",
        &data,
        "--moments",
        &moments,
        "--frechet-images",
        &images,
    ];
    let args = ["zoo", "measure"].iter().chain(&place).chain(args);
    let command = Arguments::try_parse_from(args).unwrap().command;
    run(&command, &mut Asking::new(&|| interrupted))
}

fn quality(folder: &Path) -> Option<Quality> {
    let zoo = Zoo::open(folder.join("zoo")).unwrap();
    zoo.model("small").unwrap().card().quality.clone()
}

#[test]
fn a_model_is_no_distance_from_its_own_samples() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let card = zoo(folder, 1)
        .model("small")
        .unwrap()
        .folder()
        .join("card.toml");
    let before = std::fs::read_to_string(&card).unwrap();
    let code = zoo_command(folder, &[], true).unwrap();
    assert_eq!(code, ExitCode::from(INTERRUPTED));
    assert_eq!(quality(folder), None);

    zoo_command(folder, &[], false).unwrap();
    let found = quality(folder).unwrap();
    // The same images on both sides, in batches of the same size. What is left is the root of rounded numbers.
    assert!(found.frechet_distance.unwrap() < 1e-3, "{found:?}");
    assert_eq!(found.diversity_real.map(|real| real > 0.0), Some(true));
    assert_eq!(
        (found.frechet_samples, found.frechet_real),
        (Some(6), Some(6))
    );
    let after = std::fs::read_to_string(&card).unwrap();
    assert!(after.starts_with(&before), "{after}");

    // A card that is complete is left alone, one with other numbers is corrected, and what others wrote there is kept.
    let wrong = after
        .lines()
        .map(|line| match line.starts_with("frechet_distance") {
            true => "frechet_distance = 9.0\nlikes = 3\n".to_owned(),
            false => format!("{line}\n"),
        })
        .collect::<String>();
    std::fs::write(&card, &wrong).unwrap();
    zoo_command(folder, &["--missing"], false).unwrap();
    assert_eq!(std::fs::read_to_string(&card).unwrap(), wrong);
    zoo_command(folder, &["small"], false).unwrap();
    let again = quality(folder).unwrap();
    assert_eq!(again.frechet_distance, found.frechet_distance);
    assert_eq!(again.further["likes"].as_integer(), Some(3));
}

#[test]
fn larger_training_images_are_averaged_down() {
    let folder = tempfile::tempdir().unwrap();
    zoo(folder.path(), 2);
    zoo_command(folder.path(), &[], false).unwrap();
    let found = quality(folder.path()).unwrap();
    assert!(found.frechet_distance.unwrap() < 1e-3, "{found:?}");
}

#[test]
fn models_without_training_images_are_named_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    zoo(folder.path(), 1);
    std::fs::remove_file(folder.path().join("data/small.training.safetensors")).unwrap();
    let message = zoo_command(folder.path(), &[], false)
        .unwrap_err()
        .to_string();
    assert!(message.contains("small.training.safetensors"), "{message}");
    zoo_command(folder.path(), &["--skip-bad"], false).unwrap();
    assert_eq!(quality(folder.path()), None);
    let message = zoo_command(folder.path(), &["other"], false)
        .unwrap_err()
        .to_string();
    assert!(message.contains("it has small"), "{message}");
}
