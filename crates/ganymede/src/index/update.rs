//! Changing an index model by model, with the principal components it has.

use std::path::Path;

use feature_stats::Ddof;
use model_zoo::Zoo;
use retrieval_gaussian::{Index, IndexBuilder, IndexFile};
use serde::{Deserialize, Serialize};

use super::build;
use super::options::ChangeOptions;
use super::own_scores::keep_own_scores;
use super::protocol::Protocol;
use crate::features::UnitFeatures;
use crate::files::ShownPath;
use crate::index_record::IndexRecord;
use crate::{Context, Error, Observer, digest};

/// Samples models that are new in the zoo and appends them, without touching the others; gives the number of models
/// that the index then has.
///
/// # Errors
///
/// There is no index or no such model, a model cannot be sampled, or a file cannot be written; [`Error::Cancelled`]
/// when the observer ends the job.
pub fn add(
    names: &[String],
    options: &ChangeOptions,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<usize, Error> {
    let zoo = super::open(options.zoo.as_deref(), context)?;
    let added = Sampled::new(&zoo, names, options, context, observer)?;
    let mut file = IndexFile::open(zoo.index_path())?;
    file.append(&added.models)?;
    added.record.write(&zoo.index_path())?;
    let models = file.len();
    drop(file);
    let bad = keep(&zoo, options, context, observer)?;
    Ok(models - bad.len())
}

/// Takes models out of the index of a zoo, that of the weights folder without one; gives the number of models that are
/// left.
///
/// # Errors
///
/// There is no index, one of the models is not in it, or a file cannot be written.
pub fn remove(names: &[String], zoo: Option<&Path>, context: &Context) -> Result<usize, Error> {
    remove_from(&super::open(zoo, context)?.index_path(), names)
}

/// Takes models out of an index and its record; gives the number of models that are left.
pub(super) fn remove_from(index: &Path, names: &[String]) -> Result<usize, Error> {
    let mut record = IndexRecord::read(index)?;
    let mut file = IndexFile::open(index)?;
    let removed: Vec<&str> = names.iter().map(String::as_str).collect();
    file.remove(&removed)?;
    for name in names {
        record.forget(name);
    }
    record.write(index)?;
    Ok(file.len())
}

/// What an index needed to be up to date.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Updated {
    /// Its file.
    pub index: ShownPath,
    /// Models that it did not have.
    pub new: usize,
    /// Models with another generator than before.
    pub changed: usize,
    /// Models that the zoo no longer has.
    pub gone: usize,
    /// Models that were taken out, or not taken in, because they cannot be sampled.
    pub left_out: usize,
    /// How many it has now.
    pub models: usize,
}

impl Updated {
    /// Whether nothing was to be done.
    pub fn was_up_to_date(&self) -> bool {
        (self.new, self.changed, self.gone, self.left_out) == (0, 0, 0, 0)
    }
}

/// Samples what is new in the zoo or has another generator now, takes out what is gone, and leaves all else as it is.
///
/// The principal components stay those of the models that the index was built of; [`build`](fn@super::build) fits them
/// anew.
///
/// # Errors
///
/// As [`add`].
pub fn update(
    options: &ChangeOptions,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Updated, Error> {
    let zoo = super::open(options.zoo.as_deref(), context)?;
    let path = zoo.index_path();
    let record = IndexRecord::read(&path)?;
    let (outdated, before) = {
        let index = Index::open(&path)?;
        let indexed: Vec<&str> = index.names().collect();
        (record.outdated(&zoo, &indexed)?, indexed.len())
    };
    let updated = |models: usize, left_out: &[String]| {
        let taken_in = |names: &[String]| names.iter().filter(|n| !left_out.contains(n)).count();
        Updated {
            index: ShownPath(path.clone()),
            new: taken_in(&outdated.new),
            changed: taken_in(&outdated.changed),
            gone: outdated.gone.len(),
            left_out: left_out.len(),
            models,
        }
    };
    let wanted = [outdated.new.as_slice(), &outdated.changed].concat();
    let stale: Vec<&str> = outdated
        .changed
        .iter()
        .chain(&outdated.gone)
        .map(String::as_str)
        .collect();
    if wanted.is_empty() && stale.is_empty() {
        // Indexes of earlier versions keep no scores.
        let bad = keep(&zoo, options, context, observer)?;
        return Ok(updated(before - bad.len(), &bad));
    }
    let mut sampled = Sampled::new(&zoo, &wanted, options, context, observer)?;
    for name in &outdated.gone {
        sampled.record.forget(name);
    }
    let mut file = IndexFile::open(&path)?;
    file.remove(&stale)?;
    file.append(&sampled.models)?;
    let models = file.len();
    drop(file);
    // In one piece, without what was removed.
    Index::open(&path)?.save(&path)?;
    for name in &wanted {
        sampled.record.own_scores.remove(name);
    }
    sampled.record.write(&path)?;
    let bad = keep(&zoo, options, context, observer)?;
    let left = models - bad.len();
    Ok(updated(left, &[sampled.left_out, bad].concat()))
}

/// Models as the index takes them, and its record with them.
struct Sampled {
    models: IndexBuilder,
    record: IndexRecord,
    /// Models that could not be sampled.
    left_out: Vec<String>,
}

impl Sampled {
    /// Samples models as the index was sampled.
    fn new(
        zoo: &Zoo,
        names: &[String],
        options: &ChangeOptions,
        context: &Context,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        let index = zoo.index_path();
        let mut record = IndexRecord::read(&index)?;
        let mut models = IndexBuilder::new(Index::open(&index)?.settings().clone())?;
        let mut left_out = Vec::new();
        if names.is_empty() {
            return Ok(Self {
                models,
                record,
                left_out,
            });
        }
        let device = context.device();
        let features = UnitFeatures::load(
            &record.features,
            options.features_file.as_deref(),
            &context.weights()?,
            device,
        )?;
        let protocol = Protocol::of(&record);
        for name in names {
            let model = zoo.model(name)?;
            let generator = digest::of_file(&model.generator_path())?;
            let class = options.class.or(record.classes.get(name).copied());
            let sampled = protocol.moments(
                model,
                class,
                &features,
                options.moments.as_deref(),
                device,
                observer,
            );
            let moments = match sampled {
                Ok(moments) => moments,
                Err(error) => {
                    build::left_out(name, error, options.skip_bad, observer)?;
                    record.forget(name);
                    left_out.push(name.clone());
                    continue;
                }
            };
            models.add(name, &moments.mean_covariance(Ddof::Sample)?)?;
            record.generators.insert(name.clone(), generator);
            match build::class_of(model, class, device)? {
                Some(class) => record.classes.insert(name.clone(), class),
                None => record.classes.remove(name),
            };
        }
        Ok(Self {
            models,
            record,
            left_out,
        })
    }
}

/// Keeps the scores of own samples that the record does not have yet; gives the names of models that were taken out for
/// theirs.
fn keep(
    zoo: &Zoo,
    options: &ChangeOptions,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Vec<String>, Error> {
    keep_own_scores(
        zoo,
        options.features_file.as_deref(),
        options.moments.as_deref(),
        options.skip_bad,
        context,
        observer,
    )
}
