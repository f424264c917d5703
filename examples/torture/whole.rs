//! Whether files are whole.

use std::path::{Path, PathBuf};

use checkpoint_file::Checkpoint;
use image_tensor::{DecodeLimits, decode_file};
use retrieval_gaussian::Index;

use examples::Failure;

/// The first file under a folder that is not whole, with the reason.
pub fn first_broken(folder: &Path) -> Result<Option<String>, Failure> {
    for file in files(folder)? {
        if let Some(reason) = fault(&file) {
            return Ok(Some(format!("{} is not whole: {reason}", file.display())));
        }
    }
    Ok(None)
}

/// All files under a folder, in order.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn fault(file: &Path) -> Option<String> {
    let ending = file.extension().and_then(|e| e.to_str()).unwrap_or("");
    let text = || std::fs::read_to_string(file).map_err(|e| e.to_string());
    let checked = match ending {
        "png" | "gif" => decode_file(file, &DecodeLimits::default())
            .map(drop)
            .map_err(|e| e.to_string()),
        "safetensors" => Checkpoint::open(file).map(drop).map_err(|e| e.to_string()),
        "ganymede" => Index::open(file).map(drop).map_err(|e| e.to_string()),
        "json" => text().and_then(|text| {
            serde_json::from_str::<serde_json::Value>(&text)
                .map(drop)
                .map_err(|e| e.to_string())
        }),
        "toml" => text().and_then(|text| {
            text.parse::<toml::Table>()
                .map(drop)
                .map_err(|e| e.to_string())
        }),
        // Lines are appended: a kill may leave a part of one, which the next start drops.
        "jsonl" => text().and_then(|text| {
            let mut lines = text
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'));
            lines.try_for_each(|line| {
                serde_json::from_str::<serde_json::Value>(line)
                    .map(drop)
                    .map_err(|e| e.to_string())
            })
        }),
        "svg" => text().and_then(|text| match text.trim_end().ends_with("</svg>") {
            true => Ok(()),
            false => Err("it ends before </svg>".to_owned()),
        }),
        // What is being written has a name of its own.
        _ => Ok(()),
    };
    checked.err()
}

/// Whether two files have the same tensors.
pub fn same_tensors(a: &Path, b: &Path) -> Result<bool, Failure> {
    let (a, b) = (Checkpoint::open(a)?, Checkpoint::open(b)?);
    let bytes = |checkpoint: &Checkpoint| -> Vec<(String, Vec<u8>)> {
        checkpoint
            .tensors()
            .iter()
            .map(|(name, tensor)| (name.clone(), tensor.bytes().to_vec()))
            .collect()
    };
    Ok(bytes(&a) == bytes(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("written");
        };
        write("a.svg", "<svg></svg>\n");
        write("b.jsonl", "{\"x\": 1}\n{\"x\"");
        write("c.png.1-2.partial", "half");
        assert_eq!(first_broken(folder.path()).expect("read"), None);
        for (name, text) in [
            ("d.svg", "<svg>"),
            ("e.json", "{"),
            ("f.png", ""),
            ("g.safetensors", "{"),
            ("h.jsonl", "{\n{}\n"),
        ] {
            write(name, text);
            let found = first_broken(folder.path()).expect("read").expect("a fault");
            assert!(found.contains(name), "{found}");
            std::fs::remove_file(folder.path().join(name)).expect("removed");
        }
    }
}
