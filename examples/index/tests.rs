//! A zoo of two small models, sampled, indexed and changed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::ExitCode;

use burn::tensor::Device;
use clap::Parser;
use model_zoo::{Card, Zoo};
use stylegan2::{Generator, GeneratorConfig};

use crate::arguments::Arguments;
use crate::cli::index_record::IndexRecord;
use crate::cli::interrupt::Interrupt;
use crate::{Failure, run};

fn generator(seed: u32) -> Generator {
    let config = GeneratorConfig::from_json(
        r#"{"z_dim": 4, "c_dim": 0, "w_dim": 4, "img_resolution": 8, "img_channels": 3,
            "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 32, "channel_max": 4}}"#,
    )
    .unwrap();
    Generator::init(&config, seed, &Device::flex()).unwrap()
}

fn zoo(folder: &Path) -> Zoo {
    ["a", "b"].into_iter().zip(1..).fold(
        Zoo::create(folder.join("zoo")).unwrap(),
        |zoo, (name, seed)| {
            zoo.add(name, &generator(seed), &Card::new(name, "CC0-1.0"))
                .unwrap()
        },
    )
}

fn index(folder: &Path, args: &[&str]) -> Result<ExitCode, Failure> {
    let (zoo, moments) = (folder.join("zoo"), folder.join("moments"));
    let place = [
        "--zoo",
        zoo.to_str().unwrap(),
        "--moments",
        moments.to_str().unwrap(),
    ];
    let args: Vec<&str> = ["index"]
        .iter()
        .chain(args)
        .chain(&place)
        .copied()
        .collect();
    run(
        &Arguments::try_parse_from(args).unwrap().command,
        &Interrupt::default(),
    )
}

const BUILD: [&str; 7] = [
    "build",
    "--samples",
    "20",
    "--dimension",
    "3",
    "--features-side",
    "32",
];

#[test]
fn an_index_is_built_changed_and_built_anew_with_more_samples() {
    let folder = tempfile::tempdir().unwrap();
    let zoo = zoo(folder.path());
    index(folder.path(), &BUILD).unwrap();
    let record = IndexRecord::read(&zoo.index_path()).unwrap();
    assert_eq!((record.samples, record.features.side), (20, 32));
    let built = zoo.index().unwrap();
    assert_eq!(built.names().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(built.settings().dimension(), 3);
    let before = built.statistics("b").unwrap();

    // Removed and added again, with the index's own protocol, a model is what it was.
    let zoo_folder = folder.path().join("zoo");
    let remove = [
        "index",
        "remove",
        "b",
        "--zoo",
        zoo_folder.to_str().unwrap(),
    ];
    run(
        &Arguments::try_parse_from(remove).unwrap().command,
        &Interrupt::default(),
    )
    .unwrap();
    assert_eq!(zoo.index().unwrap().len(), 1);
    index(folder.path(), &["add", "b"]).unwrap();
    assert_eq!(zoo.index().unwrap().statistics("b").unwrap(), before);

    // What is sampled further goes on where the earlier samples ended, and fewer samples are sampled anew.
    for samples in ["24", "12"] {
        let mut build = BUILD;
        build[2] = samples;
        index(folder.path(), &build).unwrap();
        let straight = tempfile::tempdir().unwrap();
        let expected = self::zoo(straight.path());
        index(straight.path(), &build).unwrap();
        let [found, expected] = [&zoo, &expected].map(|zoo| zoo.index().unwrap());
        let difference = (found.statistics("a").unwrap().mean()
            - expected.statistics("a").unwrap().mean())
        .mapv(f64::abs);
        // Batches end elsewhere, so that sums are rounded in another order.
        assert!(difference.iter().all(|d| *d < 1e-5), "{difference}");
    }
}

#[test]
fn evaluation_needs_images_of_the_models() {
    let folder = tempfile::tempdir().unwrap();
    zoo(folder.path());
    let queries = folder.path().join("queries");
    let evaluate = [
        "evaluate",
        "--samples",
        "20",
        "--features-side",
        "32",
        "--dimensions",
        "2",
        "--queries",
        queries.to_str().unwrap(),
    ];
    let message = index(folder.path(), &evaluate).unwrap_err().to_string();
    assert!(message.contains("no images"), "{message}");
    std::fs::create_dir_all(queries.join("a")).unwrap();
    let image = image_tensor::RgbImage::from_pixel(8, 8, image_tensor::Rgb([200, 10, 90]));
    image_tensor::write_png(queries.join("a/0.png"), &image).unwrap();
    index(folder.path(), &evaluate).unwrap();
}
