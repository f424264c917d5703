//! What lies beside a zoo's index: how its features were made, and of which models.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use model_zoo::{Zoo, ZooModel};
use serde::{Deserialize, Serialize};

use crate::features::FeatureRecord;
use crate::search::OwnScores;
use crate::{Error, digest, files};

/// `index.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexRecord {
    /// Samples of each model.
    pub samples: u64,
    /// Seed of the first sample.
    #[serde(default)]
    pub seed: u32,
    /// Truncation of the samples.
    pub truncation_psi: f32,
    /// Principal components that features are projected on.
    pub dimension: usize,
    /// Added to the covariance's diagonal.
    pub ridge: f64,
    /// Whose features they are.
    pub features: FeatureRecord,
    /// SHA-256 of the generator file that each model's samples were made with.
    #[serde(default)]
    pub generators: BTreeMap<String, String>,
    /// Class of a conditional model's samples, of those that were sampled with one class; the others' classes were
    /// drawn uniformly.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, usize>,
    /// How likely each model's own samples are, by which a query's score is usual or not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub own_scores: BTreeMap<String, OwnScores>,
}

/// What an index does not know of a zoo's models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outdated {
    /// In the zoo and not in the index.
    pub new: Vec<String>,
    /// In both, but with another generator now, or one that is not known to be the same.
    pub changed: Vec<String>,
    /// In the index and no longer in the zoo.
    pub gone: Vec<String>,
}

impl IndexRecord {
    /// Where the record of an index lies.
    pub fn path(index: &Path) -> PathBuf {
        index.with_extension("toml")
    }

    /// Reads the record of an index.
    ///
    /// # Errors
    ///
    /// There is none, or it is none of this version.
    pub fn read(index: &Path) -> Result<Self, Error> {
        let path = Self::path(index);
        let text = whole_file::read_to_string(&path, 1 << 30).map_err(Error::io(
            &path,
            "cannot be read; it says which features the index is of; build the index again",
        ))?;
        toml::from_str(&text).map_err(|e| Error::File {
            path,
            problem: e.message().to_owned(),
        })
    }

    /// Writes the record of an index.
    ///
    /// # Errors
    ///
    /// The file system refuses.
    pub fn write(&self, index: &Path) -> Result<(), Error> {
        let path = Self::path(index);
        let text = toml::to_string_pretty(self).map_err(|e| Error::File {
            path: path.clone(),
            problem: e.to_string(),
        })?;
        files::write(&path, text.as_bytes())
    }

    /// Drops what is known of a model.
    pub(crate) fn forget(&mut self, model: &str) {
        self.generators.remove(model);
        self.classes.remove(model);
        self.own_scores.remove(model);
    }

    /// Compares the index's models, `indexed`, with those of the zoo, of which every file is read.
    ///
    /// # Errors
    ///
    /// A model's file cannot be read.
    pub fn outdated(&self, zoo: &Zoo, indexed: &[&str]) -> Result<Outdated, Error> {
        self.compare(zoo, indexed, |_| true)
    }

    /// As [`outdated`](Self::outdated), but quickly: files that were last changed before the record was written are
    /// taken for the same, so that a zoo of many large models is not read for every search.
    ///
    /// # Errors
    ///
    /// A model's file cannot be read.
    pub fn outdated_by_time(&self, zoo: &Zoo, indexed: &[&str]) -> Result<Outdated, Error> {
        let changed =
            |path: &Path| -> Option<SystemTime> { whole_file::properties(path).ok()?.changed };
        let written = changed(&Self::path(&zoo.index_path()));
        self.compare(zoo, indexed, |model| {
            let model = changed(&model.generator_path());
            // Within the clock's resolution nothing is known.
            !matches!((model, written), (Some(model), Some(written)) if model < written)
        })
    }

    fn compare(
        &self,
        zoo: &Zoo,
        indexed: &[&str],
        is_suspect: impl Fn(&ZooModel) -> bool,
    ) -> Result<Outdated, Error> {
        let mut found = Outdated::default();
        let known: HashSet<&str> = indexed.iter().copied().collect();
        for model in zoo.models() {
            let name = model.name();
            if !known.contains(name) {
                found.new.push(name.to_owned());
                continue;
            }
            let same = match self.generators.get(name) {
                None => false,
                Some(known) => {
                    !is_suspect(model) || *known == digest::of_file(&model.generator_path())?
                }
            };
            if !same {
                found.changed.push(name.to_owned());
            }
        }
        let gone = indexed.iter().filter(|name| !zoo.contains(name));
        found.gone = gone.map(|name| (*name).to_owned()).collect();
        Ok(found)
    }
}

impl Outdated {
    /// Whether the index knows the zoo as it is; models that are gone do no harm.
    pub fn is_harmless(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty()
    }
}

impl fmt::Display for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.changed.is_empty() {
            write!(
                f,
                "the index was not made of the generators that are here now: {}; their ranks may be wrong until it is brought up to date",
                self.changed.join(", ")
            )?;
        }
        if !self.new.is_empty() {
            let separator = if self.changed.is_empty() { "" } else { "; " };
            write!(
                f,
                "{separator}not in the index, and so never found: {}",
                self.new.join(", ")
            )?;
        }
        Ok(())
    }
}
