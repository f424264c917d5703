use std::fmt;
use std::path::Path;

use crate::limits::SAFETENSORS_HEADER_BYTES;
use crate::torch::{archive, stream};
use crate::{numpy_file, shown_within};

/// The formats that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// A JSON header, then raw tensors.
    Safetensors,
    /// `torch.save` since PyTorch 1.6: a zip archive with a pickle and raw storages.
    TorchArchive,
    /// `torch.jit.save`: the same archive with the code of the modules beside it, which is not looked at.
    TorchScript,
    /// `torch.save` before PyTorch 1.6: pickles, then raw storages.
    TorchStream,
    /// A plain pickle: the networks of stylegan2-ada-pytorch and stylegan3, or numpy arrays.
    Pickle,
    /// `numpy.save`: one array, which is called `tensor` here.
    NumpyArray,
    /// `numpy.savez` and `numpy.savez_compressed`: a zip archive of arrays.
    NumpyArchive,
}

impl Format {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::TorchArchive => "PyTorch zip archive",
            Self::TorchScript => "TorchScript archive",
            Self::TorchStream => "PyTorch stream",
            Self::Pickle => "pickle",
            Self::NumpyArray => "numpy array",
            Self::NumpyArchive => "numpy archive",
        }
    }

    /// The format of a file by its first bytes, or what the file seems to be instead; for the latter its name may tell,
    /// too.
    pub(crate) fn recognize(path: &Path, bytes: &[u8]) -> Result<Self, String> {
        // First of all, because a header's length may look like the start of any other file; no other file has the
        // zeros and the brace of a header of a possible length in these places.
        if let Some((length, header)) = bytes.split_first_chunk()
            && u64::from_le_bytes(*length) <= SAFETENSORS_HEADER_BYTES
            && header.starts_with(b"{")
        {
            return Ok(Self::Safetensors);
        }
        if bytes.starts_with(&archive::PREFIX) {
            return Ok(if starts_with_array(bytes) {
                Self::NumpyArchive
            } else if archive::has_code(bytes) {
                Self::TorchScript
            } else {
                Self::TorchArchive
            });
        }
        if bytes.starts_with(&numpy_file::MAGIC) {
            return Ok(Self::NumpyArray);
        }
        if stream::is_start_of(bytes) {
            return Ok(Self::TorchStream);
        }
        // PROTO and a protocol that has it; older protocols start with what they hold.
        if matches!(bytes, [0x80, 2..=5, ..]) || is_old_pickle(bytes) {
            return Ok(Self::Pickle);
        }
        // A header that is too long, for the reader of safetensors to refuse.
        if bytes.get(8) == Some(&b'{') && !bytes.starts_with(b"{") {
            return Ok(Self::Safetensors);
        }
        Err(impostor(path, bytes))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What stands before a text and says how it is encoded.
const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";
const UTF16_MARKS: [&[u8]; 2] = [b"\xFF\xFE", b"\xFE\xFF"];

/// The last bytes of the index of a TensorFlow checkpoint.
const TENSORFLOW_INDEX_END: [u8; 8] = 0xDB47_7524_8B80_FB57_u64.to_le_bytes();

/// How far a file is looked into for what it says of itself.
const BEGINNING: usize = 512;

/// Files that often lie where weights should be.
fn impostor(path: &Path, bytes: &[u8]) -> String {
    const KNOWN: [(&[u8], &str); 24] = [
        (
            b"version https://git-lfs",
            "a Git LFS pointer; fetch the file itself with git lfs pull",
        ),
        (b"\x89PNG", "a PNG image"),
        (b"\xFF\xD8\xFF", "a JPEG image"),
        (b"GIF8", "a GIF image"),
        (b"RIFF", "a WebP image or another RIFF file"),
        (b"BM", "a BMP image"),
        (b"II*\0", "a TIFF image"),
        (b"MM\0*", "a TIFF image"),
        (b"%PDF", "a PDF document"),
        (b"\x1F\x8B", "a gzip file; unpack it first"),
        (b"BZh", "a bzip2 file; unpack it first"),
        (b"\xFD7zXZ", "an xz file; unpack it first"),
        (b"7z\xBC\xAF", "a 7-Zip archive; unpack it first"),
        (b"Rar!", "a RAR archive; unpack it first"),
        (b"\x28\xB5\x2F\xFD", "a Zstandard file; unpack it first"),
        (
            b"\x89HDF",
            "an HDF5 file, as Keras and TensorFlow write them; convert its weights with the code that wrote it",
        ),
        (b"GGUF", "a GGUF file of a language model"),
        (b"PK\x05\x06", "an empty zip archive"),
        (b"\x7FELF", "a program"),
        (b"MZ", "a program"),
        (b"SQLite format 3", "an SQLite database"),
        (b"ID3", "an MP3 sound"),
        (b"OggS", "an Ogg file"),
        (b"\x1A\x45\xDF\xA3", "a Matroska or WebM video"),
    ];
    const TENSORFLOW: &str = "a file of TensorFlow, whose weights have other names and shapes; convert the model's .pkl with \
                              stylegan2-ada-pytorch: python legacy.py --source=FILE --dest=NEW.pkl";
    const ONNX: &str = "an ONNX file, a graph without the names of the weights; use the checkpoint that it was exported from";
    if bytes.is_empty() {
        return "an empty file".to_owned();
    }
    let beginning = &bytes[..bytes.len().min(BEGINNING)];
    if UTF16_MARKS.iter().any(|mark| beginning.starts_with(mark)) && is_wide_page(&beginning[2..]) {
        return PAGE.to_owned();
    }
    let text = beginning
        .strip_prefix(UTF8_MARK)
        .unwrap_or(beginning)
        .trim_ascii_start();
    match text {
        [b'<', ..] => return PAGE.to_owned(),
        [b'{', ..] => return "a JSON text".to_owned(),
        _ => {}
    }
    if let Some((_, what)) = KNOWN.iter().find(|(start, _)| bytes.starts_with(start)) {
        return (*what).to_owned();
    }
    let holds = |part: &[u8]| beginning.windows(part.len()).any(|window| window == part);
    if bytes.ends_with(&TENSORFLOW_INDEX_END) || bytes.get(4..8) == Some(b"TFL3") {
        return TENSORFLOW.to_owned();
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return "a tar archive; unpack it first".to_owned();
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return "a video or HEIC image".to_owned();
    }
    if bytes[0] == 8 && (holds(b"pytorch") || holds(b"onnx")) {
        return ONNX.to_owned();
    }
    // Formats without a beginning of their own.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    if name.contains(".ckpt.") || name.contains(".data-0") || name.ends_with(".pb") {
        return TENSORFLOW.to_owned();
    }
    if name.ends_with(".onnx") {
        return ONNX.to_owned();
    }
    match first_line(text) {
        Some(line) => format!(
            "something else, a text that begins with {:?}",
            shown_within(line, SHOWN_OF_A_TEXT).to_string()
        ),
        None => "something else".to_owned(),
    }
}

