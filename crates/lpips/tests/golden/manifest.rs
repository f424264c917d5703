//! The list of shipped data against the files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Kinds of files that are data; the rest of the folder describes or makes it.
const DATA: [&str; 3] = ["safetensors", "png", "ganymede"];

#[derive(Deserialize)]
struct Manifest {
    file: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    path: String,
    sha256: String,
    bytes: usize,
    #[serde(alias = "licence")]
    license: String,
    origin: String,
}

/// What its programs draw and install, as `update_manifest.py` has it too.
const NOT_SHIPPED: [&str; 2] = ["zoo/data", "zoo/render/node_modules"];

fn weights() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../weights")
}

#[test]
fn every_shipped_file_is_what_the_manifest_says() {
    let text = std::fs::read_to_string(weights().join("manifest.toml")).unwrap();
    let manifest: Manifest = toml::from_str(&text).unwrap();
    let mut listed = BTreeSet::new();
    for entry in manifest.file {
        let data = std::fs::read(weights().join(&entry.path))
            .unwrap_or_else(|e| panic!("{}: {e}", entry.path));
        assert_eq!(data.len(), entry.bytes, "{}", entry.path);
        let found: String = Sha256::digest(&data)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(found, entry.sha256, "{}", entry.path);
        assert!(
            !entry.license.is_empty() && !entry.origin.is_empty(),
            "{}",
            entry.path
        );
        assert!(
            listed.insert(entry.path.clone()),
            "{} is listed twice",
            entry.path
        );
    }
    let mut found = BTreeSet::new();
    collect_data(&weights(), "", &mut found);
    let unlisted: Vec<&String> = found.symmetric_difference(&listed).collect();
    assert!(unlisted.is_empty(), "files without entries: {unlisted:?}");
}

/// Adds the data files below `folder`, named by their path from the weights folder.
fn collect_data(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        // Fitted beside a model when an inversion first starts from one.
        let is_fitted_here = name.ends_with(".regression.safetensors");
        if NOT_SHIPPED.contains(&name.as_str()) || is_fitted_here {
            continue;
        }
        if path.is_dir() {
            collect_data(&path, &format!("{name}/"), found);
        } else if DATA
            .iter()
            .any(|kind| path.extension().is_some_and(|e| e == *kind))
        {
            found.insert(name);
        }
    }
}
