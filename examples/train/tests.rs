//! Runs of a few iterations on images made here, in folders of their own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use checkpoint_file::{Checkpoint, FloatPrecision, StoredDType, StoredTensor, save_safetensors};
use tempfile::TempDir;

use crate::{Args, run};
use examples::terminal::Asking;
use examples::{Failure, INTERRUPTED};
use ganymede::runs::provenance::Provenance;
use ganymede::runs::run_folder::RunFolder;
use ganymede::train::{Recipe, Standing};

/// The least that LPIPS-alex takes.
const SIDE: usize = 32;
const IMAGES: usize = 12;

/// A weights folder with one style, and a folder for runs.
struct Workplace {
    folder: TempDir,
}

impl Workplace {
    fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir_all(place.weights().join("zoo/data")).unwrap();
        std::fs::create_dir_all(place.weights().join("queries")).unwrap();
        let credit = r#"{"title": "Tiny \"Set\"", "artist": "A. Nobody", "source": "https://example.org", "licence": "CC0 1.0", "licence_url": "https://example.org/l"}"#;
        let credits = format!(r#"{{"tiny": {credit}, "other": {credit}}}"#);
        std::fs::write(place.weights().join("queries/queries.json"), credits).unwrap();
        place.draw("tiny", 0);
        place
    }

    fn weights(&self) -> PathBuf {
        self.folder.path().join("weights")
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// Writes a style's training images.
    fn draw(&self, style: &str, color: u8) {
        let bytes = (0..IMAGES * 3 * SIDE * SIDE)
            .map(|index| ((index / 97) as u8).wrapping_mul(31) ^ color)
            .collect();
        let images = StoredTensor::new(StoredDType::U8, vec![IMAGES, 3, SIDE, SIDE], bytes);
        save_safetensors(
            self.weights()
                .join(format!("zoo/data/{style}.training.safetensors")),
            &BTreeMap::from([("images".to_owned(), images)]),
            &BTreeMap::from([("format".to_owned(), "packed-images/1".to_owned())]),
            FloatPrecision::F32,
        )
        .unwrap();
    }

    fn options(&self, args: &[&str]) -> Args {
        let (weights, out) = (self.weights(), self.out());
        let place = [
            "--weights".as_ref(),
            weights.as_os_str(),
            "--out".as_ref(),
            out.as_os_str(),
        ];
        let args = args.iter().map(AsRef::as_ref);
        Args::parse_from_args(["train".as_ref()].into_iter().chain(place).chain(args)).unwrap()
    }

    /// A run that is interrupted after `iterations`.
    fn train(&self, args: &[&str], iterations: usize) -> Result<ExitCode, Failure> {
        let asked = Cell::new(0);
        let interrupted = || {
            asked.set(asked.get() + 1);
            asked.get() > iterations
        };
        run(&self.options(args), &mut Asking::new(&interrupted))
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint::open(self.out().join("training.safetensors")).unwrap()
    }

    fn provenance(&self) -> Provenance {
        serde_json::from_str(&self.checkpoint().metadata()["provenance"]).unwrap()
    }
}

const START: [&str; 8] = [
    "--zoo",
    "tiny",
    "--resolution",
    "32",
    "--progressive",
    "none",
    "--batch",
    "4",
];
const ENDLESS: usize = usize::MAX;

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&START, more].concat()
}

fn refused(result: Result<ExitCode, Failure>, parts: &[&str]) {
    let message = examples::message(&result.expect_err("an error"));
    for part in parts {
        assert!(message.contains(part), "{message}: no {part}");
    }
}

#[test]
fn a_style_that_is_misspelt_is_answered_with_the_names_there_are() {
    let place = Workplace::new();
    let refused = |args: &[&str]| {
        let args = place.options(args);
        let recipe = Recipe::new(&args.options, &args.common.context().unwrap());
        examples::message(&recipe.unwrap_err().into())
    };
    let message = refused(&["--zoo", "Tiny"]);
    assert!(message.contains("base, other, tiny"), "{message}");
    // Known, but its images are not drawn.
    assert!(refused(&["--zoo", "other"]).contains("node render.js"));
    let message = refused(&["--zoo", "tiny", "--generator", "nothing"]);
    assert!(message.contains("--generator nothing"), "{message}");
}

