//! The images of an uncompressed tar archive.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use image_tensor::{DecodeLimits, RgbImage};
use tar::{Archive, EntryType};
use whole_file::OpenFile;

use crate::folder::io;
use crate::names::{NameKind, kind_of_path, shown};
use crate::source::{decode_reader, unreadable};
use crate::{ImageSourceError, LeftOut};

/// An image's name in the archive and where its bytes lie.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    position: u64,
    length: u64,
}

/// The images in the archive's order, which is the order that they can be read fastest in. The bytes between the
/// headers are not read.
pub(crate) fn list(path: &Path, left_out: &mut LeftOut) -> Result<Vec<Entry>, ImageSourceError> {
    let damaged = |reason: String| ImageSourceError::Archive {
        path: path.to_owned(),
        reason: shown(&reason),
    };
    let unreadable = |error: std::io::Error| damaged(error.to_string());
    let file = whole_file::open(path).map_err(io(path))?;
    let file_length = file.length().map_err(io(path))?;
    let mut archive = Archive::new(BufReader::new(file));
    let mut entries = Vec::new();
    for entry in archive.entries_with_seek().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        if kind == EntryType::Directory {
            continue;
        }
        let (position, length) = (entry.raw_file_position(), entry.size());
        if position
            .checked_add(length)
            .is_none_or(|end| end > file_length)
        {
            return Err(damaged(format!(
                "it ends before the {length} bytes of {name}; it may be cut short"
            )));
        }
        match kind_of_path(&name) {
            NameKind::Image if matches!(kind, EntryType::Regular | EntryType::Continuous) => {
                entries.push(Entry {
                    name,
                    position,
                    length,
                });
            }
            NameKind::Image => left_out.irregular += 1,
            other => other.count(left_out),
        }
    }
    Ok(entries)
}

pub(crate) fn decode(
    archive: &mut OpenFile,
    entry: &Entry,
    shown_name: &str,
    limits: &DecodeLimits,
) -> Result<RgbImage, ImageSourceError> {
    archive
        .seek(SeekFrom::Start(entry.position))
        .map_err(|source| unreadable(shown_name, source))?;
    decode_reader(shown_name, archive.take(entry.length), limits)
}
