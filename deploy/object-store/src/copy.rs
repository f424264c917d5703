use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use futures_util::{StreamExt, TryStreamExt};
use object_store::path::PathPart;
use object_store::{ObjectMeta, ObjectStoreExt, WriteMultipart};
use tokio::runtime::Runtime;

use crate::{Error, Place, Shard};

/// Objects that are copied at once: a store answers after a while, and then fast.
const AT_ONCE: usize = 8;

/// Bytes that are sent together. S3 takes no less than 5 MiB but in the last piece, and no more than 10,000 pieces,
/// thus files of up to 84 GB.
const PIECE: usize = 8 << 20;

/// Pieces of one file that are on their way at once; with the one that is read they bound the memory, as several files
/// are copied at once.
const PIECES_AT_ONCE: usize = 2;

/// What a call has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Files or objects that were copied.
    pub copied: usize,
    /// Those that were there already: as long as what would be copied, and not older.
    pub there: usize,
    /// Bytes of those that were copied.
    pub bytes: u64,
}

/// Fetches what lies below a place and the folder lacks. With a shard it fetches only what lies below the names of that
/// part: a name is what stands before the first `/`, such as that of a model.
///
/// Hidden names, and those of files that somebody writes, are left out. A file has the time of its object, so that the
/// next call can tell whether the object has changed since, whatever the clock here says. The client asks again where a
/// store does not answer or breaks off.
///
/// # Errors
///
/// Nothing lies below the place, the store or the file system refuses, or a name can be no file's. What was fetched
/// stays, and the next call goes on.
pub fn get(
    place: &Place,
    folder: &Path,
    shard: Option<Shard>,
    runtime: &Runtime,
) -> Result<Copied, Error> {
    let listed: Vec<ObjectMeta> = runtime
        .block_on(place.store.list(Some(&place.prefix)).try_collect())
        .map_err(Error::store(place))?;
    if listed.is_empty() {
        return Err(Error::Empty {
            place: place.to_string(),
        });
    }
    let mut objects = listed
        .into_iter()
        .map(|object| Ok((relative(place, &object)?, object)))
        .collect::<Result<Vec<_>, Error>>()?;
    objects.retain(|(path, _)| path.iter().all(|part| part.to_str().is_some_and(is_stored)));
    // Consoles of stores make folders by empty objects of their names.
    let folders: BTreeSet<PathBuf> = objects
        .iter()
        .flat_map(|(path, _)| path.ancestors().skip(1).map(Path::to_owned))
        .collect();
    objects.retain(|(path, object)| object.size != 0 || !folders.contains(path));
    if let Some(shard) = shard {
        let first = |path: &Path| path.components().next().map(|c| c.as_os_str().to_owned());
        let names: BTreeSet<_> = objects.iter().filter_map(|(path, _)| first(path)).collect();
        let mine: BTreeSet<_> = {
            let range = shard.range(names.len());
            names
                .into_iter()
                .skip(range.start)
                .take(range.len())
                .collect()
        };
        objects.retain(|(path, _)| first(path).is_some_and(|name| mine.contains(&name)));
    }
    for_each(&objects, |(path, object)| {
        let path = folder.join(path);
        let stored = SystemTime::from(object.last_modified);
        let is_there = |file: Metadata| {
            let is_newer = file.modified().is_ok_and(|modified| modified >= stored);
            file.is_file() && file.len() == object.size && is_newer
        };
        if path.metadata().is_ok_and(is_there) {
            return Ok(None);
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(Error::io(parent, "cannot be made"))?;
        }
        let refused = || Error::store(place.name(&object.location));
        let found = runtime
            .block_on(place.store.get(&object.location))
            .map_err(refused())?;
        let mut pieces = found.into_stream();
        let mut reason = None;
        let written = whole_file::write_with(&path, |out| {
            let mut because = |error| {
                reason = Some(error);
                std::io::Error::other("the object cannot be read")
            };
            let mut bytes = 0;
            while let Some(piece) = runtime.block_on(pieces.next()) {
                let piece = piece.map_err(|error| because(refused()(error)))?;
                out.write_all(&piece)?;
                bytes += piece.len() as u64;
            }
            // A file that is too short must not get its name.
            same_length(place.name(&object.location), bytes, object.size).map_err(because)?;
            out.flush()
        });
        match written {
            Ok(()) => {
                // Where a file system keeps no such times, the time of writing has to do.
                let file = std::fs::File::options().write(true).open(&path);
                let _ = file.and_then(|file| file.set_modified(stored));
                Ok(Some(object.size))
            }
            Err(source) => {
                Err(reason.unwrap_or_else(|| Error::io(path, "cannot be written")(source)))
            }
        }
    })
}

