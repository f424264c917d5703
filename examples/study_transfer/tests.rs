//! A study of two small models on images made here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::tensor::Device;
use clap::Parser;
use feature_stats::{Ddof, Moments, Ridge};
use image_tensor::write_png;
use model_zoo::{Card, Zoo};
use retrieval_gaussian::{IndexBuilder, IndexPrecision, IndexSettings};
use serde_json::Value;
use stylegan2::{Generator, GeneratorConfig, Truncation};
use tempfile::TempDir;

use crate::{Args, run};
use examples::Failure;
use examples::terminal::Asking;
use ganymede::Weights;
use ganymede::features::{FeatureRecord, UnitFeatures};
use ganymede::index_record::IndexRecord;
use ganymede::runs::samples;

const SIDE: u32 = 32;
const SAMPLES: u32 = 12;

/// A zoo of the models a and b with its index, and images of a.
struct Workplace {
    folder: TempDir,
}

impl Workplace {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let device = Device::flex();
        let features = FeatureRecord {
            network: "efficientnet_lite0".into(),
            side: SIDE,
        };
        let weights = Weights::open(None).unwrap();
        let network = UnitFeatures::load(&features, None, &weights, &device).unwrap();
        let mut zoo = Zoo::create(folder.path().join("zoo")).unwrap();
        let settings = IndexSettings::new(network.dimension())
            .with_ridge(Ridge::new(1e-3).unwrap())
            .with_precision(IndexPrecision::F32);
        let mut builder = IndexBuilder::new(settings).unwrap();
        let images = folder.path().join("images");
        std::fs::create_dir(&images).unwrap();
        for (name, seed) in [("a", 1), ("b", 2)] {
            let generator = generator(seed, &device);
            zoo = zoo
                .add(name, &generator, &Card::new(name, "CC0-1.0"))
                .unwrap();
            let pictures = samples::images(&generator, SAMPLES, Truncation::NONE, &device);
            let mut moments = Moments::new(network.dimension());
            moments
                .add_rows(network.of_images(&pictures).view())
                .unwrap();
            let statistics = moments.mean_covariance(Ddof::Sample).unwrap();
            builder.add(name, &statistics).unwrap();
            if name == "a" {
                for (index, picture) in pictures.iter().take(4).enumerate() {
                    write_png(images.join(format!("{index}.png")), picture).unwrap();
                }
            }
        }
        builder.build().unwrap().save(zoo.index_path()).unwrap();
        let record = IndexRecord {
            samples: u64::from(SAMPLES),
            seed: 0,
            truncation_psi: 1.0,
            dimension: network.dimension(),
            ridge: 1e-3,
            features,
            generators: BTreeMap::new(),
            classes: BTreeMap::new(),
            own_scores: Default::default(),
        };
        record.write(&zoo.index_path()).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn options(&self, out: &str, args: &[&str]) -> Args {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let place = [
            "study_transfer".to_owned(),
            "--images".to_owned(),
            text(self.path("images")),
            "--models".to_owned(),
            text(self.path("zoo")),
            "--out".to_owned(),
            text(self.path(out)),
        ];
        let run = [
            "--ranks",
            "1,20,25",
            "--seeds",
            "2",
            "--kimg",
            "0.016",
            "--batch",
            "4",
            "--snapshot-kimg",
            "0.008",
            "--samples",
            "4",
            "--vision-aided-input",
            "32",
        ];
        // An option is written once.
        let kept = run.chunks(2).filter(|option| !args.contains(&option[0]));
        let args = kept.flatten().chain(args).map(|arg| (*arg).to_owned());
        Args::try_parse_from(place.into_iter().chain(args)).unwrap()
    }

    fn study(&self, out: &str, args: &[&str]) -> Result<ExitCode, Failure> {
        run(&self.options(out, args), &mut Asking::new(&|| false))
    }

    fn table(&self, out: &str) -> String {
        std::fs::read_to_string(self.path(out).join("study.md")).unwrap()
    }

