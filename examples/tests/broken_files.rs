//! All programs, each with one broken file of every kind that it reads: the error names the file, and nothing panics.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(unix)]

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use image_tensor::{Rgb, RgbImage, encode_png, write_png};

/// What is read, in a folder of its own: the repository's weights and zoo by links, and images.
struct Place {
    folder: tempfile::TempDir,
}

/// A file that is broken while this lives.
struct Broken {
    path: PathBuf,
    sound: Sound,
}

/// What was there before.
enum Sound {
    Nothing,
    Link(PathBuf),
    Bytes(Vec<u8>),
}

impl Broken {
    /// Links are replaced and not followed: what they lead to belongs to the repository.
    fn new(path: PathBuf, bytes: &[u8]) -> Self {
        let sound = match std::fs::symlink_metadata(&path) {
            Err(_) => Sound::Nothing,
            Ok(found) if found.is_symlink() => Sound::Link(std::fs::read_link(&path).unwrap()),
            Ok(_) => Sound::Bytes(std::fs::read(&path).unwrap()),
        };
        if !matches!(sound, Sound::Nothing) {
            std::fs::remove_file(&path).unwrap();
        }
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        Self { path, sound }
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        // A program may have put another in its place.
        let _ = std::fs::remove_file(&self.path);
        match &self.sound {
            Sound::Nothing => {}
            Sound::Link(target) => symlink(target, &self.path).unwrap(),
            Sound::Bytes(bytes) => std::fs::write(&self.path, bytes).unwrap(),
        }
    }
}

const MODEL: &str = "funEmoji";

impl Place {
    fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../weights");
        let weights = repository.canonicalize().unwrap();
        for folder in ["weights/features", "weights/zoo", "images"] {
            std::fs::create_dir_all(place.path(folder)).unwrap();
        }
        let mut files = vec!["queries".to_owned(), "few_shot".to_owned()];
        for entry in std::fs::read_dir(weights.join("features")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            files.push(format!("features/{name}"));
        }
        for entry in std::fs::read_dir(weights.join("zoo")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.starts_with("index.") {
                files.push(format!("zoo/{name}"));
            }
            if weights.join("zoo").join(&name).join("card.toml").is_file() {
                std::fs::create_dir(place.path("weights/zoo").join(&name)).unwrap();
                let parts = ["card.toml", "generator.safetensors"];
                files.extend(parts.map(|part| format!("zoo/{name}/{part}")));
            }
        }
        for file in files {
            symlink(weights.join(&file), place.path("weights").join(&file)).unwrap();
        }
        for index in 0..4 {
            let image = picture(index);
            write_png(place.path(&format!("images/{index}.png")), &image).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn model(&self, file: &str) -> PathBuf {
        self.path("weights/zoo").join(MODEL).join(file)
    }
}

fn picture(index: u8) -> RgbImage {
    RgbImage::from_fn(16, 16, |x, y| Rgb([9 * x as u8, 11 * y as u8, 40 * index]))
}

fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let file = own.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        file.is_file(),
        "{}: not built; `cargo build --release --examples` builds it",
        file.display()
    );
    file
}

/// A program, what it is told (`{X}` is the broken file), which file is broken (relative to the place), and what stands
/// in it.
struct Case {
    program: &'static str,
    args: &'static str,
    file: &'static str,
    bytes: Vec<u8>,
}

fn case(program: &'static str, args: &'static str, file: &'static str, bytes: Vec<u8>) -> Case {
    Case {
        program,
        args,
        file,
        bytes,
    }
}

