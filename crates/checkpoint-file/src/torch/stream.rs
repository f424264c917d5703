//! The format of `torch.save` before PyTorch 1.6, still used inside pickles: five pickles in a row
//! (magic number, protocol, system, object, storage keys), then each storage as its length and its elements.

use std::ops::Range;
use std::sync::Arc;

use crate::cursor::Cursor;
use crate::fault::{Fault, malformed};
use crate::limits;
use crate::pickle::{self, Content, Heap, NamedStorages, Object, Storage, Value};

/// First number of every such stream (`MAGIC_NUMBER` in `torch/serialization.py`).
const MAGIC_NUMBER: i128 = 0x1950_A86A_20F9_469C_FC6C;

/// The only version of the format (`PROTOCOL_VERSION` in `torch/serialization.py`).
const PROTOCOL_VERSION: i64 = 1001;

/// The instruction that puts the magic number on the stack: a ten-byte integer.
const MAGIC_INSTRUCTION: [u8; 12] = [
    0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19,
];

/// PROTO takes 2 bytes and FRAME, from protocol 4 on, 9.
const BEFORE_MAGIC: [usize; 2] = [2, 11];

/// Whether a file starts like such a stream.
pub(crate) fn is_start_of(bytes: &[u8]) -> bool {
    BEFORE_MAGIC.iter().any(|start| {
        bytes
            .get(*start..)
            .is_some_and(|rest| rest.starts_with(&MAGIC_INSTRUCTION))
    })
}

/// Reads a whole file and returns the object in it.
pub(crate) fn read<'a>(file: &'a [u8], heap: &mut Heap<'a>) -> Result<Value, Fault> {
    read_range(file, 0..file.len(), heap, 0)
}

/// Reads a stream that lies in a byte string of a pickle; it holds one storage.
pub(crate) fn read_nested<'a>(
    file: &'a [u8],
    range: Range<usize>,
    heap: &mut Heap<'a>,
    nesting: usize,
) -> Result<Value, Fault> {
    if nesting > limits::NESTED_STREAMS {
        return Err(Fault::Limit {
            what: "torch.save streams inside each other",
            found: nesting as u64,
            limit: limits::NESTED_STREAMS as u64,
        });
    }
    let start = range.start;
    let root = read_range(file, range, heap, nesting)?;
    match heap.get(root) {
        Some(Object::Storage(_)) => Ok(root),
        _ => Err(malformed!(
            "the torch.save stream at byte {start} holds {}, expected a storage",
            heap.describe(root)
        )),
    }
}

/// Reads a stream in a byte string that was decoded from text, and returns its storage; instructions count for the
/// file's `heap`.
pub(crate) fn read_decoded(
    bytes: &Arc<Vec<u8>>,
    heap: &mut Heap<'_>,
    nesting: usize,
) -> Result<Storage, Fault> {
    // Its texts live in these bytes, so that it needs a heap of its own.
    let mut inner = Heap::new(bytes.len());
    inner.spend(heap.instructions())?;
    let before = inner.instructions();
    let root = read_nested(bytes, 0..bytes.len(), &mut inner, nesting)?;
    heap.spend(inner.instructions() - before)?;
    let Some(Object::Storage(id)) = inner.get(root) else {
        return Err(malformed!(
            "it holds {}, expected a storage",
            inner.describe(root)
        ));
    };
    let mut storage = inner.storage(*id).clone();
    if let Content::InFile(range) = storage.content {
        storage.content = Content::Decoded(Arc::clone(bytes), range);
    }
    Ok(storage)
}

fn read_range<'a>(
    file: &'a [u8],
    range: Range<usize>,
    heap: &mut Heap<'a>,
    nesting: usize,
) -> Result<Value, Fault> {
    let start = range.start;
    let cursor = &mut Cursor::new(file, range.start, range.end);
    let magic = pickle::run(cursor, heap, nesting)?;
    match heap.get(magic) {
        Some(Object::BigInt(MAGIC_NUMBER)) => {}
        _ => {
            return Err(malformed!(
                "the torch.save stream at byte {start} starts with {}, expected its magic number {MAGIC_NUMBER}",
                heap.describe(magic)
            ));
        }
    }
    let protocol = pickle::run(cursor, heap, nesting)?;
    if protocol != Value::Int(PROTOCOL_VERSION) {
        return Err(malformed!(
            "the torch.save stream at byte {start} has protocol {}, expected {PROTOCOL_VERSION}",
            heap.describe(protocol)
        ));
    }
    let system = pickle::run(cursor, heap, nesting)?;
    let little_endian = heap
        .dict(system)
        .and_then(|items| heap.lookup(items, "little_endian"));
    let big_endian = match little_endian {
        Some(Value::Bool(little)) => !little,
        _ => {
            return Err(malformed!(
                "the torch.save stream at byte {start} does not say its byte order"
            ));
        }
    };
    let (root, named) = pickle::run_with_storages(cursor, heap, nesting)?;
    read_storages(cursor, heap, nesting, &named, big_endian)?;
    if cursor.remaining() > 0 {
        return Err(malformed!(
            "{} bytes follow the last storage, which ends at byte {}; the file is damaged or not one torch.save stream",
            cursor.remaining(),
            cursor.position()
        ));
    }
    Ok(root)
}

fn read_storages<'a>(
    cursor: &mut Cursor<'a>,
    heap: &mut Heap<'a>,
    nesting: usize,
    named: &NamedStorages,
    big_endian: bool,
) -> Result<(), Fault> {
    let keys = pickle::run(cursor, heap, nesting)?;
    let keys: Vec<Value> = match heap.get(keys) {
        Some(Object::List(keys)) => keys.clone(),
        _ => {
            return Err(malformed!(
                "the storage keys are {}, expected a list",
                heap.describe(keys)
            ));
        }
    };
    for key in keys {
        let id = heap.text(key).and_then(|key| named.get(key));
        let Some(id) = id else {
            return Err(malformed!(
                "the stream holds the storage {} that no tensor refers to",
                heap.text(key).unwrap_or("without a name")
            ));
        };
        let position = cursor.position();
        let elements = cursor.u64()?;
        let storage = heap.storage_mut(id);
        if elements != storage.elements {
            return Err(malformed!(
                "the storage at byte {position} has {elements} elements, expected {}",
                storage.elements
            ));
        }
        let bytes = elements.saturating_mul(storage.dtype.size() as u64);
        let start = cursor.position();
        cursor.take(bytes)?;
        storage.big_endian = big_endian;
        storage.content = Content::InFile(start..cursor.position());
    }
    Ok(())
}
