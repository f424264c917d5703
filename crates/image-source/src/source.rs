use std::io::Read;
use std::path::{Path, PathBuf};

use image_tensor::{DecodeLimits, ImageTensorError, RgbImage, decode_bytes, decode_file};
use serde::{Deserialize, Serialize};
use whole_file::OpenFile;

use crate::folder::{self, io};
use crate::names::{has_extension, shown, stem};
use crate::packed::Packed;
use crate::{ImageSourceError, LeftOut, tar_archive, zip_archive};

/// The name of standard input.
const STANDARD_INPUT: &str = "-";

/// Images in the order of their names, read one at a time.
///
/// | path | images |
/// |---|---|
/// | a folder | the files in it and in its folders that end as images do, in any case; links are followed once and never in circles |
/// | a `.zip` or an uncompressed `.tar` | the same of its entries; one of the official dataset tool is such an archive, its labels are counted and not read; a tar keeps its own order |
/// | a safetensors file with metadata `format` = `packed-images/1` | its tensor `images`, U8 `[count, 3, side, side]`, which is held in memory |
/// | any other file | itself |
/// | `-` | the image on standard input |
///
/// What a file is, is told by its content. Hidden files (`._x.png`, `.DS_Store`), system files (`Thumbs.db`, the folder
/// `__MACOSX`), files with other endings and what is no regular file are left out and counted. HEIC and AVIF files
/// count as images that cannot be decoded, so that they are named.
///
/// Differs from pytorch-fid, which searches no subfolders.
#[derive(Clone, Debug)]
pub struct ImageSource {
    paths: Vec<PathBuf>,
    parts: Vec<Part>,
    left_out: LeftOut,
    limit: usize,
}

#[derive(Clone, Debug)]
enum Part {
    /// Files with what their names are shown as.
    Files(Vec<PathBuf>),
    StandardInput(Vec<u8>),
    Zip(PathBuf, Vec<zip_archive::Entry>),
    Tar(PathBuf, Vec<tar_archive::Entry>),
    Packed(PathBuf, Packed),
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Self::Files(files) => files.len(),
            Self::StandardInput(_) => 1,
            Self::Zip(_, entries) => entries.len(),
            Self::Tar(_, entries) => entries.len(),
            Self::Packed(_, images) => images.len(),
        }
    }
}

/// What happens with an image that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BadImages {
    /// It ends the work with an error that names it.
    #[default]
    Refuse,
    /// It is left out, and the error that names it is kept.
    Skip,
}

/// An image of an [`ImageSource`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceImage {
    /// The path, or `archive.zip:folder/image.png`, escaped so that it can be shown.
    pub name: String,
    /// The base name without its ending, fit to name a file that is written: without separators, control characters or
    /// what Windows reserves.
    pub stem: String,
    /// The file, where it is one of its own.
    pub path: Option<PathBuf>,
    /// The upright pixels.
    pub pixels: RgbImage,
}

