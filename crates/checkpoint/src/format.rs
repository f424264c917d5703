use std::fmt;

use crate::limits::SAFETENSORS_HEADER_BYTES;
use crate::torch::{archive, stream};

/// The formats that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// A JSON header, then raw tensors.
    Safetensors,
    /// `torch.save` since PyTorch 1.6: a zip archive with a pickle and raw storages.
    TorchArchive,
    /// `torch.save` before PyTorch 1.6: pickles, then raw storages.
    TorchStream,
    /// A plain pickle: the networks of stylegan2-ada-pytorch and stylegan3, or numpy arrays.
    Pickle,
}

impl Format {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::TorchArchive => "PyTorch zip archive",
            Self::TorchStream => "PyTorch stream",
            Self::Pickle => "pickle",
        }
    }

    /// The format of a file by its first bytes, or what the file seems to be instead.
    pub(crate) fn recognise(bytes: &[u8]) -> Result<Self, &'static str> {
        // First of all, because a header's length may look like the start of any other file; no other file has the zeros and the
        // brace of a header of a possible length in these places.
        if let Some((length, header)) = bytes.split_first_chunk()
            && u64::from_le_bytes(*length) <= SAFETENSORS_HEADER_BYTES
            && header.starts_with(b"{")
        {
            return Ok(Self::Safetensors);
        }
        if bytes.starts_with(&archive::PREFIX) {
            return Ok(Self::TorchArchive);
        }
        if stream::is_start_of(bytes) {
            return Ok(Self::TorchStream);
        }
        // PROTO and a protocol that has it; older protocols start with any character.
        if let [0x80, 2..=5, ..] = bytes {
            return Ok(Self::Pickle);
        }
        // A header that is too long, for the reader of safetensors to refuse.
        if bytes.get(8) == Some(&b'{') && !bytes.starts_with(b"{") {
            return Ok(Self::Safetensors);
        }
        Err(impostor(bytes))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Files that often lie where weights should be.
fn impostor(bytes: &[u8]) -> &'static str {
    const KNOWN: [(&[u8], &str); 12] = [
        (
            b"version https://git-lfs",
            "a Git LFS pointer; fetch the file itself with git lfs pull",
        ),
        (b"<", "an HTML or XML page; the download went wrong"),
        (b"{", "a JSON text"),
        (b"\x89PNG", "a PNG image"),
        (b"\xFF\xD8\xFF", "a JPEG image"),
        (b"GIF8", "a GIF image"),
        (b"\x1F\x8B", "a gzip file; unpack it first"),
        (b"\x89HDF", "an HDF5 file"),
        (b"\x93NUMPY", "a numpy .npy file"),
        (b"\x28\xB5\x2F\xFD", "a Zstandard file; unpack it first"),
        (
            b"(dp",
            "a pickle of protocol 0; save it again with protocol 3 or later",
        ),
        (b"PK\x05\x06", "an empty zip archive"),
    ];
    if bytes.is_empty() {
        return "an empty file";
    }
    KNOWN
        .iter()
        .find(|(start, _)| bytes.starts_with(start))
        .map_or("something else", |(_, what)| what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        assert_eq!(Format::recognise(b"PK\x03\x04.."), Ok(Format::TorchArchive));
        assert_eq!(
            Format::recognise(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."),
            Ok(Format::TorchStream)
        );
        assert_eq!(Format::recognise(b"\x80\x04}."), Ok(Format::Pickle));
        assert_eq!(
            Format::recognise(b"\x02\0\0\0\0\0\0\0{}"),
            Ok(Format::Safetensors)
        );
    }

    #[test]
    fn a_safetensors_header_may_have_any_length() {
        // Lengths whose bytes start like a pickle, a JSON text or a zip archive are among them.
        let as_zip = u64::from(u32::from_le_bytes(archive::PREFIX));
        for length in (2..=3000).chain([65_536 + 640, as_zip, SAFETENSORS_HEADER_BYTES]) {
            let mut start = length.to_le_bytes().to_vec();
            start.push(b'{');
            assert_eq!(
                Format::recognise(&start),
                Ok(Format::Safetensors),
                "{length}"
            );
        }
    }

    #[test]
    fn other_files_are_named() {
        for (bytes, what) in [
            (b"".as_slice(), "empty"),
            (b"\x89PNG\r\n\x1a\n", "PNG"),
            (b"version https://git-lfs.github.com/spec/v1", "LFS"),
            (b"<!DOCTYPE html>", "HTML"),
            (b"{\"a\": 1, \"{\": 2}", "JSON"),
            (b"random", "something else"),
        ] {
            let found = Format::recognise(bytes).unwrap_err();
            assert!(found.contains(what), "{found}");
        }
    }
}
