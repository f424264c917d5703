//! A whole study of a few images and steps on the repository's zoo.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::Value;

use crate::{Args, Failure, run};

/// Three images of each category with three models: ranks that every zoo has. Each model inverts all six images;
/// batches of six and of the three that are left when half are deleted would round differently, were they not filled
/// up.
const SMALL: [&str; 20] = [
    "study_inversion",
    "--count",
    "3",
    "--steps",
    "3",
    "--batch",
    "6",
    "--model-count",
    "3",
    "--ranks",
    "1,2,3",
    "--interpolations",
    "1",
    "--frames",
    "4",
    "--shown",
    "1",
    "--resamples",
    "500",
    "--out",
];

fn study(out: &Path, more: &[&str]) -> Result<(String, Value), Failure> {
    let json = out.join("results.json");
    let paths = [out.to_str().unwrap(), "--json", json.to_str().unwrap()];
    let chooses = ["--categories", "--images"]
        .iter()
        .any(|option| more.contains(option));
    let two: &[&str] = match chooses {
        true => &[],
        false => &["--categories", "lorelei,funEmoji"],
    };
    let arguments = [&SMALL[..], &paths, two, more].concat();
    let args = Args::try_parse_from(arguments).unwrap();
    run(&args, &mut ())?;
    let report = std::fs::read_to_string(out.join("report.md")).unwrap_or_default();
    let results = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    Ok((report, results))
}

fn kept(cache: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(cache)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn a_study_is_the_same_from_any_cache_and_from_parts() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let (report, results) = study(&whole, &[]).unwrap();
    assert_eq!(results["protocol"]["start"], "mean");
    assert!(report.contains(" from the mean latent in "), "{report}");
    let inversions = &results["inversions"];
    let needed = inversions["needed"].as_u64().unwrap() as usize;
    assert_eq!(inversions["made"], inversions["needed"]);
    // Every image at three ranks; what else is needed may be among these.
    assert!(needed >= 18, "{needed}");
    assert_eq!(results["images"].as_array().unwrap().len(), 18);
    let cache = whole.join("cache");
    let all = kept(&cache);
    assert_eq!(all.len(), needed);
    for file in ["inversions.svg", "inversions.png", "edits.svg", "edits.png"] {
        assert!(whole.join(file).is_file(), "{file}");
    }
    assert!(report.contains("| lorelei | 3 | 3 |"), "{report}");
    assert!(
        report.contains("rank 1 is best in every metric"),
        "{report}"
    );
    // The report's mean is that of the images.
    let mean = |of: &str| -> f64 {
        let images = results["images"].as_array().unwrap().iter();
        let of_line = images.filter(|i| i["category"] == of && i["rank"] == 2);
        let values: Vec<f64> = of_line.map(|i| i["lpips_vgg"].as_f64().unwrap()).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let line = results["table"]
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["category"] == "funEmoji" && line["rank"] == 2);
    let found = line.unwrap()["estimates"][1]["mean"].as_f64().unwrap();
    assert!((found - mean("funEmoji")).abs() < 1e-12);

    // Half of it is made again, in other batches than before.
    for file in all.iter().step_by(2) {
        std::fs::remove_file(file).unwrap();
    }
    let (again, results_again) = study(&whole, &[]).unwrap();
    assert_eq!(again, report);
    assert_eq!(results_again["images"], results["images"]);
    assert_eq!(results_again["interpolations"], results["interpolations"]);
    assert_eq!(results_again["edits"], results["edits"]);
    assert_eq!(results_again["inversions"]["made"], all.len().div_ceil(2));

    // Nothing is made by the parts that another makes, and nothing when they are joined.
    let mut made = 0;
    let parts: Vec<PathBuf> = (1..=3)
        .map(|i| folder.path().join(format!("part{i}")))
        .collect();
    for (index, part) in parts.iter().enumerate() {
        let shard = format!("{}/3", index + 1);
        std::fs::create_dir(part).unwrap();
        let (report, effort) = study(part, &["--shard", &shard]).unwrap();
        assert_eq!(report, "");
        made += effort["made"].as_u64().unwrap() as usize;
    }
    assert_eq!(made, needed);
    let caches: Vec<PathBuf> = parts.iter().map(|part| part.join("cache")).collect();
    let merged = |out: &str, from: &[PathBuf]| {
        let paths = from.iter().map(|path| path.to_str().unwrap());
        let merge: Vec<&str> = std::iter::once("--merge").chain(paths).collect();
        study(&folder.path().join(out), &merge)
    };
    let files: Vec<PathBuf> = parts
        .iter()
        .map(|part| {
            let files = kept(&part.join("parts"));
            assert_eq!(files.len(), 1);
            files[0].clone()
        })
        .collect();
    for (out, from) in [("joined", &caches), ("from parts", &files)] {
        let (joined, results_joined) = merged(out, from).unwrap();
        assert_eq!(joined, report);
        assert_eq!(results_joined["images"], results["images"]);
        assert_eq!(results_joined["inversions"]["made"], 0);
        assert_eq!(results_joined["inversions"]["merged"], needed);
        for figure in ["inversions.svg", "edits.svg", "interpolations.svg"] {
            let [one, other] = [out, "whole"].map(|out| folder.path().join(out).join(figure));
            assert_eq!(
                std::fs::read(one).ok(),
                std::fs::read(other).ok(),
                "{figure}"
            );
        }
    }

    // Made again, from nothing, a part is the same file.
    std::fs::remove_dir_all(&caches[1]).unwrap();
    study(&parts[1], &["--shard", "2/3"]).unwrap();
    assert_eq!(kept(&parts[1].join("parts")), files[1..2]);

    // Parts of another study are refused, as are damaged ones.
    let error = study(
        &folder.path().join("other"),
        &["--lpips", "vgg", "--merge", files[0].to_str().unwrap()],
    );
    let message = error.unwrap_err().to_string();
    assert!(message.contains("is one of this study"), "{message}");
    let mut bytes = std::fs::read(&files[0]).unwrap();
    let middle = bytes.len() - 100;
    bytes[middle] ^= 1;
    std::fs::write(&files[0], bytes).unwrap();
    let message = merged("damaged", &files).unwrap_err().to_string();
    assert!(message.contains(files[0].to_str().unwrap()), "{message}");
}

#[test]
fn what_cannot_be_studied_is_said_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, reason) in [
        (&["--categories", "lorelei,nothing"][..], "nothing.png"),
        (&["--categories", "lorelei,lorelei"], "named twice"),
        (
            &["--images", "/nowhere", "--categories", "a"],
            "is not there",
        ),
    ] {
        let error = study(folder.path(), arguments).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let images = folder.path().to_str().unwrap();
    let error = study(folder.path(), &["--images", images]).unwrap_err();
    assert!(error.to_string().contains("no subfolder"), "{error}");
    assert!(Args::try_parse_from(["study_inversion", "--ranks", "0,1"]).is_err());
}