    /// Without how long anything took.
    fn json(&self, out: &str) -> Value {
        let text = std::fs::read_to_string(self.path(out).join("study.json")).unwrap();
        let mut value: Value = serde_json::from_str(&text).unwrap();
        forget_times(&mut value);
        value
    }
}

fn forget_times(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("seconds");
            map.remove("measuring_seconds");
            map.values_mut().for_each(forget_times);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_times),
        _ => {}
    }
}

fn generator(seed: u32, device: &Device) -> Generator {
    let config = GeneratorConfig::from_json(
        r#"{"z_dim": 4, "c_dim": 0, "w_dim": 4, "img_resolution": 16, "img_channels": 3,
            "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 64, "channel_max": 8}}"#,
    )
    .unwrap();
    Generator::init(&config, seed, device).unwrap()
}

fn exists(folder: &Path, files: &[&str]) {
    for file in files {
        assert!(folder.join(file).is_file(), "{file}");
    }
}

#[test]
fn a_study_that_is_killed_again_and_again_ends_with_the_same_table() {
    let place = Workplace::new();
    assert_eq!(place.study("straight", &[]).unwrap(), ExitCode::SUCCESS);
    let table = place.table("straight");
    // Ranks 20 and 25 are beyond a zoo of two models; its last stands in once.
    let lines: Vec<&str> = table
        .lines()
        .filter(|l| l.starts_with("| images |") && l.contains(" of 2 |"))
        .collect();
    assert_eq!(lines.len(), 2, "{table}");
    assert!(lines[0].starts_with("| images | rank 1: a |"), "{table}");
    assert!(lines[1].starts_with("| images | rank 2: b |"), "{table}");
    assert!(
        lines.iter().all(|line| line.contains("| 2 of 2 |")),
        "{table}"
    );
    exists(
        &place.path("straight"),
        &["figure.svg", "images-samples.svg", "study.json"],
    );
    // Both seeds start from the same generator, and another network sees another distance; a has made the images
    // itself.
    let study = place.json("straight");
    let [a, b] = [0, 1].map(|source| &study["targets"][0]["sources"][source]);
    let start = |source: &Value, seed: usize| source["runs"][seed]["second"]["start"].as_f64();
    // Up to the rounding of a mean and a root of features of norm 10.
    assert!(start(a, 0).unwrap().abs() < 1e-6, "{a}");
    assert!(start(b, 0) > Some(0.0), "{b}");
    assert_eq!(start(b, 0), start(b, 1));
    let distance = &b["runs"][0]["history"][0]["frechet_distance"];
    assert_ne!(start(b, 0), distance.as_f64());
    assert_eq!(b["second"]["start"].as_f64(), start(b, 0));
    // Intervals hold what they are of, over the seeds and twenty draws of images.
    for source in [a, b] {
        let drawn = &source["runs"][0]["history"][0]["resampled"];
        assert_eq!(drawn.as_array().map(Vec::len), Some(20));
        let average = &source["intervals"]["average"];
        let [low, mean, high] = ["low", "mean", "high"].map(|k| average[k].as_f64().unwrap());
        assert!(low <= mean && mean <= high && low < high, "{average}");
        assert_eq!(Some(mean), source["summary"]["average"].as_f64());
    }
    let comparisons = study["targets"][0]["comparisons"].as_array().unwrap();
    assert_eq!(comparisons.len(), 1);
    assert_eq!(comparisons[0]["rank"], 2);

    // A panic at the n-th question leaves the files as a killed process does: nothing is saved on the way out.
    let mut kills = 0;
    for patience in (2..).step_by(3) {
        let asked = Cell::new(0);
        let options = place.options("killed", &[]);
        let done = catch_unwind(AssertUnwindSafe(|| {
            let interrupted = || {
                asked.set(asked.get() + 1);
                assert!(asked.get() <= patience, "killed");
                false
            };
            run(&options, &mut Asking::new(&interrupted))
        }));
        match done {
            Ok(code) => {
                assert_eq!(code.unwrap(), ExitCode::SUCCESS);
                break;
            }
            Err(_) => kills += 1,
        }
    }
    assert!(kills > 3, "{kills} kills");
    assert_eq!(place.table("killed"), table);
    assert_eq!(place.json("killed"), place.json("straight"));
}

