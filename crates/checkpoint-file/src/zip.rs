//! The directory of a zip file, with its large-file extension. Sources: PKWARE APPNOTE 6.3.10, sections 4.3 and 4.5.

use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;

use flate2::read::DeflateDecoder;

use crate::cursor::Cursor;
use crate::fault::{Fault, malformed};

const END_OF_DIRECTORY: [u8; 4] = *b"PK\x05\x06";
const END_OF_DIRECTORY_BYTES: usize = 22;
const LARGE_LOCATOR: [u8; 4] = *b"PK\x06\x07";
const LARGE_LOCATOR_BYTES: usize = 20;
const LARGE_END_OF_DIRECTORY: [u8; 4] = *b"PK\x06\x06";
const DIRECTORY_ENTRY: [u8; 4] = *b"PK\x01\x02";
/// How every zip file with a first entry starts.
pub(crate) const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
/// A comment follows the end of the directory; its length has 16 bits.
const LONGEST_COMMENT: usize = u16::MAX as usize;
/// Extra field that holds the sizes of 2^32 and more.
const LARGE_SIZES: u16 = 1;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ENCRYPTED: u16 = 1;

/// Entries of a zip file by name.
///
/// Stored entries are parts of the file and never copied: `torch.save` does not compress, and so no entry can be larger
/// than its file. Only arrays of numpy, which are small, may be [inflated](Self::inflated).
#[derive(Debug)]
pub(crate) struct Directory<'a> {
    file: &'a [u8],
    entries: HashMap<&'a str, Entry>,
}

#[derive(Debug)]
struct Entry {
    method: u16,
    checksum: u32,
    /// Bytes of the entry outside of the file, as it declares them.
    length: u64,
    data: Range<usize>,
}

impl<'a> Directory<'a> {
    pub(crate) fn read(file: &'a [u8]) -> Result<Self, Fault> {
        let (count, start) = locate(file)?;
        let mut cursor = at(file, start)?;
        let mut entries = HashMap::new();
        // No capacity is reserved: the declared count is only believed entry by entry.
        for _ in 0..count {
            let (name, entry) = directory_entry(&mut cursor)?;
            if entries.insert(name, entry).is_some() {
                return Err(malformed!("the archive has two entries named {name}"));
            }
        }
        refuse_overlaps(&entries)?;
        Ok(Self { file, entries })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.entries.keys().copied()
    }

    /// Where an entry's bytes are, its checksum verified; `None` when there is no such entry.
    pub(crate) fn entry(&self, name: &str) -> Option<Result<Range<usize>, String>> {
        let entry = self.entries.get(name)?;
        Some(self.verified(name, entry))
    }

    /// The content of an entry that may be compressed, if it has at most `limit` bytes.
    pub(crate) fn inflated(&self, name: &str, limit: usize) -> Option<Result<Vec<u8>, String>> {
        let entry = self.entries.get(name)?;
        Some(self.inflate(name, entry, limit))
    }

    fn inflate(&self, name: &str, entry: &Entry, limit: usize) -> Result<Vec<u8>, String> {
        if entry.length > limit as u64 {
            return Err(format!(
                "entry {name} has {} bytes, at most {limit} are accepted in a file of this size",
                entry.length
            ));
        }
        if entry.method != DEFLATED {
            return self
                .verified(name, entry)
                .map(|range| self.file[range].to_vec());
        }
        let mut content = Vec::new();
        // One byte more, so that an entry that is longer than it declares is noticed.
        DeflateDecoder::new(&self.file[entry.data.clone()])
            .take(entry.length + 1)
            .read_to_end(&mut content)
            .map_err(|e| format!("entry {name} cannot be unpacked ({e}); the file is damaged"))?;
        let found = crc32fast::hash(&content);
        if content.len() as u64 != entry.length || found != entry.checksum {
            return Err(format!(
                "entry {name} has {} bytes or more and the checksum {found:08x}, expected {} and {:08x}; the file is damaged",
                content.len(),
                entry.length,
                entry.checksum
            ));
        }
        Ok(content)
    }

    fn verified(&self, name: &str, entry: &Entry) -> Result<Range<usize>, String> {
        if entry.method != STORED {
            return Err(format!(
                "entry {name} is compressed (method {}); torch.save stores entries as they are, so write the file again with it",
                entry.method
            ));
        }
        let found = crc32fast::hash(&self.file[entry.data.clone()]);
        if found != entry.checksum {
            return Err(format!(
                "entry {name} has the checksum {found:08x}, expected {:08x}; the file is damaged",
                entry.checksum
            ));
        }
        Ok(entry.data.clone())
    }
}

/// Entries that share bytes would have a short file read, and its checksums computed, any number of times.
fn refuse_overlaps(entries: &HashMap<&str, Entry>) -> Result<(), Fault> {
    let mut spans: Vec<(usize, usize, &str)> = entries
        .iter()
        .map(|(name, entry)| (entry.data.start, entry.data.end, *name))
        .filter(|(start, end, _)| start < end)
        .collect();
    spans.sort_unstable();
    for pair in spans.windows(2) {
        let [(_, end, first), (start, _, second)] = pair else {
            continue;
        };
        if start < end {
            return Err(malformed!(
                "the entries {first} and {second} of the archive overlap at byte {start}; the file is damaged or hostile"
            ));
        }
    }
    Ok(())
}

