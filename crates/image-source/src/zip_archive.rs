//! The images of a zip archive.

use std::io::BufReader;
use std::path::Path;

use image_tensor::{DecodeLimits, RgbImage};
use whole_file::OpenFile;
use zip::ZipArchive;

use crate::folder::io;
use crate::names::{NameKind, kind_of_path, shown};
use crate::source::{decode_reader, unreadable};
use crate::{ImageSourceError, LeftOut};

pub(crate) type Archive = ZipArchive<BufReader<OpenFile>>;

/// An image's name in the archive and its place there.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    index: usize,
}

pub(crate) fn open(path: &Path) -> Result<Archive, ImageSourceError> {
    let file = whole_file::open(path).map_err(io(path))?;
    ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(path, error.to_string()))
}

fn damaged(path: &Path, reason: String) -> ImageSourceError {
    ImageSourceError::Archive {
        path: path.to_owned(),
        reason,
    }
}

/// The images by name.
pub(crate) fn list(path: &Path, left_out: &mut LeftOut) -> Result<Vec<Entry>, ImageSourceError> {
    let mut archive = open(path)?;
    let length = whole_file::properties(path).map_err(io(path))?.length;
    let mut entries = Vec::new();
    let mut compressed: u64 = 0;
    for index in 0..archive.len() {
        let unknown = |error: zip::result::ZipError| {
            damaged(path, format!("its entry {index} cannot be found ({error})"))
        };
        let entry = archive.by_index_raw(index).map_err(unknown)?;
        if entry.is_dir() {
            continue;
        }
        // Entries that share their bytes make a few kilobytes unpack to gigabytes. Without that, deflate's own limit
        // holds: about a thousand to one.
        compressed = compressed.saturating_add(entry.compressed_size());
        if compressed > length {
            return Err(damaged(
                path,
                format!(
                    "its first {} entries claim {compressed} bytes, more than the {length} of the file",
                    index + 1
                ),
            ));
        }
        let name = match entry.name() {
            Ok(name) => name.into_owned(),
            Err(_) => String::from_utf8_lossy(entry.name_raw()).into_owned(),
        };
        match kind_of_path(&name) {
            NameKind::Image if entry.is_symlink() => left_out.irregular += 1,
            NameKind::Image => entries.push(Entry { name, index }),
            other => other.count(left_out),
        }
    }
    entries.sort_by(|a, b| (&a.name, a.index).cmp(&(&b.name, b.index)));
    Ok(entries)
}

pub(crate) fn decode(
    archive: &mut Archive,
    entry: &Entry,
    shown_name: &str,
    limits: &DecodeLimits,
) -> Result<RgbImage, ImageSourceError> {
    match archive.by_index(entry.index) {
        Ok(file) => decode_reader(shown_name, file, limits),
        Err(error) => Err(unreadable(
            shown_name,
            std::io::Error::other(shown(&error.to_string())),
        )),
    }
}
