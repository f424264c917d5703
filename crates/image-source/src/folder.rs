//! The image files of a folder and the folders in it.

use std::collections::{BTreeSet, HashSet};
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use crate::names::{NameKind, kind_of};
use crate::{ImageSourceError, LeftOut};

/// Image files, sorted by path.
pub(crate) fn list(
    folder: &Path,
    left_out: &mut LeftOut,
) -> Result<Vec<PathBuf>, ImageSourceError> {
    let mut search = Search {
        left_out,
        folders: HashSet::new(),
        found: HashSet::new(),
        images: Vec::new(),
        links: BTreeSet::new(),
    };
    search.folder(folder.to_owned())?;
    // After all that is really there, so that what a link leads to has its own name where it has one. The order of
    // links is that of their paths, as the order of a directory is the file system's.
    while let Some(link) = search.links.pop_first() {
        search.link(link)?;
    }
    let mut images = search.images;
    images.sort();
    Ok(images)
}

struct Search<'a> {
    left_out: &'a mut LeftOut,
    /// Folders that have been searched, without links in their paths.
    folders: HashSet<PathBuf>,
    /// Image files that were found, without links in their paths.
    found: HashSet<PathBuf>,
    /// The same under the names that they were found by.
    images: Vec<PathBuf>,
    /// Links that have not been followed yet.
    links: BTreeSet<PathBuf>,
}

impl Search<'_> {
    /// Searches a folder and those in it, but follows no link.
    fn folder(&mut self, folder: PathBuf) -> Result<(), ImageSourceError> {
        // A list instead of calls: folders may be nested deeper than a stack allows.
        let mut waiting = vec![folder];
        while let Some(folder) = waiting.pop() {
            let real = std::fs::canonicalize(&folder).map_err(io(&folder))?;
            if !self.folders.insert(real.clone()) {
                self.left_out.repeated += 1;
                continue;
            }
            for entry in std::fs::read_dir(&folder).map_err(io(&folder))? {
                let entry = entry.map_err(io(&folder))?;
                if let Some(below) = self.entry(&entry, &real)? {
                    waiting.push(below);
                }
            }
        }
        Ok(())
    }

    /// Takes what is no folder; gives the path of one that is to be searched.
    fn entry(
        &mut self,
        entry: &DirEntry,
        real_folder: &Path,
    ) -> Result<Option<PathBuf>, ImageSourceError> {
        let path = entry.path();
        let file_type = entry.file_type().map_err(io(&path))?;
        let kind = kind_of(&entry.file_name());
        if matches!(kind, NameKind::Hidden | NameKind::System) {
            kind.count(self.left_out);
        } else if file_type.is_dir() {
            return Ok(Some(path));
        } else if file_type.is_symlink() {
            self.links.insert(path);
        } else if kind != NameKind::Image {
            kind.count(self.left_out);
        } else if file_type.is_file() {
            self.image(path, real_folder.join(entry.file_name()));
        } else {
            self.left_out.irregular += 1;
        }
        Ok(None)
    }

    fn link(&mut self, link: PathBuf) -> Result<(), ImageSourceError> {
        let kind = kind_of(link.file_name().unwrap_or_default());
        match std::fs::metadata(&link) {
            Ok(metadata) if metadata.is_dir() => self.folder(link)?,
            Ok(metadata) if metadata.is_file() && kind == NameKind::Image => {
                let real = std::fs::canonicalize(&link).map_err(io(&link))?;
                self.image(link, real);
            }
            Ok(metadata) if metadata.is_file() => kind.count(self.left_out),
            // A link to nowhere or in a circle, or to a pipe or device.
            _ => self.left_out.irregular += 1,
        }
        Ok(())
    }

    fn image(&mut self, path: PathBuf, real: PathBuf) {
        if self.found.insert(real) {
            self.images.push(path);
        } else {
            self.left_out.repeated += 1;
        }
    }
}

pub(crate) fn io(path: &Path) -> impl Fn(std::io::Error) -> ImageSourceError {
    move |source| ImageSourceError::Io {
        path: path.to_owned(),
        source,
    }
}
