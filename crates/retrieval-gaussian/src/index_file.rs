use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::format::{self, Layout, Verification};
use crate::settings::IndexSettings;
use crate::storage::io;
use crate::{Index, IndexBuilder, RetrievalError};

/// The file of an index, opened to add and remove models without writing the others again.
///
/// Changes are appended; the header that makes them count is written after them, and each is on the disk when the
/// method returns. A program that ends in between leaves the index as it was. One process at a time can have the file
/// open like this; those that have it mapped as an [`Index`] go on with the models that they know. Removed models keep
/// their place until [`Index::save`] writes the index anew.
#[derive(Debug)]
pub struct IndexFile {
    path: PathBuf,
    file: File,
    layout: Layout,
}

impl IndexFile {
    /// Creates an index without models.
    ///
    /// # Errors
    /// When the file exists already or cannot be written, or the settings are out of range.
    pub fn create(
        path: impl AsRef<Path>,
        settings: &IndexSettings,
    ) -> Result<Self, RetrievalError> {
        let path = path.as_ref();
        settings.validate()?;
        let refused = |source| io(path, source);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(refused)?;
        lock(path, &file)?;
        format::write_index(&mut file, settings, &[]).map_err(refused)?;
        file.sync_all().map_err(refused)?;
        let layout = Index::open(path)?.into_layout();
        Ok(Self {
            path: path.to_owned(),
            file,
            layout,
        })
    }

    /// Opens an index to change it. Factors and samples are not compared with their checksums, as none of them is read.
    ///
    /// # Errors
    /// When the file cannot be read and written, is not an index or is damaged, or another process has it open to
    /// change it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RetrievalError> {
        let path = path.as_ref();
        let refused = |source| io(path, source);
        // Opening a pipe would wait for its other end.
        drop(whole_file::open_regular(path).map_err(refused)?);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(refused)?;
        lock(path, &file)?;
        let layout = Index::open_with(path, Verification::Tables)?.into_layout();
        Ok(Self {
            path: path.to_owned(),
            file,
            layout,
        })
    }

    /// What all models have in common.
    pub fn settings(&self) -> &IndexSettings {
        &self.layout.settings
    }

    /// How many models there are.
    pub fn len(&self) -> usize {
        self.layout.positions.len()
    }

    /// Whether there are no models.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the models of a builder.
    ///
    /// # Errors
    /// When the builder has other settings or a model has a name that the index has; nothing is appended then. When the
    /// file system refuses.
    pub fn append(&mut self, builder: &IndexBuilder) -> Result<(), RetrievalError> {
        self.check_settings(builder.settings())?;
        let records = builder.records();
        if let Some(record) = records
            .iter()
            .find(|r| self.layout.positions.contains_key(r.name))
        {
            return Err(RetrievalError::DuplicateModel {
                name: record.name.to_owned(),
            });
        }
        if records.is_empty() {
            return Ok(());
        }
        self.commit(|out| format::write_models(out, &records))?;
        for record in records {
            let position = self.layout.names.len();
            self.layout
                .positions
                .insert(record.name.to_owned(), position);
            self.layout.names.push(record.name.to_owned());
            self.layout.removed.push(false);
        }
        Ok(())
    }

    /// Removes models by their names.
    ///
    /// # Errors
    /// When one of them is not there; none is removed then. When the file system refuses.
    pub fn remove(&mut self, names: &[&str]) -> Result<(), RetrievalError> {
        let mut positions = Vec::new();
        for name in names {
            let position = self.layout.positions.get(*name).map(|p| *p as u32);
            let position = position.filter(|p| !positions.contains(p));
            positions.push(position.ok_or_else(|| RetrievalError::UnknownModel {
                name: (*name).to_owned(),
                count: self.len(),
            })?);
        }
        if positions.is_empty() {
            return Ok(());
        }
        self.commit(|out| format::write_removal(out, &positions))?;
        for (name, position) in names.iter().zip(positions) {
            self.layout.positions.remove(*name);
            self.layout.removed[position as usize] = true;
        }
        Ok(())
    }

    /// Writes a segment after the committed bytes, and when it is on the disk the header that commits it.
    fn commit(
        &mut self,
        write: impl FnOnce(&mut BufWriter<&File>) -> std::io::Result<u64>,
    ) -> Result<(), RetrievalError> {
        let mut header = self.layout.header;
        let refused = |source| io(&self.path, source);
        let append = || {
            // What an interrupted append has left may be longer than what comes now.
            self.file.set_len(header.committed)?;
            let mut out = BufWriter::new(&self.file);
            out.seek(SeekFrom::Start(header.committed))?;
            let length = write(&mut out)?;
            out.flush()?;
            self.file.sync_all()?;
            Ok(length)
        };
        match append() {
            Ok(length) => header.add_segment(length),
            Err(source) => {
                // A full disk leaves half a segment, which takes room. The reason for that is of more use than that
                // this fails, too.
                let _ = self.file.set_len(self.layout.header.committed);
                return Err(refused(source));
            }
        }
        let mut out = &self.file;
        out.rewind()
            .and_then(|()| out.write_all(&header.to_bytes()))
            .and_then(|()| self.file.sync_all())
            .map_err(refused)?;
        self.layout.header = header;
        Ok(())
    }

    fn check_settings(&self, other: &IndexSettings) -> Result<(), RetrievalError> {
        let ours = &self.layout.settings;
        let differences = [
            ("dimension", ours.input_dimension != other.input_dimension),
            ("ridge", ours.ridge != other.ridge),
            ("precision", ours.precision != other.precision),
            ("normalization", ours.l2_normalize != other.l2_normalize),
            ("projection", ours.projection != other.projection),
        ];
        match differences.into_iter().find(|(_, differs)| *differs) {
            None => Ok(()),
            Some((what, _)) => Err(RetrievalError::SettingsDiffer {
                path: self.path.clone(),
                what,
            }),
        }
    }
}

fn lock(path: &Path, file: &File) -> Result<(), RetrievalError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => RetrievalError::Busy {
            path: path.to_owned(),
        },
        TryLockError::Error(source) => io(path, source),
    })
}