#[test]
fn shards_and_later_additions_make_one_study() {
    let place = Workplace::new();
    let short = ["--seeds", "1", "--kimg", "0.008"];
    let with = |args: &[&'static str]| [&short[..], args].concat();
    place.study("one", &with(&["--plain"])).unwrap();
    let table = place.table("one");
    assert!(table.contains("| images | rank 1: a, plain |"), "{table}");

    // The second shard's run is not there yet.
    place.study("shards", &with(&["--shard", "1/2"])).unwrap();
    assert!(place.table("shards").contains("| 0 of 1 |"));
    place.study("shards", &with(&["--shard", "2/2"])).unwrap();
    // The ranking of the beginning is kept, whatever the index says now.
    std::fs::remove_file(place.path("zoo/index.toml")).unwrap();
    place.study("shards", &with(&["--plain"])).unwrap();
    assert_eq!(place.table("shards"), table);

    // A study that begins now needs the index that is gone.
    let error = place.study("late", &short).unwrap_err();
    assert!(error.to_string().contains("index"), "{error}");
}

#[test]
fn parts_make_the_report_of_one_process() {
    let place = Workplace::new();
    let runs = ["--kimg", "0.008", "--plain"];
    let with = |args: &[&str]| -> Vec<String> {
        let all = runs.iter().chain(args);
        all.map(|arg| (*arg).to_owned()).collect()
    };
    let study = |out: &str, args: &[&str]| {
        let args = with(args);
        place.study(out, &args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let path = |name: &str| place.path(name).to_str().unwrap().to_owned();
    study("whole", &[]).unwrap();

    // Each in a folder of its own, as on machines that share nothing but the place of the parts.
    let parts = path("parts");
    let made = || {
        let mut files: Vec<PathBuf> = std::fs::read_dir(&parts)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
    };
    study("first", &["--shard", "1/2", "--parts", &parts]).unwrap();
    let first = made();
    let error = study("early", &["--merge", &parts])
        .unwrap_err()
        .to_string();
    assert!(error.contains("3 runs of the study are in none"), "{error}");
    study("second", &["--shard", "2/2", "--parts", &parts]).unwrap();
    // Made again from nothing, at another time, a part is the same file.
    study("again", &["--shard", "1/2", "--parts", &parts]).unwrap();
    assert_eq!(made().len(), 2);

    place.study("merged", &["--merge", &parts]).unwrap();
    let read = |out: &str, file: &str| std::fs::read(place.path(out).join(file)).unwrap();
    for file in ["study.md", "figure.svg", "images-samples.svg"] {
        assert!(read("merged", file) == read("whole", file), "{file}");
    }
    assert_eq!(place.json("merged"), place.json("whole"));

    // A part of a longer study does not fit, nor does a file whose content has changed.
    let longer = path("longer");
    let args = ["--shard", "1/6", "--parts", &longer, "--kimg", "0.012"];
    place
        .study("long", &[&["--plain"][..], &args].concat())
        .unwrap();
    let both = ["--merge", &parts, &longer];
    let error = place.study("mixed", &both).unwrap_err().to_string();
    assert!(error.contains("kimg are not the same"), "{error}");
    let mut bytes = std::fs::read(&first[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&first[0], bytes).unwrap();
    let error = place.study("damaged", &["--merge", &parts]).unwrap_err();
    let file = first[0].to_str().unwrap();
    assert!(error.to_string().contains(file), "{error}");
}

#[test]
fn an_unknown_target_is_answered_with_the_names_there_are() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().to_str().unwrap();
    let args = Args::try_parse_from(["study_transfer", "--target", "cats", "--out", out]);
    let error = run(&args.unwrap(), &mut ()).unwrap_err();
    assert!(
        error.to_string().contains("avataaars, bottts, smileys"),
        "{error}"
    );
}
