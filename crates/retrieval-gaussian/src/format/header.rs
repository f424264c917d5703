use std::path::Path;

use feature_stats::Ridge;

use crate::RetrievalError;
use crate::settings::{IndexPrecision, IndexSettings};

const MAGIC: [u8; 8] = *b"GAUSSIDX";

const VERSION: u32 = 1;

const FLAG_L2_NORMALIZE: u32 = 1;
const FLAG_PROJECTION: u32 = 2;

/// Where the checksum of the bytes before it lies.
const CHECKSUM: usize = Header::SIZE - 4;

/// The first 64 bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Header {
    pub(crate) dimension: u32,
    pub(crate) input_dimension: u32,
    pub(crate) precision: IndexPrecision,
    pub(crate) l2_normalize: bool,
    pub(crate) has_projection: bool,
    pub(crate) ridge: Ridge,
    /// Bytes of the header and all finished segments.
    pub(crate) committed: u64,
    pub(crate) segments: u64,
}

impl Header {
    /// Bytes of a header.
    pub(crate) const SIZE: usize = 64;

    /// Of an index without segments.
    pub(crate) fn new(settings: &IndexSettings) -> Self {
        Self {
            dimension: settings.dimension() as u32,
            input_dimension: settings.input_dimension as u32,
            precision: settings.precision,
            l2_normalize: settings.l2_normalize,
            has_projection: settings.projection.is_some(),
            ridge: settings.ridge,
            committed: Self::SIZE as u64,
            segments: 0,
        }
    }

    /// Counts a finished segment.
    pub(crate) fn add_segment(&mut self, bytes: u64) {
        self.committed += bytes;
        self.segments += 1;
    }

    /// Committed bytes behind the header, of a file of `found` bytes.
    pub(crate) fn segment_bytes(&self, path: &Path, found: u64) -> Result<usize, RetrievalError> {
        let segments = self.committed.checked_sub(Self::SIZE as u64);
        let segments = segments.filter(|_| self.committed <= found);
        segments
            .and_then(|length| usize::try_from(length).ok())
            .ok_or_else(|| RetrievalError::Truncated {
                path: path.to_owned(),
                found,
                expected: self.committed,
            })
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::SIZE] {
        let precision = match self.precision {
            IndexPrecision::F32 => 0u32,
            IndexPrecision::F16 => 1,
        };
        let flags = u32::from(self.l2_normalize) * FLAG_L2_NORMALIZE
            + u32::from(self.has_projection) * FLAG_PROJECTION;
        let mut bytes = MAGIC.to_vec();
        for word in [
            VERSION,
            self.dimension,
            precision,
            flags,
            self.input_dimension,
            0,
        ] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(self.ridge.value().to_le_bytes());
        bytes.extend(self.committed.to_le_bytes());
        bytes.extend(self.segments.to_le_bytes());
        bytes.resize(CHECKSUM, 0);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes.try_into().expect("the fields fill 64 bytes")
    }

    pub(crate) fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, RetrievalError> {
        let path = path.to_owned();
        let not_an_index = |reason| RetrievalError::NotAnIndex {
            path: path.clone(),
            reason,
        };
        let Some(header) = bytes.first_chunk::<{ Self::SIZE }>() else {
            return Err(not_an_index(format!(
                "it has {} bytes, an index at least {}",
                bytes.len(),
                Self::SIZE
            )));
        };
        if header[..MAGIC.len()] != MAGIC {
            return Err(not_an_index(format!(
                "it starts with {:?}",
                header[..MAGIC.len()].escape_ascii().to_string()
            )));
        }
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| header[at + i]));
        let long = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| header[at + i]));
        if word(8) != VERSION {
            return Err(RetrievalError::UnsupportedVersion {
                path,
                found: word(8),
                expected: VERSION,
            });
        }
        if word(CHECKSUM) != crc32fast::hash(&header[..CHECKSUM]) {
            return Err(RetrievalError::Checksum {
                path,
                what: "the header",
                position: 0,
            });
        }
        let malformed = |reason| RetrievalError::Malformed {
            path: path.clone(),
            position: 0,
            reason,
        };
        let precision = match word(16) {
            0 => IndexPrecision::F32,
            1 => IndexPrecision::F16,
            other => return Err(malformed(format!("precision {other}, expected 0 or 1"))),
        };
        let flags = word(20);
        if flags & !(FLAG_L2_NORMALIZE | FLAG_PROJECTION) != 0 {
            return Err(malformed(format!(
                "flags {flags:#x}, of which only {FLAG_L2_NORMALIZE} and {FLAG_PROJECTION} are known"
            )));
        }
        Ok(Self {
            dimension: word(12),
            input_dimension: word(24),
            precision,
            l2_normalize: flags & FLAG_L2_NORMALIZE != 0,
            has_projection: flags & FLAG_PROJECTION != 0,
            ridge: Ridge::new(f64::from_bits(long(32))).map_err(|e| malformed(e.to_string()))?,
            committed: long(40),
            segments: long(48),
        })
    }
}
