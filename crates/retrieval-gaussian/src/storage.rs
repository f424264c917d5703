use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use memmap2::{Mmap, MmapMut};

use crate::RetrievalError;

/// The bytes of an index, page-aligned: a mapped file or memory of its own. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Storage(Arc<Mmap>);

impl Storage {
    /// Maps a file; its pages are read when they are used and can be given back by the system.
    pub(crate) fn map(path: &Path) -> Result<Self, RetrievalError> {
        let refused = |source| io(path, source);
        let file = File::open(path).map_err(refused)?;
        // A folder can be opened but not mapped, with a reason that says little.
        if !file.metadata().map_err(refused)?.is_file() {
            return Err(RetrievalError::NotAnIndex {
                path: path.to_owned(),
                reason: "it is not a file".to_owned(),
            });
        }
        // SAFETY: this crate never changes or cuts off bytes that a header has committed: it appends, or replaces the file by another. That no other
        // program does so while the file is mapped is a requirement of `Index::open`, as it is for every mapped file.
        let map = unsafe { Mmap::map(&file) }.map_err(refused)?;
        Ok(Self(Arc::new(map)))
    }

    /// A copy, for the alignment that a vector of bytes does not promise.
    pub(crate) fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, RetrievalError> {
        let copy = MmapMut::map_anon(bytes.len()).and_then(|mut map| {
            map.copy_from_slice(bytes);
            map.make_read_only()
        });
        Ok(Self(Arc::new(copy.map_err(|source| io(path, source))?)))
    }
}

impl Deref for Storage {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

pub(crate) fn io(path: &Path, source: std::io::Error) -> RetrievalError {
    RetrievalError::Io {
        path: path.to_owned(),
        source,
    }
}
