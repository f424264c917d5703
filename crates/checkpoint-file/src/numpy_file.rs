//! The files of `numpy.save` and `numpy.savez`. Source: numpy's `lib/format.py`, versions 1 to 3 of the format.

use std::ops::Range;
use std::sync::Arc;

use crate::cursor::Cursor;
use crate::fault::{Fault, malformed};
use crate::flatten::{Flattened, ONLY_TENSOR, tensor_of_view};
use crate::limits;
use crate::pickle::{Content, Storage, dense_strides};
use crate::zip::Directory;
use crate::{StoredDType, StoredTensor};

/// How every file of `numpy.save` starts.
pub(crate) const MAGIC: [u8; 6] = *b"\x93NUMPY";

/// The ending of arrays in an archive.
const ENDING: &str = ".npy";

/// Bytes of a header; that of an array of numbers takes about 100.
const HEADER_BYTES: u64 = 1 << 16;

/// What a header declares.
#[derive(Debug, PartialEq)]
struct Header<'t> {
    descr: &'t str,
    fortran_order: bool,
    shape: Vec<i64>,
}

/// The one array of a file.
pub(crate) fn read_array(file: &Arc<Vec<u8>>) -> Result<Flattened, Fault> {
    let mut read = Flattened::default();
    insert(&mut read, ONLY_TENSOR, array(file, 0..file.len(), false)?);
    Ok(read)
}

/// The arrays of an archive by their names without the ending; entries that are no arrays are left out.
pub(crate) fn read_archive(file: &Arc<Vec<u8>>) -> Result<Flattened, Fault> {
    let directory = Directory::read(file)?;
    let mut read = Flattened::default();
    let mut names: Vec<&str> = directory.names().collect();
    names.sort_unstable();
    let mut inflated_left = limits::inflated_bytes(file.len());
    for name in names {
        let Some(short) = name.strip_suffix(ENDING) else {
            continue;
        };
        if short.len() >= limits::NAME_BYTES {
            return Err(Fault::Limit {
                what: "bytes of an array's name",
                found: short.len() as u64,
                limit: limits::NAME_BYTES as u64,
            });
        }
        let found = match directory.entry(name) {
            Some(Ok(range)) => array(file, range, false),
            // Compressed, or damaged, which unpacking finds out.
            _ => match directory.inflated(name, inflated_left) {
                Some(Ok(content)) => {
                    inflated_left = inflated_left.saturating_sub(content.len());
                    let length = content.len();
                    array(&Arc::new(content), 0..length, true)
                }
                Some(Err(reason)) => Err(Fault::Malformed(reason)),
                None => Err(malformed!("the archive has no entry {name}")),
            },
        };
        insert(&mut read, short, found?);
    }
    Ok(read)
}

/// An array, or the name of an element type that is not read.
type Array = Result<StoredTensor, String>;

fn insert(read: &mut Flattened, name: &str, array: Array) {
    match array {
        Ok(tensor) => {
            read.tensors.insert(name.to_owned(), tensor);
        }
        Err(element_type) => {
            read.opaque.insert(name.to_owned(), element_type);
        }
    }
}

