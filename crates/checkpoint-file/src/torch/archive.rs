//! The format of `torch.save` since PyTorch 1.6: a zip archive with a pickle, `PREFIX/data.pkl`, and one entry per
//! storage, `PREFIX/data/KEY`.
//!
//! TorchScript archives (`torch.jit.save`) are the same with code beside it, which nobody looks at.

use crate::cursor::Cursor;
use crate::fault::{Fault, malformed};
use crate::limits;
use crate::pickle::{self, Content, Heap, Value};
use crate::zip::{Directory, LOCAL_HEADER};

const PICKLE: &str = "data.pkl";
const BYTE_ORDER: &str = "byteorder";

/// Endings of files that are checkpoints themselves.
const CHECKPOINTS: [&str; 6] = [".pkl", ".pt", ".pth", ".ckpt", ".bin", ".safetensors"];
/// Endings of what the official dataset tool packs.
const IMAGES: [&str; 4] = [".png", ".jpg", ".jpeg", ".webp"];

/// The constants of the code, which every TorchScript archive has beside its pickle and nothing else has.
const CONSTANTS: &str = "constants.pkl";

/// How every archive starts.
pub(crate) const PREFIX: [u8; 4] = LOCAL_HEADER;

/// Whether an archive is one of TorchScript.
pub(crate) fn has_code(file: &[u8]) -> bool {
    Directory::read(file).is_ok_and(|directory| {
        prefix(&directory)
            .is_ok_and(|prefix| directory.entry(&format!("{prefix}{CONSTANTS}")).is_some())
    })
}

/// Reads a whole file and returns the object in it.
pub(crate) fn read<'a>(file: &'a [u8], heap: &mut Heap<'a>) -> Result<Value, Fault> {
    let directory = Directory::read(file)?;
    let prefix = prefix(&directory)?;
    let required = |name: &str| match directory.entry(name) {
        Some(Ok(range)) => Ok(Some(range)),
        Some(Err(reason)) => Err(Fault::Malformed(reason)),
        None => Ok(None),
    };
    let big_endian = match required(&format!("{prefix}{BYTE_ORDER}"))? {
        // Files from before PyTorch 2.1 do not say, and little-endian machines wrote nearly all of them.
        None => false,
        Some(range) => match &file[range] {
            b"little" => false,
            b"big" => true,
            other => {
                return Err(malformed!(
                    "the byte order is {:?}, expected little or big",
                    String::from_utf8_lossy(&other[..other.len().min(16)])
                ));
            }
        },
    };
    let pickle = required(&format!("{prefix}{PICKLE}"))?
        .ok_or_else(|| malformed!("the archive has no {prefix}{PICKLE}"))?;
    let mut cursor = Cursor::new(file, pickle.start, pickle.end);
    let (root, named) = pickle::run_with_storages(&mut cursor, heap, 0)?;
    if cursor.remaining() > 0 {
        return Err(malformed!(
            "{} bytes follow the end of {prefix}{PICKLE}",
            cursor.remaining()
        ));
    }
    for (key, id) in named.iter() {
        let name = format!("{prefix}data/{key}");
        let storage = heap.storage_mut(id);
        storage.big_endian = big_endian;
        storage.content = match directory.entry(&name) {
            None => Content::Unavailable(format!("the archive has no entry {name}")),
            Some(Err(reason)) => Content::Unavailable(reason),
            Some(Ok(range)) => {
                let expected = storage.elements.saturating_mul(storage.dtype.size() as u64);
                if range.len() as u64 == expected {
                    Content::InFile(range)
                } else {
                    Content::Unavailable(format!(
                        "entry {name} has {} bytes, expected {expected} for {} {:?} elements",
                        range.len(),
                        storage.elements,
                        storage.dtype
                    ))
                }
            }
        };
    }
    Ok(root)
}

/// What stands before `data.pkl`: the name of the file when it was saved, or `archive/`.
fn prefix<'a>(directory: &Directory<'a>) -> Result<&'a str, Fault> {
    let mut candidates: Vec<&str> = directory
        .names()
        .filter_map(|name| name.strip_suffix(PICKLE))
        .filter(|prefix| prefix.is_empty() || prefix.ends_with('/'))
        .collect();
    candidates.sort_unstable();
    match candidates.as_slice() {
        [prefix] if prefix.len() > limits::NAME_BYTES => Err(Fault::Limit {
            what: "bytes of the archive's folder name",
            found: prefix.len() as u64,
            limit: limits::NAME_BYTES as u64,
        }),
        [prefix] => Ok(prefix),
        [] => {
            let mut names: Vec<&str> = directory.names().collect();
            names.sort_unstable();
            let has = |endings: &[&str]| {
                names.iter().copied().find(|name| {
                    let name = name.to_ascii_lowercase();
                    endings.iter().any(|ending| name.ends_with(ending))
                })
            };
            let instead = if let Some(inner) = has(&CHECKPOINTS) {
                format!("unpack it first: it holds {inner}")
            } else if let Some(image) = has(&IMAGES) {
                format!("it holds images, such as {image}, so it may be a dataset")
            } else {
                format!("its first entry is {}", names.first().unwrap_or(&"missing"))
            };
            Err(malformed!(
                "a zip archive without {PICKLE}, so not written by torch.save; {instead}"
            ))
        }
        [first, second, ..] => Err(malformed!(
            "a zip archive with both {first}{PICKLE} and {second}{PICKLE}, expected one"
        )),
    }
}
