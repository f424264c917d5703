use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use image_tensor::{DecodeLimits, ImageTensorError, RgbImage, decode_bytes, decode_file};
use tar::Archive;
use zip::ZipArchive;

use crate::MetricsError;

/// Endings of files that count as images, compared without case. What the content is decides how they are decoded.
pub(crate) const EXTENSIONS: [&str; 8] =
    ["png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff"];

/// A folder with images, searched with its subfolders, or a `.zip` or uncompressed `.tar` of them.
///
/// Files with other endings and hidden ones are no images. Folders and zip archives are read in the order of the names, tar archives
/// in their own.
///
/// Differs from pytorch-fid, which searches no subfolders.
#[derive(Clone, Debug)]
pub struct ImageSource {
    path: PathBuf,
    kind: Kind,
    limit: usize,
}

#[derive(Clone, Debug)]
enum Kind {
    Folder(Vec<PathBuf>),
    Zip(Vec<(String, usize)>),
    /// The number of images is not known before they have all been read.
    Tar,
}

impl ImageSource {
    /// Looks for the images of a folder or archive; none is decoded yet.
    ///
    /// # Errors
    /// When it cannot be read, is neither a folder nor an archive, or has no image.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, MetricsError> {
        let path = path.as_ref();
        let metadata = std::fs::metadata(path).map_err(io_error(path))?;
        let kind = if metadata.is_dir() {
            let mut files = Vec::new();
            list(path, &mut files)?;
            files.sort();
            Kind::Folder(files)
        } else if has_extension(path.as_os_str(), &["zip"]) {
            Kind::Zip(list_zip(path)?)
        } else if has_extension(path.as_os_str(), &["tar"]) {
            Kind::Tar
        } else {
            return Err(MetricsError::Archive {
                path: path.to_owned(),
                reason: "it is a file that ends in neither .zip nor .tar".to_owned(),
            });
        };
        let source = Self {
            path: path.to_owned(),
            kind,
            limit: usize::MAX,
        };
        match source.len() {
            Some(0) => Err(source.empty()),
            _ => Ok(source),
        }
    }

    /// The first `limit` images only, bad ones included.
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The folder or archive.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of images, bad ones included; none for a tar archive, whose end is not known before it is read.
    pub fn len(&self) -> Option<usize> {
        let found = match &self.kind {
            Kind::Folder(files) => files.len(),
            Kind::Zip(entries) => entries.len(),
            Kind::Tar => return None,
        };
        Some(found.min(self.limit))
    }

    /// Whether there is no image, as far as that is known.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    pub(crate) fn empty(&self) -> MetricsError {
        MetricsError::NoImages {
            path: self.path.clone(),
        }
    }

    /// Hands each image, or the reason why it cannot be decoded, to `visit` with its name, until that fails.
    ///
    /// # Errors
    /// Those of `visit`, and when the archive itself cannot be read on.
    pub fn visit(
        &self,
        limits: &DecodeLimits,
        mut visit: impl FnMut(&str, Result<RgbImage, MetricsError>) -> Result<(), MetricsError>,
    ) -> Result<(), MetricsError> {
        match &self.kind {
            Kind::Folder(files) => files.iter().take(self.limit).try_for_each(|file| {
                let image = decode_file(file, limits).map_err(MetricsError::from);
                visit(&file.display().to_string(), image)
            }),
            Kind::Zip(entries) => {
                let mut archive = open_zip(&self.path)?;
                let mut images = entries.iter().take(self.limit);
                images.try_for_each(|(entry, index)| {
                    let name = self.entry_name(entry);
                    let image = match archive.by_index(*index) {
                        Ok(file) => decode_reader(&name, file, limits),
                        Err(error) => Err(unreadable(&name, error.into())),
                    };
                    visit(&name, image)
                })
            }
            Kind::Tar => self.visit_tar(limits, visit),
        }
    }

    fn visit_tar(
        &self,
        limits: &DecodeLimits,
        mut visit: impl FnMut(&str, Result<RgbImage, MetricsError>) -> Result<(), MetricsError>,
    ) -> Result<(), MetricsError> {
        let file = File::open(&self.path).map_err(io_error(&self.path))?;
        let mut archive = Archive::new(BufReader::new(file));
        let damaged = |error: std::io::Error| MetricsError::Archive {
            path: self.path.clone(),
            reason: error.to_string(),
        };
        let mut images = 0;
        for entry in archive.entries().map_err(damaged)? {
            if images == self.limit {
                break;
            }
            let entry = entry.map_err(damaged)?;
            let path = entry.path().map_err(damaged)?.into_owned();
            if entry.header().entry_type().is_file() && is_image(&path) {
                let name = self.entry_name(&path.display().to_string());
                let image = decode_reader(&name, entry, limits);
                visit(&name, image)?;
                images += 1;
            }
        }
        Ok(())
    }

    /// `archive.zip:folder/image.png`.
    fn entry_name(&self, entry: &str) -> String {
        format!("{}:{entry}", self.path.display())
    }
}

