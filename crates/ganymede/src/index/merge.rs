use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use feature_stats::Moments;

use super::build::{self, Built, Statistics};
use super::options::MergeOptions;
use super::part::{self, PART_SUFFIX, Part, PartRecord, Source};
use super::protocol::Protocol;
use super::shard::WrittenPart;
use crate::files::ShownPath;
use crate::{Context, Error, Observer, Phase};

/// Makes the index of a zoo from parts that [`build_part`](fn@super::build_part) wrote. It equals the index that
/// [`build`](fn@super::build) makes of the same statistics, byte by byte, however the models were divided: sums go through the models by name.
///
/// One part is in memory at a time. Each is read three times, for what it holds, for the principal components and for the models, so that parts of a
/// few neighboring models are the best. Of a model that several parts have, the first one counts.
///
/// # Errors
///
/// A part cannot be read, parts were sampled differently or from different generators, a model of the zoo is in none of them, or the index cannot be
/// written; [`Error::Cancelled`] when the observer ends the job.
pub fn merge(
    options: &MergeOptions,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Built, Error> {
    let zoo = super::open(options.zoo.as_deref(), context)?;
    let parts = Parts::open(&options.parts, observer)?;
    let missing: Vec<&str> = zoo
        .names()
        .into_iter()
        .filter(|name| !parts.models.contains_key(*name) && !parts.left_out.contains(*name))
        .collect();
    if !missing.is_empty() && !options.partial {
        return Err(Error::option(
            "parts",
            "",
            format!(
                "{} of {} models of the zoo are in none of them, such as {}; make the parts that are missing, or allow a partial index (partial)",
                missing.len(),
                zoo.models().len(),
                missing[0]
            ),
        ));
    }
    let components = build::shared_components(
        parts.statistics("principal components", observer),
        options.dimension,
    )?;
    let builder = build::builder(
        parts.statistics("models", observer),
        &components,
        options.ridge,
    )?;
    let models = parts.models.into_iter();
    let built = build::write(
        &zoo,
        builder,
        parts.protocol,
        options.dimension,
        options.ridge,
        models.map(|(name, found)| (name, found.source)).collect(),
    )?;
    build::keep_own_scores(&zoo, None, context, observer)?;
    Ok(built)
}

/// Makes one part of several, for merging in a tree.
///
/// # Errors
///
/// As for [`merge`](fn@merge), but that no zoo is looked at.
pub fn merge_parts(
    parts: &[PathBuf],
    folder: &Path,
    observer: &mut dyn Observer,
) -> Result<WrittenPart, Error> {
    let parts = Parts::open(parts, observer)?;
    let moments = parts
        .statistics("models", observer)
        .map(|model| model.map(|(name, moments)| (name.to_owned(), moments.into_owned())))
        .collect::<Result<Vec<_>, Error>>()?;
    let models = parts.models.iter();
    let record = PartRecord {
        protocol: parts.protocol.clone(),
        models: models
            .map(|(name, found)| (name.clone(), found.source.clone()))
            .collect(),
        left_out: parts.left_out.clone(),
    };
    let path = part::save(folder, &record, moments)?;
    Ok(WrittenPart {
        part: ShownPath(path),
        models: record.models.into_keys().collect(),
    })
}

/// What several parts hold together.
struct Parts {
    protocol: Protocol,
    models: BTreeMap<String, Found>,
    left_out: BTreeSet<String>,
}

/// A model, and the part that it is in.
struct Found {
    source: Source,
    part: PathBuf,
}

impl Parts {
    /// Reads what the files and folders hold.
    fn open(paths: &[PathBuf], observer: &mut dyn Observer) -> Result<Self, Error> {
        let files = files_of(paths)?;
        let mut all: Option<(Self, &Path)> = None;
        observer.begin(&Phase::new("parts", files.len()));
        for (position, path) in files.iter().enumerate() {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let PartRecord {
                protocol,
                models,
                left_out,
            } = Part::open(path)?.record;
            let (parts, first) = all.get_or_insert_with(|| {
                let parts = Self {
                    protocol: protocol.clone(),
                    models: BTreeMap::new(),
                    left_out: BTreeSet::new(),
                };
                (parts, path)
            });
            if protocol != parts.protocol {
                return Err(differs(path, first, "sampled", &protocol, &parts.protocol));
            }
            parts.left_out.extend(left_out);
            for (model, source) in models {
                match parts.models.entry(model) {
                    Entry::Vacant(entry) => {
                        entry.insert(Found {
                            source,
                            part: path.clone(),
                        });
                    }
                    Entry::Occupied(known) if known.get().source != source => {
                        let what = format!("of {}", checkpoint::shown(known.key()));
                        let (found, known) = (&source, known.get());
                        return Err(differs(path, &known.part, &what, found, &known.source));
                    }
                    Entry::Occupied(_) => {}
                }
            }
            observer.position(position as u64 + 1);
        }
        observer.end();
        let Some((mut parts, _)) = all else {
            return Err(Error::option("parts", "", "none given"));
        };
        // What one process had to leave out another may have sampled.
        parts
            .left_out
            .retain(|name| !parts.models.contains_key(name));
        Ok(parts)
    }

    /// All models in the order of their names, read one after the other.
    fn statistics<'p>(
        &'p self,
        what: &str,
        observer: &'p mut dyn Observer,
    ) -> impl Iterator<Item = Statistics<'p>> {
        observer.begin(&Phase::new(what, self.models.len()));
        let count = self.models.len();
        let mut at_hand: Option<(&Path, Part)> = None;
        let mut read = move |position: usize, name: &str, found: &'p Found| {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let part = match at_hand.take() {
                Some((path, part)) if path == found.part => part,
                _ => Part::open(&found.part)?,
            };
            let moments: Moments = part.moments(name)?;
            at_hand = Some((&found.part, part));
            observer.position(position as u64 + 1);
            if position + 1 == count {
                observer.end();
            }
            Ok(moments)
        };
        let models = self.models.iter().enumerate();
        models.map(move |(position, (name, found))| {
            Ok((&**name, Cow::Owned(read(position, name, found)?)))
        })
    }
}

/// Two files that cannot become one index.
fn differs(
    path: &Path,
    other: &Path,
    what: &str,
    found: &impl serde::Serialize,
    expected: &impl serde::Serialize,
) -> Error {
    let shown =
        |value: Result<String, _>| value.unwrap_or_else(|e: serde_json::Error| e.to_string());
    Error::File {
        path: path.to_owned(),
        problem: format!(
            "{what} {}, but {} is {what} {}; merge parts that were made alike",
            shown(serde_json::to_string(found)),
            other.display(),
            shown(serde_json::to_string(expected))
        ),
    }
}

/// The files that are named, and those of parts in the folders that are named, each once and by name.
fn files_of(paths: &[PathBuf]) -> Result<BTreeSet<PathBuf>, Error> {
    let mut files = BTreeSet::new();
    for path in paths {
        if !path.is_dir() {
            files.insert(path.clone());
            continue;
        }
        let unreadable = || Error::io(path, "the folder of parts cannot be read");
        for entry in std::fs::read_dir(path).map_err(unreadable())? {
            let entry = entry.map_err(unreadable())?.path();
            let name = entry.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| name.ends_with(PART_SUFFIX)) {
                files.insert(entry);
            }
        }
    }
    Ok(files)
}