fn at(file: &[u8], offset: u64) -> Result<Cursor<'_>, Fault> {
    match usize::try_from(offset) {
        Ok(start) if start <= file.len() => Ok(Cursor::new(file, start, file.len())),
        _ => Err(malformed!(
            "the archive refers to byte {offset} of a file of {} bytes; the file is truncated or damaged",
            file.len()
        )),
    }
}

fn signature(cursor: &mut Cursor<'_>, expected: [u8; 4], what: &str) -> Result<(), Fault> {
    let position = cursor.position();
    let found: [u8; 4] = cursor.array()?;
    if found != expected {
        return Err(malformed!(
            "byte {position} is {found:02x?}, expected the {what} of a zip archive"
        ));
    }
    Ok(())
}

/// Number of entries, and offset of the directory.
fn locate(file: &[u8]) -> Result<(u64, u64), Fault> {
    let searched = file
        .len()
        .saturating_sub(END_OF_DIRECTORY_BYTES + LONGEST_COMMENT);
    let end = file[searched..]
        .windows(END_OF_DIRECTORY_BYTES)
        .rposition(|window| window.starts_with(&END_OF_DIRECTORY))
        .ok_or_else(|| {
            malformed!(
                "the archive's directory, which ends the file, is missing; the file is truncated"
            )
        })?
        + searched;
    let mut cursor = Cursor::new(file, end, file.len());
    signature(&mut cursor, END_OF_DIRECTORY, "end of directory")?;
    let _disks: u32 = cursor.u32()?;
    let _count_on_disk = cursor.u16()?;
    let count = cursor.u16()?;
    let _size = cursor.u32()?;
    let start = cursor.u32()?;
    if count != u16::MAX && start != u32::MAX {
        return Ok((u64::from(count), u64::from(start)));
    }
    let locator = end.checked_sub(LARGE_LOCATOR_BYTES).ok_or_else(|| {
        malformed!("the archive has no locator of its large directory; the file is damaged")
    })?;
    let mut cursor = Cursor::new(file, locator, end);
    signature(&mut cursor, LARGE_LOCATOR, "locator of the large directory")?;
    let _disk = cursor.u32()?;
    let mut cursor = at(file, cursor.u64()?)?;
    signature(
        &mut cursor,
        LARGE_END_OF_DIRECTORY,
        "end of the large directory",
    )?;
    let _record_size = cursor.u64()?;
    let _versions = cursor.u32()?;
    let _disks = cursor.u64()?;
    let _count_on_disk = cursor.u64()?;
    let count = cursor.u64()?;
    let _size = cursor.u64()?;
    Ok((count, cursor.u64()?))
}

fn directory_entry<'a>(cursor: &mut Cursor<'a>) -> Result<(&'a str, Entry), Fault> {
    signature(cursor, DIRECTORY_ENTRY, "directory entry")?;
    let _versions = cursor.u32()?;
    let flags = cursor.u16()?;
    let method = cursor.u16()?;
    let _modified = cursor.u32()?;
    let checksum = cursor.u32()?;
    let compressed = cursor.u32()?;
    let uncompressed = cursor.u32()?;
    let name_bytes = cursor.u16()?;
    let extra_bytes = cursor.u16()?;
    let comment_bytes = cursor.u16()?;
    let _disk_and_internal = cursor.u32()?;
    let _external = cursor.u32()?;
    let offset = cursor.u32()?;
    let name = cursor.text(u64::from(name_bytes))?;
    let extra_start = cursor.position();
    cursor.take(u64::from(extra_bytes))?;
    let extra = Cursor::new(cursor.file(), extra_start, cursor.position());
    cursor.take(u64::from(comment_bytes))?;

    if flags & ENCRYPTED != 0 {
        return Err(malformed!("entry {name} is encrypted"));
    }
    let sizes = LargeSizes::read(extra, [uncompressed, compressed, offset])?;
    let [uncompressed, compressed, offset] = sizes.0;
    if method == STORED && compressed != uncompressed {
        return Err(malformed!(
            "entry {name} is stored as it is but declares {compressed} bytes in the file and {uncompressed} outside"
        ));
    }
    let mut local = at(cursor.file(), offset)?;
    signature(&mut local, LOCAL_HEADER, "local header")?;
    // Version, flags, method, time, date, checksum and sizes: as in the directory, or zero.
    local.take(22)?;
    let name_bytes = local.u16()?;
    let extra_bytes = local.u16()?;
    local.take(u64::from(name_bytes) + u64::from(extra_bytes))?;
    let start = local.position();
    local.take(compressed).map_err(|_| {
        malformed!(
            "entry {name} declares {compressed} bytes at byte {start} of a file of {} bytes; the file is truncated or damaged",
            cursor.file().len()
        )
    })?;
    Ok((
        name,
        Entry {
            method,
            checksum,
            length: uncompressed,
            data: start..local.position(),
        },
    ))
}

/// Uncompressed size, compressed size and offset; those that do not fit 32 bits are in an extra field, in this order.
struct LargeSizes([u64; 3]);

impl LargeSizes {
    fn read(mut extra: Cursor<'_>, small: [u32; 3]) -> Result<Self, Fault> {
        let mut sizes = small.map(u64::from);
        if !small.contains(&u32::MAX) {
            return Ok(Self(sizes));
        }
        while extra.remaining() > 0 {
            let id = extra.u16()?;
            let length = extra.u16()?;
            if id != LARGE_SIZES {
                extra.take(u64::from(length))?;
                continue;
            }
            for (size, small) in sizes.iter_mut().zip(small) {
                if small == u32::MAX {
                    *size = extra.u64()?;
                }
            }
            break;
        }
        Ok(Self(sizes))
    }
}
