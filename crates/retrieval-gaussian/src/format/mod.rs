//! The file of an index.
//!
//! All numbers are little-endian. A header of 64 bytes holds the settings and how many bytes are committed; segments
//! follow, each with a header of 64 bytes and a payload padded to a multiple of 64, so that every array can be used
//! where it is mapped:
//!
//! | segment | payload, each array padded to 64 bytes |
//! |---|---|
//! | projection | mean f32 `[D]`, components f32 `[d, D]`; at most one, the first |
//! | models | names (u16 length, UTF-8), log-normalizers f64 `[n]`, means f32 `[n, d]`, numbers of samples u32 `[n]`; then factors `[n, panels]` and samples `[sum, d]`, f32 or f16 |
//! | removal | positions u32 `[n]` of models in the order in which they were added |
//!
//! Segments are only ever appended. The header is written last: what follows the committed bytes is a segment that was
//! never finished and does not count, and a reader that has mapped the file is not disturbed. The means lie together,
//! apart from the factors, for searches that only need them.

mod header;
mod read;
mod segment;
mod write;

pub(crate) use header::Header;
pub use read::Verification;
pub(crate) use read::{Layout, ModelSegment, check_uncommitted, read, verify_bulk};
pub(crate) use write::{Record, write_index, write_models, write_removal};

#[cfg(target_endian = "big")]
compile_error!("an index is mapped as it lies in the file, which is little-endian");

/// Arrays start at multiples of this many bytes: a cache line.
pub(crate) const ALIGNMENT: usize = 64;

/// Longest name of a model in bytes.
pub(crate) const NAME_LIMIT: usize = 1024;

/// Whether a name can be kept: not empty, not long, and printable in a table.
pub(crate) fn is_valid_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_LIMIT && !name.chars().any(char::is_control)
}
