/// Bytes before each payload.
pub(super) const SIZE: usize = 64;

/// Where the checksum of the bytes before it lies.
const CHECKSUM: usize = SIZE - 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Projection,
    Models,
    Removal,
}

/// The 64 bytes before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) kind: Kind,
    /// Components, models or removed models.
    pub(super) count: u32,
    /// Bytes of the names of models.
    pub(super) name_bytes: u64,
    /// Samples of all models.
    pub(super) samples: u64,
    /// Bytes of the payload, a multiple of 64.
    pub(super) payload: u64,
    /// Checksum of everything but factors and samples.
    pub(super) table_checksum: u32,
    /// Checksum of factors and samples.
    pub(super) bulk_checksum: u32,
}

impl SegmentHeader {
    pub(super) fn to_bytes(self) -> [u8; SIZE] {
        let kind = match self.kind {
            Kind::Projection => 1u32,
            Kind::Models => 2,
            Kind::Removal => 3,
        };
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(self.name_bytes.to_le_bytes());
        bytes.extend(self.samples.to_le_bytes());
        bytes.extend(self.payload.to_le_bytes());
        bytes.extend(self.table_checksum.to_le_bytes());
        bytes.extend(self.bulk_checksum.to_le_bytes());
        bytes.resize(CHECKSUM, 0);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes.try_into().expect("the fields fill 64 bytes")
    }

    /// `None` when the checksum is wrong, the number of an unknown kind where it is right.
    pub(super) fn from_bytes(bytes: &[u8; SIZE]) -> Option<Result<Self, u32>> {
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let long = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        if word(CHECKSUM) != crc32fast::hash(&bytes[..CHECKSUM]) {
            return None;
        }
        let kind = match word(0) {
            1 => Kind::Projection,
            2 => Kind::Models,
            3 => Kind::Removal,
            other => return Some(Err(other)),
        };
        Some(Ok(Self {
            kind,
            count: word(4),
            name_bytes: long(8),
            samples: long(16),
            payload: long(24),
            table_checksum: word(32),
            bulk_checksum: word(36),
        }))
    }
}