fn io_error(path: &Path) -> impl Fn(std::io::Error) -> MetricsError {
    move |source| MetricsError::Io {
        path: path.to_owned(),
        source,
    }
}

fn has_extension(path: &OsStr, extensions: &[&str]) -> bool {
    Path::new(path)
        .extension()
        .and_then(OsStr::to_str)
        .is_some_and(|found| extensions.iter().any(|e| found.eq_ignore_ascii_case(e)))
}

/// Whether no part of a path is hidden and it ends as images do. The folder `__MACOSX` of zip archives holds what is no image under names of images.
fn is_image(path: &Path) -> bool {
    let visible = path.iter().all(|part| {
        let part = part.as_encoded_bytes();
        !part.starts_with(b".") || part == b"." || part == b".."
    });
    visible && !path.starts_with("__MACOSX") && has_extension(path.as_os_str(), &EXTENSIONS)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), MetricsError> {
    for entry in std::fs::read_dir(folder).map_err(io_error(folder))? {
        let entry = entry.map_err(io_error(folder))?;
        let path = entry.path();
        // A link to a folder may lead back up, so only links to files are followed.
        let kind = entry.file_type().map_err(io_error(&path))?;
        if kind.is_dir() {
            list(&path, files)?;
        } else if is_image(Path::new(&entry.file_name())) && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn open_zip(path: &Path) -> Result<ZipArchive<impl Read + Seek>, MetricsError> {
    let file = File::open(path).map_err(io_error(path))?;
    ZipArchive::new(BufReader::new(file)).map_err(|error| MetricsError::Archive {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Names and places of the images, by name.
fn list_zip(path: &Path) -> Result<Vec<(String, usize)>, MetricsError> {
    let archive = open_zip(path)?;
    let mut entries: Vec<(String, usize)> = (0..archive.len())
        .filter_map(|index| Some((archive.name_for_index(index)?.ok()?.into_owned(), index)))
        .filter(|(name, _)| !name.ends_with('/') && is_image(Path::new(name)))
        .collect();
    entries.sort();
    Ok(entries)
}

fn unreadable(name: &str, source: std::io::Error) -> MetricsError {
    ImageTensorError::Read {
        name: name.to_owned(),
        source,
    }
    .into()
}

fn decode_reader(
    name: &str,
    reader: impl Read,
    limits: &DecodeLimits,
) -> Result<RgbImage, MetricsError> {
    let mut bytes = Vec::new();
    // One byte more than allowed, so that the decoder sees that it is too long; an archive's own lengths are not trusted.
    reader
        .take(limits.max_file_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| unreadable(name, source))?;
    Ok(decode_bytes(name, &bytes, limits)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_files_and_other_endings_are_no_images() {
        for name in ["a.png", "b/c.JPEG", "./d.webp"] {
            assert!(is_image(Path::new(name)), "{name}");
        }
        for name in [".a.png", "b/._c.png", "__MACOSX/d.png", "e.txt", "png"] {
            assert!(!is_image(Path::new(name)), "{name}");
        }
    }
}