/// Stores the files of a folder, and of those below it, that a place lacks.
///
/// Hidden files, those that somebody writes, and links are left out. Whether a file has changed since it was stored is
/// told by this machine's clock and the store's.
///
/// # Errors
///
/// The store or the file system refuses, or a name can be no object's. What was stored stays, and the next call goes
/// on.
pub fn put(folder: &Path, place: &Place, runtime: &Runtime) -> Result<Copied, Error> {
    let mut files = Vec::new();
    list(folder, &mut Vec::new(), &mut files)?;
    for_each(&files, |(parts, path)| {
        let mut object = place.prefix.clone();
        for part in parts {
            // Taken as it is: the other conversion replaces some characters, and the name would not come back.
            let part = PathPart::parse(part).map_err(|_| Error::Name {
                name: path.to_string_lossy().escape_default().to_string(),
            })?;
            object.extend([part]);
        }
        let unreadable = || Error::io(path, "cannot be read");
        let mut file = whole_file::open_regular(path).map_err(unreadable())?;
        let about = file.metadata().map_err(unreadable())?;
        let modified = about.modified().map_err(unreadable())?;
        let refused = || Error::store(place.name(&object));
        match runtime.block_on(place.store.head(&object)) {
            Ok(there)
                if there.size == about.len()
                    && SystemTime::from(there.last_modified) >= modified =>
            {
                return Ok(None);
            }
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(refused()(error)),
        }
        let mut next = || -> Result<Vec<u8>, Error> {
            let mut piece = Vec::new();
            let mut rest = (&mut file).take(PIECE as u64);
            rest.read_to_end(&mut piece).map_err(unreadable())?;
            Ok(piece)
        };
        let first = next()?;
        if first.len() < PIECE {
            let bytes = first.len() as u64;
            same_length(path.display(), bytes, about.len())?;
            runtime
                .block_on(place.store.put(&object, first.into()))
                .map_err(refused())?;
            return Ok(Some(bytes));
        }
        let upload = runtime
            .block_on(place.store.put_multipart(&object))
            .map_err(refused())?;
        // Its pieces are sent by tasks of the runtime, which must be entered for that.
        let _entered = runtime.enter();
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PIECE);
        let send = || {
            let (mut piece, mut bytes) = (first, 0);
            while !piece.is_empty() {
                runtime
                    .block_on(upload.wait_for_capacity(PIECES_AT_ONCE))
                    .map_err(refused())?;
                bytes += piece.len() as u64;
                upload.put(piece.into());
                piece = next()?;
            }
            same_length(path.display(), bytes, about.len())?;
            Ok(bytes)
        };
        let bytes = match send() {
            Ok(bytes) => bytes,
            Err(error) => {
                // Stores keep the pieces, at a price, until somebody says that nothing will become of them. The first
                // error is of more use than a second.
                let _ = runtime.block_on(upload.abort());
                return Err(error);
            }
        };
        // The object appears now, whole.
        runtime.block_on(upload.finish()).map_err(refused())?;
        Ok(Some(bytes))
    })
}

/// Does something with each of some items, several at once; gives the first error. `work` gives the bytes that it
/// copied, if it did.
fn for_each<T: Sync>(
    items: &[T],
    work: impl Fn(&T) -> Result<Option<u64>, Error> + Sync,
) -> Result<Copied, Error> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Ok(Copied {
        copied: 0,
        there: 0,
        bytes: 0,
    }));
    let locked = || done.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(items.len()) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(item);
                    let mut done = locked();
                    match (&mut *done, result) {
                        (Err(_), _) => return,
                        (Ok(_), Err(error)) => {
                            *done = Err(error);
                            return;
                        }
                        (Ok(done), Ok(Some(bytes))) => {
                            done.copied += 1;
                            done.bytes += bytes;
                        }
                        (Ok(done), Ok(None)) => done.there += 1,
                    }
                }
            });
        }
    });
    done.into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What was copied is as long as it was said to be.
fn same_length(name: impl std::fmt::Display, found: u64, expected: u64) -> Result<(), Error> {
    match found == expected {
        true => Ok(()),
        false => Err(Error::Length {
            name: name.to_string(),
            found,
            expected,
        }),
    }
}

/// An object's name below the place, as a file's below a folder.
fn relative(place: &Place, object: &ObjectMeta) -> Result<PathBuf, Error> {
    let wrong = || Error::Name {
        name: place.name(&object.location).escape_default().to_string(),
    };
    let parts = object
        .location
        .prefix_match(&place.prefix)
        .ok_or_else(wrong)?;
    let mut path = PathBuf::new();
    for part in parts {
        if !is_name(part.as_ref()) {
            return Err(wrong());
        }
        path.push(part.as_ref());
    }
    match path.as_os_str().is_empty() {
        true => Err(wrong()),
        false => Ok(path),
    }
}

/// Whether this is the name of one file on every system, and of an object.
fn is_name(text: &str) -> bool {
    let mut components = Path::new(text).components();
    let is_normal = matches!(components.next(), Some(Component::Normal(name)) if name == text);
    let is_plain = !text.contains(|c: char| c.is_control() || matches!(c, '\\' | ':'));
    is_normal && is_plain && components.next().is_none()
}

/// Adds the regular files below a folder, each with the names that lead to it.
fn list(
    folder: &Path,
    above: &mut Vec<String>,
    files: &mut Vec<(Vec<String>, PathBuf)>,
) -> Result<(), Error> {
    let unreadable = || Error::io(folder, "cannot be read");
    for entry in std::fs::read_dir(folder).map_err(unreadable())? {
        let entry = entry.map_err(unreadable())?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| !is_stored(name)) {
            continue;
        }
        let kind = entry.file_type().map_err(unreadable())?;
        if !kind.is_dir() && !kind.is_file() {
            continue;
        }
        let Some(name) = name.to_str().filter(|name| is_name(name)) else {
            return Err(Error::Name {
                name: entry.path().to_string_lossy().escape_default().to_string(),
            });
        };
        above.push(name.to_owned());
        if kind.is_dir() {
            list(&entry.path(), above, files)?;
        } else {
            files.push((above.clone(), entry.path()));
        }
        above.pop();
    }
    Ok(())
}

fn is_stored(name: &str) -> bool {
    !name.starts_with('.') && !name.ends_with(".partial")
}
