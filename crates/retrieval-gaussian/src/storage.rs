use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use memmap2::{Mmap, MmapOptions};
use whole_file::memory;

use crate::RetrievalError;
use crate::format::{self, Header};

/// The committed bytes of an index: its header, and its segments where they are mapped or in memory of their own.
/// Clones share the segments.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    header: Header,
    segments: Arc<Segments>,
}

#[derive(Debug)]
enum Segments {
    Mapped(Mmap),
    /// They begin at a position of the bytes where they are aligned as in a file.
    Held(Vec<u8>, usize),
}

impl Storage {
    /// Maps the segments of a file; their pages are read when they are used and can be given back by the system.
    pub(crate) fn map(path: &Path) -> Result<Self, RetrievalError> {
        let refused = |source| io(path, source);
        if memory::has(path) {
            let bytes = whole_file::read(path, u64::MAX).map_err(refused)?;
            return Self::from_bytes(path, &bytes);
        }
        let mut file = whole_file::open_regular(path).map_err(refused)?;
        let metadata = file.metadata().map_err(refused)?;
        let mut start = Vec::with_capacity(Header::SIZE);
        let mut first = Read::by_ref(&mut file).take(Header::SIZE as u64);
        first.read_to_end(&mut start).map_err(refused)?;
        let header = Header::from_bytes(path, &start)?;
        let length = header.segment_bytes(path, metadata.len())?;
        let committed = (Header::SIZE + length) as u64;
        file.seek(SeekFrom::Start(committed)).map_err(refused)?;
        format::check_uncommitted(path, committed, &file, metadata.len() - committed)?;
        let mut options = MmapOptions::new();
        options.offset(Header::SIZE as u64).len(length);
        // SAFETY: what is mapped is never written again by this crate. An `IndexFile` changes a file in place, but only
        // its header, which is read and not mapped, and what lies behind the committed bytes; else a file is replaced
        // by another. That no other program changes or cuts off committed bytes while the file is mapped is a
        // requirement of `Index::open`, as it is of every mapped file.
        let segments = unsafe { options.map(&file) }.map_err(refused)?;
        Ok(Self {
            header,
            segments: Arc::new(Segments::Mapped(segments)),
        })
    }

    /// A copy, for the alignment that a vector of bytes does not promise.
    pub(crate) fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, RetrievalError> {
        let header = Header::from_bytes(path, bytes)?;
        let length = header.segment_bytes(path, bytes.len() as u64)?;
        let rest = &bytes[Header::SIZE + length..];
        format::check_uncommitted(
            path,
            (Header::SIZE + length) as u64,
            rest,
            rest.len() as u64,
        )?;
        let mut held = vec![0; length + format::ALIGNMENT];
        let start = held.as_ptr().align_offset(format::ALIGNMENT);
        held[start..][..length].copy_from_slice(&bytes[Header::SIZE..][..length]);
        held.truncate(start + length);
        Ok(Self {
            header,
            segments: Arc::new(Segments::Held(held, start)),
        })
    }

    pub(crate) fn header(&self) -> Header {
        self.header
    }

    /// All committed segments, one after the other, aligned as in the file.
    pub(crate) fn segments(&self) -> &[u8] {
        match &*self.segments {
            Segments::Mapped(map) => map,
            Segments::Held(bytes, start) => &bytes[*start..],
        }
    }
}

pub(crate) fn io(path: &Path, source: std::io::Error) -> RetrievalError {
    RetrievalError::Io {
        path: path.to_owned(),
        source,
    }
}