/// The first half of a file that would be sound.
fn half(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

fn cases(place: &Place) -> Vec<Case> {
    let png = || half(encode_png(&picture(1)).unwrap());
    // The end of a zip archive is its directory.
    let zip = || b"PK\x03\x04 and then nothing of an archive".to_vec();
    let pickle = || b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\x00(X\x04".to_vec();
    let sound = std::fs::read(place.model("generator.safetensors")).unwrap();
    let tensors = || half(sound.clone());
    let text = || b"neither { a [table = nor anything else\n".to_vec();
    let index = || half(std::fs::read(place.path("weights/zoo/index.ganymede")).unwrap());
    // A generator whose configuration is a text of something else.
    let configuration = || {
        let length = u64::from_le_bytes(sound[..8].try_into().unwrap()) as usize;
        let mut header: serde_json::Value = serde_json::from_slice(&sound[8..8 + length]).unwrap();
        let metadata = header["__metadata__"].as_object_mut().unwrap();
        metadata.remove("content_sha256");
        metadata.insert("config".into(), "{\"z_dim\": \"many\"}".into());
        let header = header.to_string().into_bytes();
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        bytes.extend_from_slice(&sound[8 + length..]);
        bytes
    };
    const CARD: &str = "weights/zoo/funEmoji/card.toml";
    const GENERATOR: &str = "weights/zoo/funEmoji/generator.safetensors";
    const INDEX: &str = "weights/zoo/index.ganymede";
    const RECORD: &str = "weights/zoo/index.toml";
    const FEATURES: &str = "weights/features/efficientnet_lite0.safetensors";
    // The network of the index.
    const INDEXED: &str = "weights/features/alexnet.safetensors";
    const HEADS: &str = "weights/features/lpips_v0.1_alex.safetensors";
    vec![
        case("convert", "{X} --out {out}", "a.pt", zip()),
        case("convert", "{X} --out {out}", "a.pkl", pickle()),
        case("convert", "{X} --list", "a.safetensors", tensors()),
        case(
            "convert",
            "{X} --out {out}",
            "strange.safetensors",
            configuration(),
        ),
        case("generate", "--model {X}", "a.pth", zip()),
        case("generate", "--model {X}", "a.pkl", pickle()),
        case(
            "generate",
            "--model {X}",
            "strange.safetensors",
            configuration(),
        ),
        case("generate", "--model funEmoji --latents {X}", "a.npz", zip()),
        case("generate", "--model funEmoji", GENERATOR, tensors()),
        case("invert", "--image {X}", "a.png", png()),
        case("invert", "--image {X}", "a.zip", zip()),
        case("invert", "--image {X}", "a.tar", text()),
        case("invert", "--image {images} --model {X}", "a.pt", zip()),
        case("invert", "--image {images}", HEADS, tensors()),
        case("find_and_invert", "--image {X}", "a.png", png()),
        case("find_and_invert", "--image {image}", INDEX, index()),
        case("find_and_invert", "--image {image}", RECORD, text()),
        case("find_and_invert", "--image {image}", HEADS, tensors()),
        case("search", "--image {X}", "a.jpg", png()),
        case("search", "--image {images}", INDEX, index()),
        case("search", "--image {images}", RECORD, text()),
        case("search", "--image {images}", CARD, text()),
        case("search", "--image {images}", INDEXED, tensors()),
        case("index", "build --samples 4 --moments {out}", CARD, text()),
        case(
            "index",
            "build --samples 4 --moments {out}",
            GENERATOR,
            tensors(),
        ),
        case(
            "index",
            "build --samples 4 --moments {out}",
            FEATURES,
            tensors(),
        ),
        case("index", "update --moments {out}", RECORD, text()),
        case("index", "update --moments {out}", INDEX, index()),
        case("index", "remove funEmoji", INDEX, index()),
        case(
            "index",
            "evaluate --samples 4 --moments {out} --queries {base}/q",
            "q/funEmoji/a.png",
            png(),
        ),
        case("zoo", "list", CARD, text()),
        case(
            "zoo",
            "measure funEmoji --data {base}/data --moments {out}",
            "data/funEmoji.training.safetensors",
            tensors(),
        ),
        case(
            "zoo",
            "status --runs {base}/runs",
            "runs/micah/standing.json",
            text(),
        ),
        case("fid", "--real {X} --fake {images}", "a.npz", zip()),
        case(
            "fid",
            "--real {X} --fake {images}",
            "a.safetensors",
            tensors(),
        ),
        case(
            "fid",
            "--real {base}/some --fake {images}",
            "some/a.png",
            png(),
        ),
        case("fid", "--real {images} --model {X}", "a.pkl", pickle()),
        case(
            "fid",
            "--real {images} --fake {images} --features {X}",
            "net.safetensors",
            tensors(),
        ),
        case("edit", "--latent {X}", "a.safetensors", tensors()),
        case("edit", "--latent {X}", "a.npy", text()),
        case("edit", "--image {X}", "a.png", png()),
        case("edit", "--edit smile --edits {X}", "edits.toml", text()),
        case("edit", "--attribute {X}", "attribute.txt", text()),
        case(
            "edit",
            "--attribute {base}/attribute.txt",
            "named.png",
            png(),
        ),
        case("interpolate", "--from {X}", "a.npz", zip()),
        case("interpolate", "--to {X}", "a.png", png()),
        case("interpolate", "--via {X}", "a.pt", zip()),
        case(
            "train",
            "--images {base}/some --resolution 16 --out {out}",
            "some/a.png",
            png(),
        ),
        case(
            "train",
            "--images {X} --resolution 16 --out {out}",
            "a.zip",
            zip(),
        ),
        case(
            "train",
            "--images {X} --resolution 16 --out {out}",
            "packed.safetensors",
            tensors(),
        ),
        case(
            "train",
            "--images {images} --generator {X} --out {out}",
            "a.pt",
            zip(),
        ),
        case(
            "train",
            "--images {images} --resolution 16 --resume --out {base}/run",
            "run/training.safetensors",
            tensors(),
        ),
        case(
            "finetune",
            "--source {X} --images {images} --out {out}",
            "a.pkl",
            pickle(),
        ),
        case(
            "finetune",
            "--source funEmoji --images {base}/some --out {out}",
            "some/a.png",
            png(),
        ),
        case(
            "finetune",
            "--source funEmoji --images {images} --discriminator {X} --out {out}",
            "d.safetensors",
            tensors(),
        ),
        case("finetune", "--images {images} --out {out}", INDEX, index()),
        case(
            "finetune",
            "--source funEmoji --images {images} --out {base}/run",
            "run/training.safetensors",
            tensors(),
        ),
        case(
            "finetune",
            "--source funEmoji --images {images} --out {out}",
            FEATURES,
            tensors(),
        ),
        case(
            "study_inversion",
            "--images {base}/sets --categories some --ranks 1 --out {out}",
            "sets/some/a.png",
            png(),
        ),
        case(
            "study_inversion",
            "--images {base}/sets --categories some --ranks 1 --out {out}",
            INDEX,
            index(),
        ),
        case(
            "study_refinement",
            "--models funEmoji --images 1",
            HEADS,
            tensors(),
        ),
        case(
            "study_refinement",
            "--models funEmoji --images 1 --rank 2",
            INDEX,
            index(),
        ),
        case(
            "study_transfer",
            "--images {base}/some --out {out}",
            "some/a.png",
            png(),
        ),
        case(
            "study_transfer",
            "--images {images} --out {out}",
            RECORD,
            text(),
        ),
        case(
            "study_transfer",
            "--images {images} --out {base}/study",
            "study/images/ranking.json",
            text(),
        ),
        // What an error may say of one program it may forget in another: the same card for all that list models.
        case(
            "zoo",
            "measure funEmoji --data {base}/data --moments {out}",
            CARD,
            text(),
        ),
        case("index", "add funEmoji --moments {out}", CARD, text()),
    ]
}

/// What a user sees of a file is its name; what is raw or endless is not for a terminal.
fn fault(place: &Place, case: &Case) -> Option<String> {
    let broken = Broken::new(place.path(case.file), &case.bytes);
    let out = place.path("out");
    let _ = std::fs::remove_dir_all(&out);
    let shown = |path: &Path| path.to_str().unwrap().to_owned();
    let args = case.args.split_whitespace().map(|arg| {
        arg.replace("{X}", &shown(&broken.path))
            .replace("{out}", &shown(&out))
            .replace("{base}", &shown(place.folder.path()))
            .replace("{images}", &shown(&place.path("images")))
            .replace("{image}", &shown(&place.path("images/0.png")))
    });
    let ended = Command::new(program(case.program))
        .args(args)
        .env("GANYMEDE_WEIGHTS", place.path("weights"))
        .current_dir(place.folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    let name = broken.path.file_name().unwrap().to_str().unwrap();
    let problem = match ended.status.code() {
        None => format!("a signal ended it: {}", ended.status),
        Some(0) => "it passed".to_owned(),
        Some(101) => "it panicked".to_owned(),
        Some(2) => "its options were not understood".to_owned(),
        Some(_) if !said.contains(name) => "the error does not name the file".to_owned(),
        Some(_) if said.contains(|c: char| c.is_control() && c != '\n') => {
            "control characters in the error".to_owned()
        }
        Some(_) if said.len() > 2000 => format!("an error of {} bytes", said.len()),
        Some(_) => return None,
    };
    let said: String = said.chars().take(400).collect();
    Some(format!(
        "{} {} with a broken {}: {problem}: {said}",
        case.program, case.args, case.file
    ))
}

#[test]
#[ignore = "runs the programs, which cargo test does not build: cargo build --release --examples before"]
fn every_program_names_a_broken_file() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("sets/some")).unwrap();
    for file in ["some/b.png", "sets/some/b.png"] {
        std::fs::create_dir_all(place.path(file).parent().unwrap()).unwrap();
        write_png(place.path(file), &picture(2)).unwrap();
    }
    let attribute = format!("+ {}\n- named.png\n", place.path("images/0.png").display());
    std::fs::write(place.path("attribute.txt"), attribute).unwrap();
    let cases = cases(&place);

    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
    let programs: BTreeSet<&str> = manifest["example"]
        .as_array()
        .unwrap()
        .iter()
        // Short examples show one crate each.
        .filter(|program| {
            let path = program["path"].as_str().unwrap();
            !path.starts_with("crates/") && !path.starts_with("../docs/")
        })
        .map(|program| program["name"].as_str().unwrap())
        // One breaks the files of the others; the other serves on and says on its page what is wrong.
        .filter(|name| !["torture", "studio"].contains(name))
        .collect();
    let tried: BTreeSet<&str> = cases.iter().map(|case| case.program).collect();
    assert_eq!(tried, programs);

    let faults: Vec<String> = cases
        .iter()
        .filter_map(|case| fault(&place, case))
        .collect();
    assert!(
        faults.is_empty(),
        "{} of {}:\n{}",
        faults.len(),
        cases.len(),
        faults.join("\n")
    );
}