impl ImageSource {
    /// Looks for the images of a path; none is decoded yet.
    ///
    /// # Errors
    /// When it cannot be read or has no image.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ImageSourceError> {
        Self::open_all([path])
    }

    /// The images of several paths, one after the other.
    ///
    /// # Errors
    /// When one of them cannot be read or has no image, or there is no path.
    pub fn open_all<P: AsRef<Path>>(
        paths: impl IntoIterator<Item = P>,
    ) -> Result<Self, ImageSourceError> {
        let mut source = Self {
            paths: Vec::new(),
            parts: Vec::new(),
            left_out: LeftOut::default(),
            limit: usize::MAX,
        };
        for path in paths {
            let path = path.as_ref();
            let mut left_out = LeftOut::default();
            let part = open_part(path, &mut left_out)?;
            if part.len() == 0 {
                return Err(ImageSourceError::Empty {
                    set: shown(&path.to_string_lossy()),
                    left_out,
                });
            }
            source.paths.push(path.to_owned());
            source.parts.push(part);
            source.left_out.add(&left_out);
        }
        if source.parts.is_empty() {
            return Err(source.empty());
        }
        Ok(source)
    }

    /// The images of a packed file, which all have one size.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when it is something else.
    pub fn open_packed(path: impl AsRef<Path>) -> Result<Self, ImageSourceError> {
        let source = Self::open(path)?;
        if source.packed_sides().next().is_some() {
            return Ok(source);
        }
        Err(ImageSourceError::NotPacked {
            path: source.paths[0].clone(),
            reason: "it is a folder, an archive or an image".to_owned(),
        })
    }

    /// The packed files among what was opened, each with its images' width and height.
    pub fn packed_sides(&self) -> impl Iterator<Item = (&Path, usize)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Packed(path, images) => Some((path.as_path(), images.side())),
            _ => None,
        })
    }

    /// The first `limit` images only, bad ones included.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// What was opened.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The paths as text, for messages.
    pub fn name(&self) -> String {
        let names: Vec<String> = self
            .paths
            .iter()
            .map(|path| shown(&path.to_string_lossy()))
            .collect();
        names.join(", ")
    }

    /// Number of images, bad ones included.
    #[allow(
        clippy::len_without_is_empty,
        reason = "what has no image is not opened"
    )]
    pub fn len(&self) -> usize {
        self.parts
            .iter()
            .map(Part::len)
            .sum::<usize>()
            .min(self.limit)
    }

    /// What is there and was not taken for an image.
    pub fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// That there are enough images, bad ones included, for `use_of_it`.
    ///
    /// # Errors
    /// [`ImageSourceError::TooFew`], which names the set.
    pub fn require(
        &self,
        required: usize,
        use_of_it: &'static str,
    ) -> Result<(), ImageSourceError> {
        self.require_of(self.len(), required, use_of_it)
    }

    /// As [`require`](Self::require), of the `found` images that could be used.
    ///
    /// # Errors
    /// As [`require`](Self::require).
    pub fn require_of(
        &self,
        found: usize,
        required: usize,
        use_of_it: &'static str,
    ) -> Result<(), ImageSourceError> {
        if found >= required {
            return Ok(());
        }
        Err(ImageSourceError::TooFew {
            set: self.name(),
            use_of_it,
            found,
            required,
            left_out: self.left_out,
        })
    }

    /// The error of a set in which no image is left.
    pub fn empty(&self) -> ImageSourceError {
        ImageSourceError::Empty {
            set: self.name(),
            left_out: self.left_out,
        }
    }

    /// The images in order, each decoded when it is asked for.
    pub fn images<'a>(&'a self, limits: &'a DecodeLimits) -> Images<'a> {
        Images {
            source: self,
            limits,
            part: 0,
            position: 0,
            left: self.limit,
            archive: Archive::None,
        }
    }

    /// Hands each image to `visit` until that fails, and returns why others were left out.
    ///
    /// # Errors
    /// Those of `visit`, an image's where bad ones are refused, and that of the first image where none is left.
    pub fn for_each<E: From<ImageSourceError>>(
        &self,
        limits: &DecodeLimits,
        bad_images: BadImages,
        mut visit: impl FnMut(SourceImage) -> Result<(), E>,
    ) -> Result<Vec<ImageSourceError>, E> {
        let mut skipped = Vec::new();
        let mut used = 0usize;
        for image in self.images(limits) {
            match image {
                Ok(image) => {
                    visit(image)?;
                    used += 1;
                }
                Err(reason) if bad_images == BadImages::Skip => skipped.push(reason),
                Err(reason) => return Err(reason.into()),
            }
        }
        if used == 0 {
            // Of images that were all bad, the first says more than their number.
            let reason = skipped.into_iter().next();
            return Err(reason.unwrap_or_else(|| self.empty()).into());
        }
        Ok(skipped)
    }
}

/// Images of an [`ImageSource`] in order, or the reason why one cannot be decoded.
#[derive(Debug)]
pub struct Images<'a> {
    source: &'a ImageSource,
    limits: &'a DecodeLimits,
    part: usize,
    position: usize,
    left: usize,
    /// Of the present part.
    archive: Archive,
}

enum Archive {
    None,
    Zip(Box<zip_archive::Archive>),
    Tar(OpenFile),
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Zip(_) => "zip",
            Self::Tar(_) => "tar",
        })
    }
}

impl Iterator for Images<'_> {
    type Item = Result<SourceImage, ImageSourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let source = self.source;
        while self.position == source.parts.get(self.part)?.len() {
            self.part += 1;
            self.position = 0;
            self.archive = Archive::None;
        }
        let position = self.position;
        self.position += 1;
        self.left -= 1;
        Some(self.decode(&source.parts[self.part], position))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let parts = self.source.parts.iter().skip(self.part);
        let left = parts.map(Part::len).sum::<usize>() - self.position;
        let left = left.min(self.left);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Images<'_> {}

