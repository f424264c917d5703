use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use retrieval_gaussian::Index;

use super::build::{self, Built, Statistics};
use super::options::MergeOptions;
use super::own_scores::keep_own_scores;
use super::part::{Contents, Part, PartRecord, Source};
use super::protocol::Protocol;
use super::shard::WrittenPart;
use crate::files::ShownPath;
use crate::part_file::{differs, files_of};
use crate::search::{KEPT_QUANTILES, OwnScores};
use crate::{Context, Error, Observer, Phase};

/// Makes the index of a zoo from parts that [`build_part`](fn@super::build_part) wrote. It equals the index that
/// [`build`](fn@super::build) makes of the same statistics, byte by byte, however the models were divided: sums go
/// through the models by name.
///
/// One part is in memory at a time. Each is read three times, for the principal components, for the models and for how
/// likely their own samples are, so that parts of a few neighboring models are the best. Of a model that several parts
/// have, the first one counts. Nothing is sampled, but for parts of earlier versions.
///
/// # Errors
///
/// A part cannot be read, parts were sampled differently or from different generators, a model of the zoo is in none of
/// them, or the index cannot be written; [`Error::Cancelled`] when the observer ends the job.
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
    let index = build::builder(
        parts.statistics("models", observer),
        &components,
        options.ridge,
    )?
    .build()?;
    let own_scores = parts.own_scores(&index, observer)?;
    let models = parts.models.into_iter();
    let built = build::write(
        &zoo,
        &index,
        parts.protocol,
        options.dimension,
        options.ridge,
        models.map(|(name, found)| (name, found.source)).collect(),
        own_scores,
    )?;
    // Parts of earlier versions have no samples for these.
    let features_file = options.features_file.as_deref();
    keep_own_scores(&zoo, features_file, None, false, context, observer)?;
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
    let mut contents = Contents::default();
    for model in parts.each("models", observer, |part, name| {
        Ok((part.moments(name)?, part.own_features(name)?))
    }) {
        let (name, (moments, own)) = model?;
        contents.add(name, &moments, own.as_ref().map(|own| own.view()));
    }
    let models = parts.models.iter();
    let record = PartRecord {
        protocol: parts.protocol.clone(),
        models: models
            .map(|(name, found)| (name.clone(), found.source.clone()))
            .collect(),
        left_out: parts.left_out.clone(),
    };
    let path = contents.save(folder, &record)?;
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
            } = Part::record_of(path)?;
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
                        let what = format!("of {}", checkpoint_file::shown(known.key()));
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

    /// Statistics of all models in the order of their names, read one after the other.
    fn statistics<'p>(
        &'p self,
        what: &str,
        observer: &'p mut dyn Observer,
    ) -> impl Iterator<Item = Statistics<'p>> {
        self.each(what, observer, |part, name| part.moments(name))
            .map(|model| model.map(|(name, moments)| (name, Cow::Owned(moments))))
    }

    /// How likely the models' own samples are, of those whose parts have the features of samples.
    fn own_scores(
        &self,
        index: &Index,
        observer: &mut dyn Observer,
    ) -> Result<BTreeMap<String, OwnScores>, Error> {
        self.each("own samples", observer, |part, name| {
            let features = part.own_features(name)?;
            let scores = features.map(|rows| OwnScores::of(index, name, rows.view()));
            scores.transpose()
        })
        .filter_map(|model| {
            let scored = |(name, scores): (&str, Option<OwnScores>)| {
                Some((name.to_owned(), scores?.quantiles(KEPT_QUANTILES)))
            };
            model.map(scored).transpose()
        })
        .collect()
    }

    /// What `read` takes from the part of each model, in the order of their names, one after the other.
    fn each<'p, T>(
        &'p self,
        what: &str,
        observer: &'p mut dyn Observer,
        read: impl Fn(&Part, &str) -> Result<T, Error> + 'p,
    ) -> impl Iterator<Item = Result<(&'p str, T), Error>> {
        let count = self.models.len();
        observer.begin(&Phase::new(what, count));
        let mut at_hand: Option<(&Path, Part)> = None;
        let mut read = move |position: usize, name: &str, found: &'p Found| {
            observer.go_on()?;
            let part = match at_hand.take() {
                Some((path, part)) if path == found.part => part,
                _ => Part::open(&found.part)?,
            };
            let taken = read(&part, name)?;
            at_hand = Some((&found.part, part));
            observer.position(position as u64 + 1);
            if position + 1 == count {
                observer.end();
            }
            Ok::<T, Error>(taken)
        };
        let models = self.models.iter().enumerate();
        models.map(move |(position, (name, found))| Ok((&**name, read(position, name, found)?)))
    }
}