#[test]
fn a_run_is_called_after_its_images_and_needs_no_weights_folder() {
    let options = |images: &str| {
        Args::parse_from_args(["train", "--images", images, "--weights", "/nowhere"]).unwrap()
    };
    let recipe = |images: &str| {
        let args = options(images);
        Recipe::new(&args.options, &args.common.context().unwrap()).unwrap()
    };
    let cats = recipe("pictures/cats.safetensors");
    assert_eq!(cats.name, "cats");
    assert!(cats.weights.is_none());
    assert_eq!(cats.out, Path::new("out/train/cats"));
    let here = std::env::current_dir().unwrap();
    let name = here.file_stem().unwrap().to_string_lossy().into_owned();
    assert_eq!(recipe(".").name, name);
}

#[test]
fn two_runs_do_not_use_one_folder() {
    let place = Workplace::new();
    let first = RunFolder::open(&place.out()).unwrap();
    refused(place.train(&START, 1), &["another run uses the folder"]);
    drop(first);
    RunFolder::open(&place.out()).unwrap();
}

#[test]
fn an_interrupted_run_is_resumed_with_what_may_change_and_published_with_a_true_card() {
    let place = Workplace::new();
    let code = place.train(&with(&["--kimg", "1", "--gamma", "0.5"]), 18);
    assert_eq!(code.unwrap(), ExitCode::from(INTERRUPTED));
    let history = std::fs::read_to_string(place.out().join("history.jsonl")).unwrap();
    assert_eq!(
        history.lines().count(),
        2,
        "16 iterations, then 2: {history}"
    );
    let started = place.provenance();
    assert_eq!(started.data[0].images, IMAGES);
    assert_eq!(
        started.data[0].file,
        "weights/zoo/data/tiny.training.safetensors"
    );
    assert!(started.generator.from.starts_with("random weights"));

    // Neither a second start nor another seed, batch or start is silently ignored.
    refused(place.train(&START, 1), &["--resume"]);
    let resume = |args: &[&str], iterations| {
        place.train(&[&["--zoo", "tiny", "--resume"], args].concat(), iterations)
    };
    refused(resume(&["--seed", "3"], 1), &["seed", "cannot change"]);
    refused(resume(&["--batch", "8"], 1), &["batch_size"]);
    refused(resume(&["--resolution", "64"], 1), &["--resolution"]);
    place.draw("tiny", 1);
    refused(resume(&[], 1), &["same images"]);
    place.draw("tiny", 0);

    let code = resume(&["--kimg", "0.088", "--learning-rate", "0.001"], ENDLESS);
    assert_eq!(code.unwrap(), ExitCode::SUCCESS);
    let record = place.checkpoint().metadata()["training"].clone();
    assert!(record.contains("\"learning_rate\":0.001"), "{record}");
    assert!(record.contains("\"r1_gamma\":0.5"), "{record}");

    // Publishing a run that has its length already.
    let features = Path::new(env!("CARGO_MANIFEST_DIR")).join("../weights/features");
    refused(
        resume(&["--kimg", "0.088", "--publish"], ENDLESS),
        &["features"],
    );
    let published = place.weights().join("zoo/tiny");
    assert!(
        !published.exists(),
        "nothing is published without its quality"
    );
    copy_files(&features, &place.weights().join("features"));
    let publish = ["--kimg", "0.088", "--publish", "--frechet-images", "8"];
    // Asked before the first batch of images.
    let code = resume(&publish, 0);
    assert_eq!(code.unwrap(), ExitCode::from(INTERRUPTED));
    assert!(!published.exists(), "it was not measured");
    resume(&publish, ENDLESS).unwrap();
    let mut files: Vec<_> = std::fs::read_dir(&published)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "card.toml",
            "discriminator.safetensors",
            "generator.safetensors",
            "samples.png"
        ]
    );

    let card = std::fs::read_to_string(published.join("card.toml")).unwrap();
    let card: toml::Table = card.parse().unwrap();
    assert_eq!(card["license"].as_str(), Some("CC0-1.0"));
    assert_eq!(card["art"]["title"].as_str(), Some("Tiny \"Set\""));
    let training = &card["training"];
    assert_eq!(
        training["command"].as_str(),
        Some(
            "cargo run --release --example train -- --zoo tiny --resolution 32 --progressive none --batch 4 --gamma 0.5 --kimg 0.088"
        )
    );
    assert_eq!(
        training["start"].as_str(),
        Some(started.generator.from.as_str())
    );
    let changes = training["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1);
    // After 18 iterations of 4 images.
    assert_eq!(
        changes[0].as_str(),
        Some("at 0.1 kimg: --learning-rate 0.001")
    );
    assert_eq!(training["learning_rate"].as_float(), Some(0.001));
    assert_eq!(training["images"].as_integer(), Some(IMAGES as i64));
    assert_eq!(training["held_out_rule"].as_bool(), Some(false));
    let quality = &card["quality"];
    assert!(quality["diversity_ratio"].is_float());
    assert!(quality["frechet_distance"].as_float().unwrap() > 0.0);
    for count in ["frechet_samples", "frechet_real"] {
        assert_eq!(quality[count].as_integer(), Some(8));
    }
    let protocol = quality["frechet_protocol"].as_str().unwrap();
    assert!(
        protocol.contains("seeds 0 to 7 at psi 1, and 8 of 12 training images"),
        "{protocol}"
    );
    assert_eq!(card["configuration"]["precision"].as_str(), Some("f16"));

    // Another run starts from all networks of the checkpoint, or from the published model and its own discriminator.
    let checkpoint = place.out().join("training.safetensors");
    let other = Workplace::new();
    let checkpoint = checkpoint.to_str().unwrap();
    let args = ["--zoo", "tiny", "--batch", "4", "--generator", checkpoint];
    other.train(&args, 1).unwrap();
    let start = other.provenance();
    assert_eq!(start.generator.from, "training.safetensors");
    assert_eq!(start.discriminator, start.generator);
    let record = other.checkpoint().metadata()["training"].clone();
    assert!(record.contains("\"rampup\":null"), "{record}");

    let generator = published.join("generator.safetensors");
    let args = ["--zoo", "tiny", "--generator", generator.to_str().unwrap()];
    let third = Workplace::new();
    third.train(&args, 1).unwrap();
    assert_eq!(
        third.provenance().discriminator.from,
        "discriminator.safetensors"
    );
    refused(
        Workplace::new().train(&[&args[..], &["--resolution", "64"]].concat(), 1),
        &["--resolution 64", "32x32"],
    );
    refused(
        Workplace::new().train(&[&args[..], &["--channel-max", "32"]].concat(), 1),
        &["--channel-max 32", "generator.safetensors"],
    );
}