fn array(owner: &Arc<Vec<u8>>, range: Range<usize>, is_copy: bool) -> Result<Array, Fault> {
    let mut cursor = Cursor::new(owner, range.start, range.end);
    let magic: [u8; 6] = cursor.array()?;
    if magic != MAGIC {
        return Err(malformed!("an entry of the archive is no array of numpy"));
    }
    let major = cursor.u8()?;
    let _minor = cursor.u8()?;
    let length = match major {
        1 => u64::from(cursor.u16()?),
        2 | 3 => u64::from(cursor.u32()?),
        _ => {
            return Err(malformed!(
                "version {major} of the numpy format, known are 1 to 3"
            ));
        }
    };
    if length > HEADER_BYTES {
        return Err(Fault::Limit {
            what: "bytes of an array's header",
            found: length,
            limit: HEADER_BYTES,
        });
    }
    let header = Header::parse(cursor.text(length)?)?;
    let Some((dtype, big_endian)) = StoredDType::from_numpy_code(header.descr) else {
        let name = header.descr.chars().take(limits::ELEMENT_TYPE_CHARACTERS);
        return Ok(Err(name.collect()));
    };
    let bytes = cursor.remaining();
    let elements = header.shape.iter().try_fold(1u64, |n, extent| {
        n.checked_mul(u64::try_from(*extent).ok()?)
    });
    let expected = elements.and_then(|n| n.checked_mul(dtype.size() as u64));
    if expected != Some(bytes as u64) {
        return Err(malformed!(
            "an array of {dtype:?} of shape {:?} has {bytes} bytes; the file is truncated or damaged",
            header.shape
        ));
    }
    let data = cursor.position()..range.end;
    let storage = Storage {
        dtype,
        elements: elements.unwrap_or(0),
        big_endian,
        content: if is_copy {
            Content::Decoded(Arc::clone(owner), data)
        } else {
            Content::InFile(data)
        },
    };
    let strides = dense_strides(&header.shape, header.fortran_order);
    tensor_of_view(&storage, &header.shape, &strides, owner)
        .map(Ok)
        .map_err(Fault::Malformed)
}

impl<'t> Header<'t> {
    /// Reads the literal of a Python dict with the keys `descr`, `fortran_order` and `shape`.
    fn parse(text: &'t str) -> Result<Self, Fault> {
        let value = |key: &str| {
            let quoted = [format!("'{key}'"), format!("\"{key}\"")];
            quoted
                .iter()
                .find_map(|quoted| text.split_once(quoted.as_str()))
                .and_then(|(_, rest)| rest.trim_start().strip_prefix(':'))
                .map(str::trim_start)
                .ok_or_else(|| malformed!("the header of an array has no {key}"))
        };
        let descr = value("descr")?;
        let descr = match descr.chars().next() {
            Some(quote @ ('\'' | '"')) => descr[1..].split(quote).next().unwrap_or_default(),
            // A list of the fields of a record.
            _ => "a record",
        };
        let fortran_order = value("fortran_order")?.starts_with("True");
        let shape = value("shape")?
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(')'))
            .ok_or_else(|| malformed!("the shape of an array is no tuple"))?
            .0;
        let shape: Vec<i64> = shape
            .split(',')
            .map(|extent| extent.trim().trim_end_matches('L'))
            .filter(|extent| !extent.is_empty())
            .take(limits::DIMENSIONS + 1)
            .map(|extent| {
                let number = extent.parse().ok().filter(|n: &i64| *n >= 0);
                number.ok_or_else(|| {
                    malformed!("an extent of an array is {extent}, expected a number")
                })
            })
            .collect::<Result<_, _>>()?;
        if shape.len() > limits::DIMENSIONS {
            return Err(malformed!(
                "an array has more than {} dimensions",
                limits::DIMENSIONS
            ));
        }
        Ok(Self {
            descr,
            fortran_order,
            shape,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_numpy_are_understood() {
        for (text, descr, fortran_order, shape) in [
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 8, 48), }   \n",
                "<f4",
                false,
                &[1, 8, 48][..],
            ),
            (
                "{'descr': '|u1', 'fortran_order': True, 'shape': (3,), }\n",
                "|u1",
                true,
                &[3],
            ),
            (
                "{\"shape\": (), \"descr\": \">f8\", \"fortran_order\": False}",
                ">f8",
                false,
                &[],
            ),
            (
                "{'descr':'<f4','fortran_order':False,'shape':(10L,512L)}",
                "<f4",
                false,
                &[10, 512],
            ),
            (
                "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2,)}",
                "a record",
                false,
                &[2],
            ),
        ] {
            let header = Header::parse(text).expect("well-formed");
            let expected = Header {
                descr,
                fortran_order,
                shape: shape.to_vec(),
            };
            assert_eq!(header, expected);
        }
        for text in [
            "",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1, -1)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1, x)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': 3}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)}",
        ] {
            assert!(Header::parse(text).is_err(), "{text}");
        }
    }
}
