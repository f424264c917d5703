//! Files that programs write.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Failure;

/// Makes a folder, with those above it.
pub fn make_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|e| {
        format!(
            "--out {}: the folder cannot be made ({e}); choose another with --out",
            folder.display()
        )
        .into()
    })
}

/// Writes bytes; the error names the path.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes)
        .map_err(|e| format!("{}: cannot be written ({e})", path.display()).into())
}

/// Writes results as JSON, making the folder where there is none.
pub fn write_json(path: &Path, results: &impl Serialize) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| format!("--json {}: {e}", path.display()))?;
    }
    let mut text = serde_json::to_string_pretty(results)?;
    text.push('\n');
    write(path, text.as_bytes())
}

/// Writes a file under a name of this process, and gives it its own name when it is whole: other processes may be writing the same.
pub fn write_whole(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut own = path.as_os_str().to_owned();
    own.push(format!(".{}", std::process::id()));
    let own = Path::new(&own);
    write(own)?;
    std::fs::rename(own, path)
        .map_err(|e| format!("{}: cannot be written ({e})", path.display()).into())
}

/// A path as results name it; one that is no valid Unicode is shown as far as it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownPath(pub PathBuf);

impl AsRef<Path> for ShownPath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Serialize for ShownPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.display())
    }
}

/// Gives each file of a run a name of its own.
#[derive(Debug, Default)]
pub struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// `wanted`, or with `-2`, `-3`, ... behind it where that is taken; dots become dashes.
    ///
    /// Compared without case, as some file systems do. Without dots, what is written as `NAME.kind.png` is no other name's `NAME.png`.
    pub fn unique(&mut self, wanted: &str) -> String {
        let wanted = wanted.replace('.', "-");
        let mut name = wanted.clone();
        let mut count = 1;
        while !self.taken.insert(name.to_lowercase()) {
            count += 1;
            name = format!("{wanted}-{count}");
        }
        name
    }
}

/// `folder/name.suffix`.
pub fn file(folder: &Path, name: &str, suffix: &str) -> PathBuf {
    folder.join(format!("{name}.{suffix}"))
}
