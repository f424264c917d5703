//! A zoo of two small models, sampled, indexed and changed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use checkpoint_file::{Checkpoint, FloatPrecision, StoredDType, StoredTensor, save_safetensors};
use clap::Parser;
use feature_stats::{Ddof, Moments};
use model_zoo::{Card, Zoo};
use retrieval_gaussian::Index;
use stylegan2::{Generator, GeneratorConfig};

use crate::{Arguments, Failure, run};
use examples::terminal::Terminal;
use ganymede::Context;
use ganymede::index::{ChangeOptions, add, update};
use ganymede::index_record::{IndexRecord, Outdated};

fn generator(seed: u32) -> Generator {
    generator_with(seed, 0, 3)
}

fn generator_with(seed: u32, classes: usize, channels: usize) -> Generator {
    let config = GeneratorConfig::new(8)
        .with_z_dim(4)
        .with_c_dim(classes)
        .with_w_dim(4)
        .with_img_channels(channels)
        .with_mapping_layers(2)
        .with_channel_base(32)
        .with_channel_max(4);
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

fn index(folder: &Path, args: &[&str]) -> Result<(), Failure> {
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
        Arguments::try_parse_from(args).unwrap().command,
        &mut Terminal::default(),
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
        Arguments::try_parse_from(remove).unwrap().command,
        &mut Terminal::default(),
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
fn an_update_samples_what_is_new_or_changed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let zoo = zoo(folder.path());
    index(folder.path(), &BUILD).unwrap();
    let outdated = |zoo: &Zoo| {
        let record = IndexRecord::read(&zoo.index_path()).unwrap();
        let index = Index::open(zoo.index_path()).unwrap();
        let names: Vec<&str> = index.names().collect();
        let found = record.outdated(zoo, &names).unwrap();
        // A file that is changed after the index was written has a later time.
        assert_eq!(record.outdated_by_time(zoo, &names).unwrap(), found);
        found
    };
    let names = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
    assert_eq!(outdated(&zoo), Outdated::default());
    let before = std::fs::read(zoo.index_path()).unwrap();
    index(folder.path(), &["update"]).unwrap();
    assert_eq!(std::fs::read(zoo.index_path()).unwrap(), before);

    // Another generator under the same name, a model that is new, and one that is gone.
    let statistics = |zoo: &Zoo, name: &str| {
        let index = Index::open(zoo.index_path()).unwrap();
        index.statistics(name).unwrap()
    };
    let a = statistics(&zoo, "a");
    generator(7)
        .save(
            zoo.model("a").unwrap().generator_path(),
            FloatPrecision::F32,
        )
        .unwrap();
    let zoo = zoo
        .add("c", &generator(8), &Card::new("c", "CC0-1.0"))
        .unwrap();
    assert_eq!(
        outdated(&zoo),
        Outdated {
            new: names(&["c"]),
            changed: names(&["a"]),
            gone: Vec::new(),
        }
    );
    let b = statistics(&zoo, "b");
    index(folder.path(), &["update"]).unwrap();
    assert_eq!(outdated(&zoo), Outdated::default());
    assert_eq!(statistics(&zoo, "b"), b);
    assert_ne!(statistics(&zoo, "a"), a);
    assert_eq!(zoo.index().unwrap().len(), 3);
    // The same index beside a zoo that has lost two models.
    let other = tempfile::tempdir().unwrap();
    let changed = Zoo::create(other.path().join("zoo"))
        .unwrap()
        .add("a", &generator(7), &Card::new("a", "CC0-1.0"))
        .unwrap();
    std::fs::copy(zoo.index_path(), changed.index_path()).unwrap();
    std::fs::copy(
        IndexRecord::path(&zoo.index_path()),
        IndexRecord::path(&changed.index_path()),
    )
    .unwrap();
    assert_eq!(outdated(&changed).gone, names(&["b", "c"]));
    index(other.path(), &["update"]).unwrap();
    assert_eq!(changed.index().unwrap().len(), 1);
    assert_eq!(statistics(&changed, "a"), statistics(&zoo, "a"));
    let record = IndexRecord::read(&changed.index_path()).unwrap();
    assert_eq!(record.generators.into_keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn models_of_all_kinds_are_sampled_with_the_class_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let models = [("grey", 0, 1), ("rgba", 0, 4), ("classes", 3, 3)];
    let zoo = models.into_iter().zip(5..).fold(
        Zoo::create(folder.path().join("zoo")).unwrap(),
        |zoo, ((name, classes, channels), seed)| {
            let model = generator_with(seed, classes, channels);
            zoo.add(name, &model, &Card::new(name, "CC0-1.0")).unwrap()
        },
    );
    // Cards that people write say nothing of the network.
    let card = zoo.model("grey").unwrap().folder().join("card.toml");
    std::fs::write(card, "name = \"grey\"\nlicence = \"CC0-1.0\"\n").unwrap();
    let record = || IndexRecord::read(&zoo.index_path()).unwrap();
    // Of the features themselves: components of another index are others.
    let means = |name: &str| -> Vec<Vec<f64>> {
        ganymede::images::files_in(&folder.path().join("moments"))
            .iter()
            .filter(|file| file.to_str().unwrap().contains(&format!("/{name}-")))
            // Those of the model's own samples are no moments.
            .filter(|file| !file.to_str().unwrap().contains("-own."))
            .map(|file| Moments::load(file).unwrap())
            .map(|moments| moments.mean_covariance(Ddof::Sample).unwrap())
            .map(|statistics| statistics.mean().to_vec())
            .collect()
    };
    index(folder.path(), &BUILD).unwrap();
    assert!(record().classes.is_empty());
    assert_eq!((means("classes").len(), means("grey").len()), (1, 1));
    index(folder.path(), &[&BUILD[..], &["--class", "1"]].concat()).unwrap();
    assert_eq!(
        record().classes,
        BTreeMap::from([("classes".to_owned(), 1)])
    );
    let found = means("classes");
    assert_eq!((found.len(), means("grey").len()), (2, 1));
    assert_ne!(found[0], found[1]);

    // A model that has changed keeps its class, and an update can give it another.
    let changed = |seed| {
        generator_with(seed, 3, 3)
            .save(
                zoo.model("classes").unwrap().generator_path(),
                FloatPrecision::F32,
            )
            .unwrap();
    };
    changed(20);
    index(folder.path(), &["update"]).unwrap();
    assert_eq!(record().classes["classes"], 1);
    assert_eq!(means("classes").len(), 3);
    changed(7);
    index(folder.path(), &["update", "--class", "2"]).unwrap();
    assert_eq!(record().classes["classes"], 2);

    let beyond = [&BUILD[..], &["--class", "3"]].concat();
    let message = index(folder.path(), &beyond).unwrap_err().to_string();
    assert!(message.contains("class 3"), "{message}");
    let skipping = [&beyond[..], &["--skip-bad"]].concat();
    index(folder.path(), &skipping).unwrap();
    assert_eq!(
        zoo.index().unwrap().names().collect::<Vec<_>>(),
        ["grey", "rgba"]
    );
}

#[test]
fn a_model_that_can_no_longer_be_sampled_is_named_or_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let zoo = zoo(folder.path());
    index(folder.path(), &BUILD).unwrap();
    let path = zoo.index_path();
    let context = Context::new(Device::flex());
    let options = |skip_bad| ChangeOptions {
        zoo: Some(folder.path().join("zoo")),
        skip_bad,
        ..ChangeOptions::default()
    };
    // No longer a generator: neither its statistics nor the scores of its own samples can be made.
    std::fs::write(zoo.model("b").unwrap().generator_path(), "no generator").unwrap();
    let mut record = IndexRecord::read(&path).unwrap();
    record.own_scores.remove("b");
    record.write(&path).unwrap();
    let before = std::fs::read(&path).unwrap();
    for refused in [
        add(&[], &options(false), &context, &mut ()).unwrap_err(),
        update(&options(false), &context, &mut ()).unwrap_err(),
    ] {
        assert!(refused.to_string().contains("zoo/b/generator"), "{refused}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);

    assert_eq!(add(&[], &options(true), &context, &mut ()).unwrap(), 1);
    let record = IndexRecord::read(&path).unwrap();
    assert_eq!(record.generators.keys().collect::<Vec<_>>(), ["a"]);
    // Now it is new in the zoo, and is not taken in.
    let updated = update(&options(true), &context, &mut ()).unwrap();
    assert_eq!((updated.new, updated.changed, updated.models), (0, 0, 1));
    assert_eq!(updated.left_out, 1);
    assert!(!updated.was_up_to_date());
    assert_eq!(zoo.index().unwrap().names().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn models_stay_where_it_is_not_their_fault_that_they_cannot_be_sampled() {
    let folder = tempfile::tempdir().unwrap();
    let zoo = zoo(folder.path());
    index(folder.path(), &BUILD).unwrap();
    let before = std::fs::read(zoo.index_path()).unwrap();
    // A file in place of the folder that samples are kept in.
    let moments = folder.path().join("a file");
    std::fs::write(&moments, "").unwrap();
    generator(9)
        .save(
            zoo.model("b").unwrap().generator_path(),
            FloatPrecision::F32,
        )
        .unwrap();
    let options = ChangeOptions {
        zoo: Some(folder.path().join("zoo")),
        moments: Some(moments),
        skip_bad: true,
        ..ChangeOptions::default()
    };
    let context = Context::new(Device::flex());
    let error = update(&options, &context, &mut ()).unwrap_err();
    assert!(error.to_string().contains("a file"), "{error}");
    assert_eq!(std::fs::read(zoo.index_path()).unwrap(), before);
}

/// `index` with a zoo and whatever else.
fn run_with(args: &[&str]) -> Result<(), Failure> {
    let args = ["index"].iter().chain(args);
    run(
        Arguments::try_parse_from(args)?.command,
        &mut Terminal::default(),
    )
}

#[test]
fn parts_become_the_index_of_one_piece_however_models_are_divided() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let zoo = zoo(folder.path())
        .add("c", &generator(9), &Card::new("c", "CC0-1.0"))
        .unwrap();
    index(folder.path(), &BUILD).unwrap();
    let files = [zoo.index_path(), IndexRecord::path(&zoo.index_path())];
    let read = || files.clone().map(|file| std::fs::read(file).unwrap());
    let whole = read();
    let (zoo_folder, moments) = (path("zoo"), path("none"));
    let part = |shard: &str, parts: &str, options: &[&str]| {
        let place = ["--zoo", &zoo_folder, "--moments", &moments];
        let shard = ["--shard", shard, "--parts", parts];
        run_with(&[&BUILD[..], &place, &shard, options].concat()).unwrap();
        // What is kept would make the next sampling trivial.
        std::fs::remove_dir_all(folder.path().join("none")).unwrap();
    };
    let merge = |parts: &[&str], options: &[&str]| {
        files
            .iter()
            .for_each(|file| drop(std::fs::remove_file(file)));
        run_with(&[&["merge"], parts, options].concat())
    };
    let into_zoo = ["--zoo", &zoo_folder, "--dimension", "3"];

    for shards in [["1/2", "2/2"].as_slice(), &["3/3", "1/3", "2/3", "1/3"]] {
        let parts = path(&format!("parts-{}", shards.len()));
        shards.iter().for_each(|shard| part(shard, &parts, &[]));
        let made = ganymede::images::files_in(Path::new(&parts));
        assert_eq!(made.len(), shards.len().min(3), "the same part is one file");
        merge(&[&parts], &into_zoo).unwrap();
        assert!(read() == whole);
    }

    // Nothing is sampled for it: not even the generators are needed.
    let generators: Vec<PathBuf> = zoo.models().iter().map(|m| m.generator_path()).collect();
    let contents: Vec<Vec<u8>> = generators
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect();
    for file in &generators {
        std::fs::write(file, b"no generator").unwrap();
    }
    merge(&[&path("parts-2")], &into_zoo).unwrap();
    assert!(read() == whole);
    for (file, content) in generators.iter().zip(&contents) {
        std::fs::write(file, content).unwrap();
    }

    // Parts of earlier versions have no samples of their own, which are drawn then.
    let old = path("old");
    for file in ganymede::images::files_in(Path::new(&path("parts-2"))) {
        let part = Checkpoint::open(&file).unwrap();
        let mut tensors = part.tensors().clone();
        let count = tensors.len();
        tensors.retain(|name, _| !name.ends_with("/own"));
        assert!(tensors.len() < count);
        std::fs::create_dir_all(&old).unwrap();
        let copy = Path::new(&old).join(file.file_name().unwrap());
        save_safetensors(copy, &tensors, part.metadata(), None).unwrap();
    }
    let nowhere = [&into_zoo[..], &["--features-file", "/nowhere"]].concat();
    let message = merge(&[&old], &nowhere).unwrap_err().to_string();
    assert!(message.contains("/nowhere"), "{message}");
    merge(&[&old], &into_zoo).unwrap();
    assert!(read() == whole);

    // In a tree, and with a model in two of the parts.
    let (all, more) = (path("parts-4"), path("more"));
    let mut three = ganymede::images::files_in(Path::new(&all));
    let last = three.pop().unwrap();
    let first: Vec<&str> = three.iter().map(|file| file.to_str().unwrap()).collect();
    merge(&first, &["--into", &more]).unwrap();
    let merged = ganymede::images::files_in(Path::new(&more)).pop().unwrap();
    let [merged, last] = [&merged, &last].map(|file| file.to_str().unwrap());
    merge(&[last, merged, first[0]], &into_zoo).unwrap();
    assert!(read() == whole);

    // What is missing is named; what was sampled otherwise does not fit.
    let message = merge(&first, &into_zoo).unwrap_err().to_string();
    assert!(message.contains("1 of 3 models"), "{message}");
    merge(&first, &[&into_zoo[..], &["--partial"]].concat()).unwrap();
    assert_eq!(zoo.index().unwrap().len(), 2);
    let other = path("other");
    part("1/1", &other, &["--truncation-psi", "0.5"]);
    let message = merge(&[&all, &other], &into_zoo).unwrap_err().to_string();
    assert!(message.contains("\"truncation_psi\":0.5"), "{message}");
    let model = zoo.model("a").unwrap().generator_path();
    generator(20).save(&model, FloatPrecision::F32).unwrap();
    part("1/3", &other, &[]);
    let message = merge(&[&all, &other], &into_zoo).unwrap_err().to_string();
    assert!(
        message.contains("merge parts that were made alike"),
        "{message}"
    );

    // Files of other kinds, and damaged ones, are named.
    let file = model.to_str().unwrap();
    let message = merge(&[file], &into_zoo).unwrap_err().to_string();
    assert!(message.contains("not a part of an index"), "{message}");
    let mut bytes = std::fs::read(last).unwrap();
    let middle = bytes.len() - 100;
    bytes[middle] ^= 1;
    std::fs::write(last, bytes).unwrap();
    let partial = [&into_zoo[..], &["--partial"]].concat();
    let message = merge(&[last], &partial).unwrap_err().to_string();
    assert!(message.contains(last), "{message}");
}

#[test]
fn a_model_of_unknown_origin_counts_as_changed() {
    let folder = tempfile::tempdir().unwrap();
    let zoo = zoo(folder.path());
    index(folder.path(), &BUILD).unwrap();
    let mut record = IndexRecord::read(&zoo.index_path()).unwrap();
    assert_eq!(record.generators["a"].len(), 64);
    record.generators.remove("a");
    record.write(&zoo.index_path()).unwrap();
    let found = record.outdated_by_time(&zoo, &["a", "b"]).unwrap();
    assert_eq!((found.changed, found.new.len()), (vec!["a".to_owned()], 0));
}

const EVALUATE: [&str; 7] = [
    "evaluate",
    "--samples",
    "20",
    "--features-side",
    "32",
    "--dimensions",
    "2",
];

#[test]
fn evaluation_needs_images_of_the_models() {
    let folder = tempfile::tempdir().unwrap();
    zoo(folder.path());
    let queries = folder.path().join("queries");
    let evaluate = [&EVALUATE[..], &["--queries", queries.to_str().unwrap()]].concat();
    let message = index(folder.path(), &evaluate).unwrap_err().to_string();
    assert!(message.contains("no images"), "{message}");
    std::fs::create_dir_all(queries.join("a")).unwrap();
    let image = image_tensor::RgbImage::from_pixel(8, 8, image_tensor::Rgb([200, 10, 90]));
    image_tensor::write_png(queries.join("a/0.png"), &image).unwrap();
    index(folder.path(), &evaluate).unwrap();

    // Three of the other model below each other.
    let strip = image_tensor::RgbImage::from_pixel(8, 24, image_tensor::Rgb([20, 110, 90]));
    image_tensor::write_png(queries.join("b.png"), &strip).unwrap();
    let json = folder.path().join("evaluation.json");
    let evaluate = [&evaluate[..], &["--json", json.to_str().unwrap()]].concat();
    index(folder.path(), &evaluate).unwrap();
    let results: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(results["queries"], 4);

    let no_squares = image_tensor::RgbImage::new(8, 20);
    image_tensor::write_png(queries.join("b.png"), &no_squares).unwrap();
    let message = index(folder.path(), &evaluate).unwrap_err().to_string();
    assert!(
        message.contains("b.png") && message.contains("8 x 20"),
        "{message}"
    );
}

/// Number of training images, and their side.
const IMAGES: usize = 24;
const SIDE: u32 = 8;

/// A pixel of the gray image of this number: no two are the same, and all are about as bright as `brightness`.
fn gray(brightness: u8, image: usize, pixel: usize) -> u8 {
    brightness + ((image * 7 + pixel * (image + 3)) % 40) as u8
}

/// The first `IMAGES` of them as a file that training reads.
fn training_images(folder: &Path, name: &str, brightness: u8) {
    const PIXELS: usize = (SIDE * SIDE) as usize;
    let data = folder.join("zoo/data");
    std::fs::create_dir_all(&data).unwrap();
    let bytes: Vec<u8> = (0..IMAGES * 3 * PIXELS)
        .map(|i| gray(brightness, i / (3 * PIXELS), i % PIXELS))
        .collect();
    let side = SIDE as usize;
    save_safetensors(
        data.join(format!("{name}.training.safetensors")),
        &BTreeMap::from([(
            "images".to_owned(),
            StoredTensor::new(StoredDType::U8, vec![IMAGES, 3, side, side], bytes),
        )]),
        &BTreeMap::from([("format".to_owned(), "packed-images/1".to_owned())]),
        FloatPrecision::F32,
    )
    .unwrap();
}

#[test]
fn models_as_good_as_their_images_find_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    zoo(folder);
    let (queries, json) = (folder.join("queries"), folder.join("evaluation.json"));
    for (name, brightness) in [("a", 10), ("b", 200)] {
        training_images(folder, name, brightness);
        std::fs::create_dir_all(queries.join(name)).unwrap();
        let image = image_tensor::RgbImage::from_fn(SIDE, SIDE, |x, y| {
            image_tensor::Rgb([gray(brightness, IMAGES, (y * SIDE + x) as usize); 3])
        });
        image_tensor::write_png(queries.join(name).join("0.png"), &image).unwrap();
    }
    let places = [
        "--queries",
        queries.to_str().unwrap(),
        "--json",
        json.to_str().unwrap(),
    ];
    let evaluate = [&EVALUATE[..], &["--training-images"], &places].concat();
    index(folder, &evaluate).unwrap();
    let results: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(results["queries"], 2);
    assert_eq!(results["rows"][0]["top_1"], 1.0, "{results}");

    std::fs::remove_file(folder.join("zoo/data/b.training.safetensors")).unwrap();
    let message = index(folder, &evaluate).unwrap_err().to_string();
    assert!(message.contains("b.training.safetensors"), "{message}");
}
