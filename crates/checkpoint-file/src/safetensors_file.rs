//! Reading safetensors. Source: the format's description in its repository's README.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Error, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use whole_file::{CONTENT_SHA256, content_sha256};

use crate::cursor::Cursor;
use crate::fault::{Fault, malformed};
use crate::flatten::Flattened;
use crate::limits;
use crate::stored_tensor::byte_count;
use crate::{CheckpointError, Format, StoredDType, StoredTensor};

/// Reserved name in the header.
pub(crate) const METADATA: &str = "__metadata__";

/// The metadata of a safetensors file, of which nothing else is read: for programs that choose among many large files.
///
/// The content's hash is not checked; [`Checkpoint::open`](crate::Checkpoint::open) does that.
///
/// # Errors
/// When the file cannot be read, or does not begin with a safetensors header.
pub fn safetensors_metadata(
    path: impl AsRef<Path>,
) -> Result<BTreeMap<String, String>, CheckpointError> {
    let path = path.as_ref();
    let unreadable = |source| CheckpointError::Io {
        path: path.to_owned(),
        source,
    };
    let file = whole_file::open(path).map_err(unreadable)?;
    let available = file.length().map_err(unreadable)?;
    read_metadata(file, available)
        .map_err(unreadable)?
        .map_err(|fault| fault.at(path, Format::Safetensors.name()))
}

fn read_metadata(
    mut file: impl Read,
    available: u64,
) -> Result<Result<BTreeMap<String, String>, Fault>, Error> {
    const LENGTH_BYTES: usize = size_of::<u64>();
    let mut length = [0; LENGTH_BYTES];
    match file.read_exact(&mut length) {
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
            return Ok(Err(malformed!(
                "it ends within its first {LENGTH_BYTES} bytes"
            )));
        }
        read => read?,
    }
    let length = u64::from_le_bytes(length);
    if length > limits::SAFETENSORS_HEADER_BYTES || length > available {
        return Ok(Err(Fault::Limit {
            what: "bytes of the safetensors header",
            found: length,
            limit: limits::SAFETENSORS_HEADER_BYTES.min(available),
        }));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header)?;
    let header: Result<Header, _> = serde_json::from_slice(&header);
    Ok(match header {
        Ok(Header { mut metadata, .. }) => {
            metadata.remove(CONTENT_SHA256);
            Ok(metadata)
        }
        Err(e) => Err(malformed!("the header is not understood: {e}")),
    })
}

/// Tensors and metadata of a whole file; the tensors share its bytes.
pub(crate) fn read(file: &Arc<Vec<u8>>) -> Result<Flattened, Fault> {
    let mut cursor = Cursor::new(file, 0, file.len());
    let length = cursor.u64()?;
    if length > limits::SAFETENSORS_HEADER_BYTES {
        return Err(Fault::Limit {
            what: "bytes of the safetensors header",
            found: length,
            limit: limits::SAFETENSORS_HEADER_BYTES,
        });
    }
    let header: Header = serde_json::from_slice(cursor.take(length)?)
        .map_err(|e| malformed!("the header is not understood: {e}"))?;
    let start = cursor.position();
    let available = cursor.remaining();

    let mut spans: Vec<(usize, usize, &str)> = Vec::new();
    let mut tensors = BTreeMap::new();
    let mut opaque = BTreeMap::new();
    for (name, entry) in &header.tensors {
        let invalid = |reason: String| Fault::InvalidTensor {
            tensor: name.clone(),
            reason,
        };
        let [begin, end] = entry.data_offsets;
        if begin > end || end > available {
            return Err(invalid(format!(
                "it takes bytes {begin} to {end} of the data, which has {available}; the file is truncated or damaged"
            )));
        }
        spans.push((begin, end, name));
        let Some(dtype) = StoredDType::from_safetensors_name(&entry.dtype) else {
            opaque.insert(name.clone(), entry.dtype.clone());
            continue;
        };
        let expected = byte_count(dtype, &entry.shape);
        if expected != Some(end - begin) {
            return Err(invalid(format!(
                "it has {} bytes, expected {} for {dtype:?} of shape {:?}",
                end - begin,
                expected.map_or("more than can be addressed".to_owned(), |n| n.to_string()),
                entry.shape
            )));
        }
        let range = start + begin..start + end;
        let tensor = StoredTensor::shared(dtype, entry.shape.clone(), Arc::clone(file), range);
        tensors.insert(name.clone(), tensor);
    }
    check_coverage(spans, available)?;
    let mut metadata = header.metadata;
    if let Some(recorded) = metadata.remove(CONTENT_SHA256) {
        let found = content_sha256(
            &metadata,
            tensors.iter().map(|(name, t): (&String, &StoredTensor)| {
                (&**name, t.dtype().safetensors_name(), t.shape(), t.bytes())
            }),
        );
        // What is not read cannot be checked, and is never written with a hash.
        if found != recorded || !opaque.is_empty() {
            return Err(Fault::Digest { recorded, found });
        }
    }
    Ok(Flattened {
        tensors,
        opaque,
        metadata,
        ..Flattened::default()
    })
}

/// The format allows neither holes nor overlaps, so that no bytes can hide.
fn check_coverage(mut spans: Vec<(usize, usize, &str)>, available: usize) -> Result<(), Fault> {
    spans.sort_unstable();
    let mut covered = 0;
    for (begin, end, name) in spans {
        if begin != covered {
            return Err(Fault::InvalidTensor {
                tensor: name.to_owned(),
                reason: format!("it starts at byte {begin} of the data, expected {covered}"),
            });
        }
        covered = end;
    }
    if covered != available {
        return Err(malformed!(
            "{} bytes follow the last tensor",
            available - covered
        ));
    }
    Ok(())
}

#[derive(Default)]
struct Header {
    tensors: BTreeMap<String, Entry>,
    metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// As a map is usually read, but with doubled names an error: readers differ in which one they take.
impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeaderVisitor;
        impl<'de> Visitor<'de> for HeaderVisitor {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with dtype, shape and data_offsets for every tensor")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header::default();
                while let Some(name) = map.next_key::<String>()? {
                    if name == METADATA {
                        header.metadata = map.next_value()?;
                    } else if let Some(old) = header.tensors.insert(name, map.next_value()?) {
                        return Err(serde::de::Error::custom(format!(
                            "two tensors have one name, the first of shape {:?}",
                            old.shape
                        )));
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(HeaderVisitor)
    }
}
