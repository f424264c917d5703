use std::path::PathBuf;

/// Why an image could not be read or written.
///
/// `name` is the file's path, or what the caller called the bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageTensorError {
    /// The file could not be opened or read.
    #[error("{name}: cannot be read ({source}); check that the path names a readable file")]
    Read {
        /// Which file.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file has no bytes.
    #[error("{name}: the file is empty (0 bytes); expected an image, so fetch or save it again")]
    Empty {
        /// Which file.
        name: String,
    },
    /// The file is longer than [`DecodeLimits::max_file_bytes`](crate::DecodeLimits::max_file_bytes).
    #[error(
        "{name}: the file has more than {limit} bytes, the limit for one image; scale it down or raise the limit"
    )]
    FileTooLarge {
        /// Which file.
        name: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The first bytes belong to no known image format.
    #[error(
        "{name}: not an image: it starts with {first_bytes}, which no known format does; \
         expected PNG, JPEG, GIF, WebP, BMP or TIFF"
    )]
    NotAnImage {
        /// Which file.
        name: String,
        /// Its first bytes in hexadecimal and as text.
        first_bytes: String,
    },
    /// An image format that is recognized but not decoded here.
    #[error(
        "{name}: is {format}, which is not supported; convert it to PNG, JPEG, GIF, WebP, BMP or TIFF"
    )]
    UnsupportedFormat {
        /// Which file.
        name: String,
        /// The format that its content shows.
        format: String,
    },
    /// The header announces more pixels, or more memory, than the limits allow. Nothing of that size was allocated.
    #[error(
        "{name}: the {format} header announces {width} x {height} pixels ({bytes} bytes decoded), above the limits of \
         {max_pixels} pixels and {max_bytes} bytes; scale the image down or raise the limits"
    )]
    TooLarge {
        /// Which file.
        name: String,
        /// The format that its content shows.
        format: String,
        /// Announced width.
        width: u32,
        /// Announced height.
        height: u32,
        /// Bytes that decoding would need for the pixels alone.
        bytes: u64,
        /// The limit on width times height.
        max_pixels: u64,
        /// The limit on decoded bytes.
        max_bytes: u64,
    },
    /// Decoding would take more memory than
    /// [`DecodeLimits::max_decoded_bytes`](crate::DecodeLimits::max_decoded_bytes).
    #[error(
        "{name}: decoding this {format} takes more than the limit of {max_bytes} bytes, though its pixels may not; save it again as an \
         ordinary PNG or raise the limit"
    )]
    TooMuchMemory {
        /// Which file.
        name: String,
        /// The format that its content shows.
        format: String,
        /// The limit in bytes.
        max_bytes: u64,
    },
    /// The file is sound, but of a kind that the decoder lacks.
    #[error(
        "{name}: this kind of {format} is not supported ({reason}); convert it to PNG with 8-bit RGB"
    )]
    UnsupportedKind {
        /// Which file.
        name: String,
        /// The format that its content shows.
        format: String,
        /// What the decoder said.
        reason: String,
    },
    /// A float sample that is NaN or infinite.
    #[error(
        "{name}: sample {index} of this {format} is {value}, which no color is; save the image again with numbers from 0 to 1, or as an 8-bit PNG"
    )]
    NotFinite {
        /// Which file.
        name: String,
        /// The format that its content shows.
        format: String,
        /// Place of the first such sample, counted over channels, then pixels of a row.
        index: usize,
        /// The sample.
        value: f32,
    },
    /// The content does not follow its format: truncated or damaged.
    #[error(
        "{name}: the {format} data cannot be decoded ({reason}); the file may be damaged or cut short"
    )]
    Decode {
        /// Which file.
        name: String,
        /// The format that its content shows.
        format: String,
        /// What the decoder said.
        reason: String,
    },
    /// Pixels could not be encoded.
    #[error("cannot encode {width} x {height} pixels as {format}: {reason}")]
    Encode {
        /// The wanted format.
        format: &'static str,
        /// Image width.
        width: u32,
        /// Image height.
        height: u32,
        /// What the encoder said.
        reason: String,
    },
    /// A file could not be written.
    #[error("{path}: cannot be written ({source}); check that the folder exists and has room", path = path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