const PAGE: &str = "an HTML or XML page; the download went wrong";

/// How much of a text tells what it is.
const SHOWN_OF_A_TEXT: usize = 60;

/// Whether the first character of a UTF-16 text, after blanks, opens a tag.
fn is_wide_page(text: &[u8]) -> bool {
    text.iter()
        .find(|byte| **byte != 0 && !byte.is_ascii_whitespace())
        .is_some_and(|byte| *byte == b'<')
}

/// The first line of a text; `None` for bytes that are none.
fn first_line(beginning: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(beginning) {
        Ok(text) => text,
        // Cut within a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&beginning[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let is_text = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    text.lines().next().filter(|_| text.chars().all(is_text))
}

/// Whether a file starts like a pickle of protocol 0 or 1, which have no mark of their own: with a dict, a list or
/// tuple, or a class.
fn is_old_pickle(bytes: &[u8]) -> bool {
    const STARTS: [&[u8]; 12] = [
        b"(dp", b"(lp", b"(d.", b"(l.", b"}q\0", b"]q\0", b"}(", b"](", b"}.", b"].", b"(c", b"(i",
    ];
    let starts_with_class = |rest: &[u8]| {
        let mut lines = rest.splitn(3, |byte| *byte == b'\n');
        let is_name = |line: &[u8]| {
            !line.is_empty()
                && line
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
        };
        let (module, name) = (lines.next(), lines.next());
        module.is_some_and(is_name) && name.is_some_and(is_name) && lines.next().is_some()
    };
    match bytes {
        [b'c', rest @ ..] | [b'(', b'c' | b'i', rest @ ..] => starts_with_class(rest),
        _ => STARTS.iter().any(|start| bytes.starts_with(start)),
    }
}

/// Whether the first entry of a zip archive is an array of numpy.
fn starts_with_array(bytes: &[u8]) -> bool {
    const NAME_LENGTH: usize = 26;
    const NAME: usize = 30;
    let length = bytes.get(NAME_LENGTH..NAME_LENGTH + 2);
    let length = length.map_or(0, |bytes| {
        usize::from(bytes[0]) + 256 * usize::from(bytes[1])
    });
    let name = bytes.get(NAME..NAME + length);
    name.is_some_and(|name| name.ends_with(b".npy"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognize(bytes: &[u8]) -> Result<Format, String> {
        Format::recognize(Path::new("file"), bytes)
    }

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        assert_eq!(recognize(b"PK\x03\x04.."), Ok(Format::TorchArchive));
        assert_eq!(
            recognize(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."),
            Ok(Format::TorchStream)
        );
        for pickle in [
            &b"\x80\x04}."[..],
            b"(dp0\nS'g'\n",
            b"}q\0X",
            b"ccollections\nOrderedDict\n(",
            b"(imodel\nGenerator\n",
        ] {
            assert_eq!(recognize(pickle), Ok(Format::Pickle));
        }
        assert_eq!(recognize(b"\x93NUMPY\x01\0"), Ok(Format::NumpyArray));
        let mut archive = b"PK\x03\x04".to_vec();
        archive.resize(26, 0);
        archive.extend(b"\x05\0\0\0w.npy");
        assert_eq!(recognize(&archive), Ok(Format::NumpyArchive));
        assert_eq!(recognize(b"\x02\0\0\0\0\0\0\0{}"), Ok(Format::Safetensors));
    }

    #[test]
    fn a_safetensors_header_may_have_any_length() {
        // Lengths whose bytes start like a pickle, a JSON text or a zip archive are among them.
        let as_zip = u64::from(u32::from_le_bytes(archive::PREFIX));
        for length in (2..=3000).chain([65_536 + 640, as_zip, SAFETENSORS_HEADER_BYTES]) {
            let mut start = length.to_le_bytes().to_vec();
            start.push(b'{');
            assert_eq!(recognize(&start), Ok(Format::Safetensors), "{length}");
        }
    }

    #[test]
    fn other_files_are_named() {
        for (bytes, what) in [
            (b"".as_slice(), "empty"),
            (b"\x89PNG\r\n\x1a\n", "PNG"),
            (b"version https://git-lfs.github.com/spec/v1", "LFS"),
            (b"<!DOCTYPE html>", "HTML"),
            (b"\n \t<!DOCTYPE html>", "HTML"),
            (b"\xEF\xBB\xBF<html>", "HTML"),
            (b"\xEF\xBB\xBF\r\n<html>", "HTML"),
            (b"\xFF\xFE\n\0<\0h\0", "HTML"),
            (b"\xFE\xFF\0<\0h", "HTML"),
            (b"{\"a\": 1, \"{\": 2}", "JSON"),
            (b"\xEF\xBB\xBF{}", "JSON"),
            (
                b"random",
                "something else, a text that begins with \"random\"",
            ),
            (b"can be read\nby a person\n", "begins with \"can be read\""),
            (b"\x1b[2J\0", "something else"),
            (b"\x08\x07\x12\x07pytorch\x1a", "ONNX"),
            (b"....\x57\xfb\x80\x8b\x24\x75\x47\xdb", "TensorFlow"),
        ] {
            let found = recognize(bytes).unwrap_err();
            assert!(found.contains(what), "{found}");
        }
    }

    #[test]
    fn some_files_are_only_known_by_their_names() {
        for (name, what) in [
            ("model.ckpt.data-00000-of-00001", "TensorFlow"),
            ("saved_model.pb", "TensorFlow"),
            ("g.onnx", "ONNX"),
        ] {
            let found = Format::recognize(Path::new(name), b"\x01\x02\x03").unwrap_err();
            assert!(found.contains(what), "{found}");
        }
    }
}