impl Images<'_> {
    fn decode(&mut self, part: &Part, position: usize) -> Result<SourceImage, ImageSourceError> {
        let named = |name: String, of: &str, pixels: Result<RgbImage, ImageSourceError>| {
            Ok(SourceImage {
                name,
                stem: stem(of),
                path: None,
                pixels: pixels?,
            })
        };
        let entry = |path: &Path, entry: &str| shown(&format!("{}:{entry}", path.display()));
        match part {
            Part::Files(files) => {
                let path = &files[position];
                let text = path.to_string_lossy();
                let pixels = decode_file(path, self.limits).map_err(ImageSourceError::from);
                named(shown(&text), &text, pixels).map(|image| SourceImage {
                    path: Some(path.clone()),
                    ..image
                })
            }
            Part::StandardInput(bytes) => {
                let name = "standard input";
                let pixels = decode_bytes(name, bytes, self.limits).map_err(Into::into);
                named(name.to_owned(), "stdin", pixels)
            }
            Part::Zip(path, entries) => {
                let found = &entries[position];
                let name = entry(path, &found.name);
                if !matches!(self.archive, Archive::Zip(_)) {
                    self.archive = Archive::Zip(Box::new(zip_archive::open(path)?));
                }
                let Archive::Zip(archive) = &mut self.archive else {
                    return Err(self.source.empty());
                };
                let pixels = zip_archive::decode(archive, found, &name, self.limits);
                named(name, &found.name, pixels)
            }
            Part::Tar(path, entries) => {
                let found = &entries[position];
                let name = entry(path, &found.name);
                if !matches!(self.archive, Archive::Tar(_)) {
                    let file = whole_file::open(path).map_err(io(path))?;
                    self.archive = Archive::Tar(file);
                }
                let Archive::Tar(archive) = &mut self.archive else {
                    return Err(self.source.empty());
                };
                let pixels = tar_archive::decode(archive, found, &name, self.limits);
                named(name, &found.name, pixels)
            }
            Part::Packed(path, images) => {
                let number = format!("{position:08}");
                let name = entry(path, &number);
                named(name, &number, Ok(images.image(position)))
            }
        }
    }
}

fn open_part(path: &Path, left_out: &mut LeftOut) -> Result<Part, ImageSourceError> {
    if path.as_os_str() == STANDARD_INPUT {
        let limit = DecodeLimits::default().max_file_bytes;
        let bytes = whole_file::read_standard_input(limit).map_err(io(path))?;
        return Ok(Part::StandardInput(bytes));
    }
    if whole_file::is_folder(path) {
        return Ok(Part::Files(folder::list(path, left_out)?));
    }
    let file = whole_file::open(path).map_err(io(path))?;
    let mut start = Vec::new();
    file.take(START as u64)
        .read_to_end(&mut start)
        .map_err(io(path))?;
    match recognize(path, &start) {
        Content::Zip => Ok(Part::Zip(
            path.to_owned(),
            zip_archive::list(path, left_out)?,
        )),
        Content::Tar => Ok(Part::Tar(
            path.to_owned(),
            tar_archive::list(path, left_out)?,
        )),
        Content::Tensors => Ok(Part::Packed(path.to_owned(), Packed::read(path)?)),
        Content::Compressed(how) => Err(ImageSourceError::Archive {
            path: path.to_owned(),
            reason: format!("it is compressed with {how}, unpack it first"),
        }),
        Content::Image => Ok(Part::Files(vec![path.to_owned()])),
    }
}

/// A tar header's length.
const START: usize = 512;

enum Content {
    Zip,
    Tar,
    Tensors,
    Compressed(&'static str),
    /// Or something else, which the decoder names.
    Image,
}

fn recognize(path: &Path, start: &[u8]) -> Content {
    /// Where a tar header says that it is one; archives from before 1988 do not, and have their name only.
    const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");
    /// Where the header of a safetensors file begins, behind its length.
    const HEADER: usize = 8;
    let ends = |extension: &str| has_extension(path.as_os_str(), &[extension]);
    // The second is that of an archive without entries.
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        Content::Zip
    } else if start.starts_with(&[0x1F, 0x8B]) {
        Content::Compressed("gzip")
    } else if start.starts_with(b"\xFD7zXZ\0") {
        Content::Compressed("xz")
    } else if start.starts_with(b"BZh") {
        Content::Compressed("bzip2")
    } else if start.starts_with(&[0x28, 0xB5, 0x2F, 0xFD]) {
        Content::Compressed("zstd")
    } else if start.starts_with(b"7z\xBC\xAF\x27\x1C") {
        Content::Compressed("7-Zip")
    } else if start.starts_with(b"Rar!") {
        Content::Compressed("RAR")
    } else if start
        .get(TAR_MAGIC.0..)
        .is_some_and(|s| s.starts_with(TAR_MAGIC.1))
        || ends("tar")
    {
        Content::Tar
    } else if start.get(HEADER) == Some(&b'{') || ends("safetensors") {
        Content::Tensors
    } else if ends("zip") {
        // So that the message speaks of an archive.
        Content::Zip
    } else {
        Content::Image
    }
}

pub(crate) fn unreadable(name: &str, source: std::io::Error) -> ImageSourceError {
    ImageTensorError::Read {
        name: name.to_owned(),
        source,
    }
    .into()
}

pub(crate) fn decode_reader(
    name: &str,
    reader: impl Read,
    limits: &DecodeLimits,
) -> Result<RgbImage, ImageSourceError> {
    let mut bytes = Vec::new();
    // One byte more than allowed, so that the decoder sees that it is too long; an archive's own lengths are not
    // trusted.
    reader
        .take(limits.max_file_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| unreadable(name, source))?;
    Ok(decode_bytes(name, &bytes, limits)?)
}
