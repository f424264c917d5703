//! Runs of a few iterations on images made here, in folders of their own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::tensor::Device;
use checkpoint_file::{Checkpoint, FloatPrecision};
use clap::Parser;
use image_tensor::write_png;
use stylegan2::{Discriminator, Truncation};
use tempfile::TempDir;

use crate::{Args, run};
use examples::terminal::Asking;
use examples::{Failure, INTERRUPTED, small_model};
use ganymede::runs::samples;
use ganymede::transfer::distance::{Distances, Measurement, distances_file};
use ganymede::transfer::record::Record;

/// Images to train on, and of a measurement.
const IMAGES: u32 = 4;
const ENDLESS: usize = usize::MAX;
/// 8 iterations, measured at the start and after every second one.
const RUN: [&str; 10] = [
    "--kimg",
    "0.032",
    "--batch",
    "4",
    "--snapshot-kimg",
    "0.008",
    "--samples",
    "4",
    "--vision-aided-input",
    "32",
];

/// A source, and images that it made itself.
struct Workplace {
    folder: TempDir,
}

impl Workplace {
    fn new() -> Self {
        Self::of(3)
    }

    /// With a source whose images have so many channels.
    fn of(channels: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let device = Device::flex();
        let model = small_model::model_of(channels, folder.path(), &device);
        model
            .generator
            .save(&model.path, FloatPrecision::F32)
            .unwrap();
        let images = folder.path().join("images");
        std::fs::create_dir(&images).unwrap();
        let made = samples::images(&model.generator, IMAGES, Truncation::NONE, &device);
        for (index, image) in made.iter().enumerate() {
            write_png(images.join(format!("{index}.png")), image).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A run that hears that it is to end at the `patience`-th question.
    fn finetune(&self, out: &str, args: &[&str], patience: usize) -> Result<ExitCode, Failure> {
        let asked = Cell::new(0);
        let interrupted = || {
            asked.set(asked.get() + 1);
            asked.get() > patience
        };
        run(&self.options(out, args), &mut Asking::new(&interrupted))
    }

    fn options(&self, out: &str, args: &[&str]) -> Args {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let place = [
            "finetune".to_owned(),
            "--source".to_owned(),
            text(self.path("generator.safetensors")),
            "--images".to_owned(),
            text(self.path("images")),
            "--out".to_owned(),
            text(self.path(out)),
        ];
        let args = args.iter().map(|arg| (*arg).to_owned());
        Args::try_parse_from(place.into_iter().chain(args)).unwrap()
    }

    /// Without how long they took.
    fn measurements(&self, out: &str) -> Vec<Measurement> {
        let log = Distances::open(distances_file(&self.path(out)), u64::MAX).unwrap();
        let entries = log.entries().iter().cloned();
        entries
            .map(|entry| Measurement {
                measuring_seconds: None,
                ..entry
            })
            .collect()
    }

    fn record(&self, out: &str) -> Record {
        let file = Checkpoint::open(self.path(out).join("training.safetensors")).unwrap();
        serde_json::from_str(&file.metadata()["provenance"]).unwrap()
    }
}

fn refused(result: Result<ExitCode, Failure>, parts: &[&str]) {
    let message = examples::message(&result.expect_err("an error"));
    for part in parts {
        assert!(message.contains(part), "{message}: no {part}");
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn a_run_measures_from_its_start_keeps_the_best_and_resumes_exactly() {
    let place = Workplace::new();
    assert_eq!(
        place.finetune("straight", &RUN, ENDLESS).unwrap(),
        ExitCode::SUCCESS
    );
    let measured = place.measurements("straight");
    let iterations: Vec<u64> = measured.iter().map(|m| m.iteration).collect();
    assert_eq!(iterations, [0, 2, 4, 6, 8]);
    // The images are the source's own of the same seeds: the start is at distance 0, up to the rounding of features of
    // norm 10.
    assert!(measured[0].frechet_distance < 1e-3, "{measured:?}");
    assert!(measured[4].frechet_distance > measured[0].frechet_distance);
    assert_eq!(
        measured[4].frechet_distance,
        measured[4].frechet_distance_training
    );
    // The best snapshot is the start, and what remains of the run makes the source's images.
    let out = place.path("straight");
    assert!(out.join("best-000000.safetensors").is_file());
    assert!(!out.join("best-000008.safetensors").exists());
    for file in [
        "samples.png",
        "distances.svg",
        "history.svg",
        "samples-000006.png",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let sources = Checkpoint::open(place.path("generator.safetensors")).unwrap();
    let kept = Checkpoint::open(out.join("generator.safetensors")).unwrap();
    let name = "mapping.fc0.weight";
    testkit_close(
        &sources.tensors()[name].to_f32(),
        &kept.tensors()[name].to_f32(),
    );

    // Interrupted again and again, each time a little later, until it has its length.
    let mut calls = 0;
    for patience in (1..).step_by(3) {
        let code = place.finetune("pieces", &RUN, patience).unwrap();
        calls += 1;
        if code == ExitCode::SUCCESS {
            break;
        }
        assert_eq!(code, ExitCode::from(INTERRUPTED));
    }
    assert!(calls > 2, "interrupted at least twice");
    assert_eq!(place.measurements("pieces"), measured);
    for file in ["generator.safetensors", "discriminator.safetensors"] {
        assert_eq!(
            bytes(&place.path("pieces").join(file)),
            bytes(&out.join(file)),
            "{file}"
        );
    }

    // Once more is no more work, longer goes on, and anything else is refused.
    place.finetune("pieces", &RUN, ENDLESS).unwrap();
    assert_eq!(place.measurements("pieces"), measured);
    let more =
        |args: &[&'static str]| place.finetune("pieces", &[&RUN[2..], args].concat(), ENDLESS);
    more(&["--kimg", "0.04"]).unwrap();
    assert_eq!(place.measurements("pieces").len(), 6);
    refused(more(&["--gamma", "3"]), &["r1_gamma", "3.0", "--out"]);
    refused(more(&["--plain"]), &["vision_aided"]);
    refused(more(&["--kimg", "0.04,0.04"]), &["2 stages"]);
    std::fs::copy(place.path("images/0.png"), place.path("images/9.png")).unwrap();
    assert!(more(&[]).is_err());
}

/// Half precision keeps 11 bits.
fn testkit_close(expected: &[f32], found: &[f32]) {
    assert_eq!(expected.len(), found.len());
    for (a, b) in expected.iter().zip(found) {
        assert!((a - b).abs() <= 1e-3 * a.abs().max(1e-3), "{a} and {b}");
    }
}

#[test]
fn stages_add_the_most_discriminating_network_to_the_best_snapshot() {
    let place = Workplace::new();
    // VGG16 takes 64 pixels at least.
    let args = [
        "--kimg",
        "0.008,0.008",
        "--vision-aided",
        "vgg16,efficientnet_lite0",
        "--vision-aided-input",
        "64",
        "--batch",
        "4",
        "--snapshot-kimg",
        "0.004",
        "--samples",
        "4",
    ];
    place.finetune("straight", &args, ENDLESS).unwrap();
    let record = place.record("straight");
    assert_eq!(record.stages.len(), 2);
    let [first, second] = &record.stages[..] else {
        panic!("two stages")
    };
    let candidates: Vec<&str> = first
        .candidates
        .iter()
        .map(|c| c.network.as_str())
        .collect();
    assert_eq!(candidates.len(), 2);
    assert_eq!(first.added, candidates[..1]);
    assert!(first.candidates[0].score.accuracy >= first.candidates[1].score.accuracy);
    // The start is the best snapshot, as the images are the source's own; the whole stage is given up.
    assert_eq!((second.start_images, second.discarded_images), (0, 8));
    assert_eq!(second.added, candidates[1..]);
    assert!(second.candidates.is_empty());
    let iterations: Vec<u64> = place
        .measurements("straight")
        .iter()
        .map(|m| m.iteration)
        .collect();
    assert_eq!(iterations, [0, 1, 2]);

    for patience in (2..).step_by(4) {
        if place.finetune("pieces", &args, patience).unwrap() == ExitCode::SUCCESS {
            break;
        }
    }
    assert_eq!(place.record("pieces"), record);
    // A stage that is over keeps its length, and stages do not go away.
    for kimg in ["0.004,0.008", "0.008"] {
        let args = [&["--kimg", kimg], &args[2..]].concat();
        refused(
            place.finetune("pieces", &args, ENDLESS),
            &["started with 0.008,0.008", kimg],
        );
    }
    assert_eq!(place.measurements("pieces"), place.measurements("straight"));

    refused(
        place.finetune("more", &["--kimg", "1,1"], ENDLESS),
        &["2 stages", "names 1"],
    );
}

#[test]
fn the_discriminator_beside_the_source_is_used_and_recorded() {
    let place = Workplace::new();
    let args = [&RUN[2..], &["--plain", "--kimg", "0.004"]].concat();
    place.finetune("random", &args, ENDLESS).unwrap();
    assert!(
        place
            .record("random")
            .discriminator
            .from
            .starts_with("random weights")
    );
    // The one that the run wrote fits.
    let beside = place.path("discriminator.safetensors");
    std::fs::copy(place.path("random/discriminator.safetensors"), &beside).unwrap();
    Discriminator::load(&beside, &Device::flex()).unwrap();
    place.finetune("beside", &args, ENDLESS).unwrap();
    let record = place.record("beside");
    assert_eq!(record.discriminator.from, "discriminator.safetensors");
    assert!(record.stages[0].added.is_empty());
}

#[test]
fn a_gray_model_is_fine_tuned_on_gray_images() {
    let place = Workplace::of(1);
    let args = [
        "--kimg",
        "0.008",
        "--batch",
        "4",
        "--snapshot-kimg",
        "0.004",
        "--samples",
        "4",
        "--vision-aided-input",
        "32",
    ];
    assert_eq!(
        place.finetune("grey", &args, ENDLESS).unwrap(),
        ExitCode::SUCCESS
    );
    let measured = place.measurements("grey");
    // The source's own images, seen as three equal channels on both sides.
    assert!(measured[0].frechet_distance < 1e-3, "{measured:?}");
    assert!(measured[2].frechet_distance > measured[0].frechet_distance);
    let file = place.path("grey").join("training.safetensors");
    let run = Checkpoint::open(&file).unwrap();
    let [.., channels, _, _] = run.tensors()["D.b32.fromrgb.weight"].shape()[..] else {
        panic!("a convolution has four dimensions");
    };
    assert_eq!(channels, 1);
    // Resuming finds the same images.
    let longer = [&["--kimg", "0.012"], &args[2..]].concat();
    place.finetune("grey", &longer, ENDLESS).unwrap();
    assert_eq!(place.measurements("grey").len(), 4);
}
