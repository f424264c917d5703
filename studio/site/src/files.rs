//! Weights as the page fetches them: packed, under the names of their contents.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::Error;

/// A file that is packed with gzip.
#[derive(Serialize)]
pub struct Packed {
    /// Where it lies in the site.
    pub packed: String,
    /// Of the packed file, in bytes.
    pub size: u64,
    /// Of the file itself.
    pub length: u64,
}

/// The weights by their names in the folder of weights.
#[derive(Default, Serialize)]
pub struct Weights {
    /// Fetched when they are wanted.
    files: BTreeMap<String, Packed>,
    /// In what the page reads first.
    texts: BTreeMap<String, String>,
}

/// What the page reads first.
pub const START: &str = "start.packed";
const DATA: &str = "data";

/// What inversions are measured by.
const METRIC: [&str; 2] = ["alexnet.safetensors", "lpips_v0.1_alex.safetensors"];

/// Packs all weights that the page may want.
pub fn weights(weights: &Path, out: &Path) -> Result<Weights, Error> {
    let mut found = Weights::default();
    let zoo = weights.join("zoo");
    let mut add = |name: String| -> Result<(), Error> {
        let path = weights.join(&name);
        let bytes = read(&path)?;
        match name.ends_with(".toml") {
            true => {
                let text = String::from_utf8(bytes).map_err(|e| Error::other(&path, e))?;
                found.texts.insert(name, text);
            }
            false => {
                found.files.insert(name, pack(&bytes, Effort::Usual, out)?);
            }
        }
        Ok(())
    };
    for model in models(&zoo)? {
        let folder = zoo.join(&model);
        for file in [
            "card.toml",
            "edits.toml",
            "generator.safetensors",
            "samples.png",
        ] {
            if folder.join(file).is_file() {
                add(format!("zoo/{model}/{file}"))?;
            }
        }
    }
    for file in ["index.ganymede", "index.toml"] {
        add(format!("zoo/{file}"))?;
    }
    let searched_by = network_of(&zoo.join("index.toml"))?;
    for file in BTreeSet::from(METRIC.map(str::to_owned)).union(&BTreeSet::from([searched_by])) {
        add(format!("features/{file}"))?;
    }
    Ok(found)
}

/// The file of the network whose features an index is of.
fn network_of(record: &Path) -> Result<String, Error> {
    /// Other features of a network are of the same file.
    const OTHER_FEATURES: &str = "_layers";
    let text = String::from_utf8(read(record)?).map_err(|e| Error::other(record, e))?;
    let table: toml::Table = text.parse().map_err(|e| Error::other(record, e))?;
    let network = table
        .get("features")
        .and_then(|features| features.get("network"))
        .and_then(toml::Value::as_str)
        .map(|name| name.strip_suffix(OTHER_FEATURES).unwrap_or(name))
        .filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
        .ok_or_else(|| Error::other(record, "no name of a network under [features]"))?;
    Ok(format!("{network}.safetensors"))
}

/// Names of the models of a zoo, sorted. The one that others were trained from is not shown.
pub fn models(zoo: &Path) -> Result<Vec<String>, Error> {
    const BASE: &str = "base";
    let mut names = Vec::new();
    for folder in list(zoo)? {
        let name = folder.file_name().and_then(|name| name.to_str());
        let is_model = folder.join("generator.safetensors").is_file();
        names.extend(
            name.filter(|name| is_model && *name != BASE)
                .map(str::to_owned),
        );
    }
    Ok(names)
}

/// How well bytes are packed.
#[derive(Clone, Copy, PartialEq)]
pub enum Effort {
    /// For weights, which hardly get smaller.
    Usual,
    /// For what the first picture waits for: some seconds, for 4 % of the bytes.
    Most,
}

/// Writes bytes packed, under a name that changes with them, so that browsers may keep them for ever.
pub fn pack(bytes: &[u8], effort: Effort, out: &Path) -> Result<Packed, Error> {
    /// Of the hash; enough for some hundred files.
    const DIGITS: usize = 8;
    let digest: String = Sha256::digest(bytes)[..DIGITS]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // Not `.gz`, which some servers unpack and others do not.
    let packed = format!("{DATA}/{digest}.packed");
    let path = out.join(&packed);
    let made = packed_bytes(bytes, effort).map_err(Error::io(&path))?;
    write(&path, &made)?;
    Ok(Packed {
        packed,
        size: made.len() as u64,
        length: bytes.len() as u64,
    })
}