#[test]
fn a_style_from_random_weights_grows_and_is_not_published_before_it_has() {
    let place = Workplace::new();
    let args = ["--zoo", "tiny", "--resolution", "32", "--batch", "4"];
    place.train(&args, 1).unwrap();
    let record = place.checkpoint().metadata()["training"].clone();
    assert!(
        record.contains(r#""progressive":[{"resolution":16,"kimg":20.0}]"#),
        "{record}"
    );
    refused(
        Workplace::new().train(&[&args[..], &["--kimg", "20", "--publish"]].concat(), 1),
        &["20 kimg", "16:20"],
    );
}

#[test]
fn the_base_model_names_the_artists_of_its_data_and_styles_start_from_both_its_networks() {
    let place = Workplace::new();
    place.draw("other", 9);
    let features = Path::new(env!("CARGO_MANIFEST_DIR")).join("../weights/features");
    copy_files(&features, &place.weights().join("features"));
    let base = [
        "--zoo",
        "base",
        "--resolution",
        "32",
        "--progressive",
        "none",
        "--batch",
        "4",
        "--kimg",
        "0.004",
    ];
    place
        .train(
            &[&base[..], &["--publish", "--frechet-images", "2"]].concat(),
            ENDLESS,
        )
        .unwrap();
    let card = std::fs::read_to_string(place.weights().join("zoo/base/card.toml")).unwrap();
    let card: toml::Table = card.parse().unwrap();
    let art = card["art"].as_table().unwrap();
    let credit = "Tiny \"Set\" by A. Nobody, CC0-1.0";
    for style in ["tiny", "other"] {
        assert_eq!(art[style].as_str(), Some(credit));
    }
    assert_eq!(
        card["training"]["images"].as_integer(),
        Some(2 * IMAGES as i64)
    );

    std::fs::remove_dir_all(place.out()).unwrap();
    place
        .train(&["--zoo", "tiny", "--resolution", "32", "--batch", "4"], 1)
        .unwrap();
    let start = place.provenance();
    for (network, file) in [
        (start.generator, "weights/zoo/base/generator.safetensors"),
        (
            start.discriminator,
            "weights/zoo/base/discriminator.safetensors",
        ),
    ] {
        assert_eq!(network.from, file);
        assert_eq!(network.sha256.map(|hash| hash.len()), Some(64));
    }
}

#[test]
fn networks_of_random_weights_are_as_wide_as_asked_for() {
    let place = Workplace::new();
    let style = ["--zoo", "tiny", "--resolution", "32", "--batch", "4"];
    let narrow = ["--channel-base", "256", "--channel-max", "16"];
    place.train(&[&style[..], &narrow].concat(), 1).unwrap();
    let checkpoint = place.checkpoint();
    // Growth starts at 16 pixels, with 256 / 16 channels there and no more at 8 and 4.
    for network in ["G", "D"] {
        let shape = |name: &str| {
            checkpoint.tensors()[&format!("{network}.{name}")]
                .shape()
                .to_vec()
        };
        let found = match network {
            "G" => shape("synthesis.b16.conv1.weight"),
            _ => shape("b16.conv0.weight"),
        };
        assert_eq!(found, [16, 16, 3, 3], "{network}");
    }
    refused(
        Workplace::new().train(&[&style[..], &["--channel-base", "8"]].concat(), 1),
        &["channel_base", "8"],
    );
}

#[test]
fn a_style_grows_from_a_smaller_base() {
    let place = Workplace::new();
    let small = ["--resolution", "32", "--batch", "4"];
    let base = ["--zoo", "base", "--progressive", "16:1", "--kimg", "0.004"];
    place.train(&[&small[..], &base].concat(), ENDLESS).unwrap();
    copy_files(&place.out(), &place.weights().join("zoo/base"));
    std::fs::remove_dir_all(place.out()).unwrap();

    place
        .train(&[&small[..], &["--zoo", "tiny"]].concat(), 1)
        .unwrap();
    let record = place.checkpoint().metadata()["training"].clone();
    assert!(
        record.contains(r#""progressive":[{"resolution":16,"kimg":8.0}]"#),
        "{record}"
    );
    assert_eq!(
        place.provenance().generator.from,
        "weights/zoo/base/generator.safetensors"
    );
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn a_style_of_the_zoo_is_trained_in_turns_measured_and_published() {
    let place = Workplace::new();
    place.draw("other", 9);
    let features = Path::new(env!("CARGO_MANIFEST_DIR")).join("../weights/features");
    copy_files(&features, &place.weights().join("features"));
    let work = |args: &[&str], asked: usize| {
        let count = Cell::new(0);
        let common = "--zoo all --resolution 32 --progressive none --batch 4 --kimg 0.02 --turn-kimg 0.02 --shard 2/2 --frechet-images 8";
        let common: Vec<&str> = common.split(' ').collect();
        let interrupted = || {
            count.set(count.get() + 1);
            count.get() > asked
        };
        let args = place.options(&[&common, args].concat());
        run(&args, &mut Asking::new(&interrupted))
    };
    refused(work(&["--generator", "tiny"], ENDLESS), &["--generator"]);
    refused(work(&["--resume"], ENDLESS), &["--resume"]);

    // Interrupted in the turn: what it had is kept, and no measurement is claimed.
    let code = work(&[], 3).unwrap();
    assert_eq!(code, ExitCode::from(INTERRUPTED));
    let standing = |style: &str| Standing::open(&place.out().join(style)).unwrap();
    assert!(standing("tiny").turns.is_empty());
    assert!(place.out().join("tiny/training.safetensors").is_file());

    let code = work(&["--publish"], ENDLESS).unwrap();
    assert_eq!(code, ExitCode::SUCCESS);
    let standing = standing("tiny");
    let kimg: Vec<f64> = standing.turns.iter().map(|turn| turn.kimg).collect();
    // Nothing was published before, so that the first turn's model is.
    assert_eq!((kimg, standing.publications), (vec![0.02], vec![0.02]));
    assert!(!place.out().join("other").exists(), "of the other shard");
    let card = place.weights().join("zoo/tiny/card.toml");
    let card: toml::Table = std::fs::read_to_string(card).unwrap().parse().unwrap();
    let training = &card["training"];
    assert_eq!(training["learning_rate"].as_float(), Some(0.005));
    assert_eq!(training["style_mixing"].as_float(), Some(0.0));
    assert_eq!(training["annealing"].as_str(), Some("0.02:0.03:0.2"));
    for network in ["alexnet", "efficientnet_lite0"] {
        let measured = &card["quality"]["features"][network];
        for key in ["precision", "recall", "density", "coverage"] {
            assert!(measured[key].as_float().unwrap() >= 0.0, "{network}: {key}");
        }
    }
    // It has had its images.
    let run = place.out().join("tiny/training.safetensors");
    let before = std::fs::read(&run).unwrap();
    assert_eq!(work(&[], ENDLESS).unwrap(), ExitCode::SUCCESS);
    assert!(
        before == std::fs::read(&run).unwrap(),
        "nothing was trained"
    );
}