/// The bytes as gzip has them.
pub fn packed_bytes(bytes: &[u8], effort: Effort) -> Result<Vec<u8>, std::io::Error> {
    const ITERATIONS: NonZeroU64 = NonZeroU64::new(5).expect("more than zero");
    if effort == Effort::Usual {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes)?;
        return encoder.finish();
    }
    let options = zopfli::Options {
        iteration_count: ITERATIONS,
        ..zopfli::Options::default()
    };
    let mut made = Vec::new();
    zopfli::compress(options, zopfli::Format::Gzip, bytes, &mut made)?;
    Ok(made)
}

/// Makes the folder of the site; one that is there is removed, if it is a site.
pub fn renew(out: &Path) -> Result<(), Error> {
    let path = out.to_owned();
    if out.exists() && !list(out)?.is_empty() {
        if !out.join(START).is_file() {
            return Err(Error::NotASite { path });
        }
        whole_file::remove_folder(out).map_err(Error::io(out))?;
    }
    // A site that was not finished can be made again.
    write(&out.join(START), b"")?;
    let data = out.join(DATA);
    whole_file::make_folder(&data).map_err(Error::io(&data))
}

/// Paths in a folder, sorted.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    whole_file::list(folder).map_err(Error::io(folder))
}

/// The bytes of a file.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    /// More than the site of any zoo should have in one file.
    const LONGEST: u64 = 1 << 30;
    whole_file::read(path, LONGEST).map_err(Error::io(path))
}

/// Writes a file and the folder around it.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    whole_file::make_folder(path.parent().unwrap_or(path)).map_err(Error::io(path))?;
    whole_file::write(path, bytes).map_err(Error::io(path))
}

/// Bytes of all files in a folder and below it.
pub fn size_of(folder: &Path) -> Result<u64, Error> {
    let mut bytes = 0;
    for path in list(folder)? {
        bytes += match path.is_dir() {
            true => size_of(&path)?,
            false => {
                whole_file::properties(&path)
                    .map_err(Error::io(&path))?
                    .length
            }
        };
    }
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_packed_file_is_the_same_again_and_named_by_its_content() {
        let out = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..10_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        let mut sizes = Vec::new();
        for effort in [Effort::Most, Effort::Usual] {
            let packed = pack(&bytes, effort, out.path()).unwrap();
            let file = read(&out.path().join(&packed.packed)).unwrap();
            assert_eq!((packed.size, packed.length), (file.len() as u64, 40_000));
            let mut again = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(&file[..]);
            decoder.read_to_end(&mut again).unwrap();
            assert!(again == bytes);
            let other = pack(&bytes[1..], effort, out.path()).unwrap();
            assert_ne!(other.packed, packed.packed);
            sizes.push(packed.size);
        }
        assert!(sizes[0] <= sizes[1], "{sizes:?}");
    }

    #[test]
    fn the_network_of_an_index_is_found_and_no_path() {
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join("index.toml");
        for (name, file) in [
            ("alexnet_layers", Some("alexnet.safetensors")),
            ("efficientnet_lite0", Some("efficientnet_lite0.safetensors")),
            ("../alexnet", None),
        ] {
            write(
                &record,
                format!("[features]\nnetwork = {name:?}").as_bytes(),
            )
            .unwrap();
            assert_eq!(network_of(&record).ok().as_deref(), file, "{name}");
        }
        write(&record, b"ridge = 1.0").unwrap();
        let message = network_of(&record).unwrap_err().to_string();
        assert!(message.contains("index.toml"), "{message}");
    }

    #[test]
    fn only_a_site_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mine = folder.path().join("mine.txt");
        write(&mine, b"kept").unwrap();
        assert!(matches!(renew(folder.path()), Err(Error::NotASite { .. })));
        assert!(mine.is_file());
        let out = folder.path().join("site");
        renew(&out).unwrap();
        write(&out.join("old.js"), b"").unwrap();
        renew(&out).unwrap();
        assert!(!out.join("old.js").exists() && out.join(DATA).is_dir());
    }
}
