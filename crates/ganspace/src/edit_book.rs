use std::collections::BTreeMap;
use std::path::Path;

use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};

use crate::{Edit, GanspaceError, LatentDirections, LayerRange};

/// How far a component's standard deviation may be from the one that an edit was saved with, relative: far more than
/// backends differ by, far less than other samples make.
const STDEV_TOLERANCE: f64 = 1e-3;

/// How the directions were computed of which an edit names one, so that they can be computed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// What was sampled: `w`, or a block's activations such as `b16`.
    pub space: String,
    /// How many samples.
    pub samples: u32,
    /// How many components; those of incremental PCA depend on it.
    pub components: usize,
    /// Seed of the first sample.
    pub seed: u32,
}

/// An edit that someone found worth a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedEdit {
    /// What it does, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it moves, so that its effect can be measured again: the words are those of the program that measures it,
    /// nothing where it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub attribute: String,
    /// The model that it belongs to.
    pub model: String,
    /// The component, counted from 0; of a mixture the one with the largest weight.
    pub component: usize,
    /// Weights of the first components, for one standard deviation of each, where the edit is a
    /// [mixture](LatentDirections::mixture); empty for a component alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mixture: Vec<f64>,
    /// The layers that it moves.
    pub layers: LayerRange,
    /// The useful strengths in standard deviations: from what the name's opposite looks like to what the name says. A
    /// negative direction has the larger number first.
    pub range: [f64; 2],
    /// The component's or the mixture's standard deviation, to recognize directions that are not those it was found in.
    pub stdev: f64,
    /// The directions.
    pub basis: Basis,
}

impl NamedEdit {
    /// The edit, from the directions that [`basis`](Self::basis) describes, computed for `model`; `name` is for
    /// messages.
    ///
    /// # Errors
    /// When the model is another, the component is not there, or its standard deviation differs.
    pub fn edit(
        &self,
        name: &str,
        model: &str,
        directions: &LatentDirections,
    ) -> Result<Edit, GanspaceError> {
        if self.model != model {
            return Err(GanspaceError::WrongModel {
                edit: name.to_owned(),
                found: model.to_owned(),
                expected: self.model.clone(),
            });
        }
        let edit = match self.mixture.as_slice() {
            [] => directions.edit(self.component, self.layers)?,
            weights => directions.mixture(ArrayView1::from(weights), self.layers)?,
        };
        let found = edit.stdev();
        if (found - self.stdev).abs() > STDEV_TOLERANCE * self.stdev.abs() {
            return Err(GanspaceError::DifferentBasis {
                edit: name.to_owned(),
                component: self.component,
                found,
                expected: self.stdev,
            });
        }
        Ok(edit)
    }

    fn check(&self, name: &str) -> Result<(), GanspaceError> {
        let invalid = |reason: String| {
            Err(GanspaceError::InvalidEdit {
                name: name.to_owned(),
                reason,
            })
        };
        if name.trim().is_empty() {
            return invalid("has no name; give it one".into());
        }
        let [from, to] = self.range;
        if !from.is_finite() || !to.is_finite() || from == to {
            return invalid(format!(
                "has the range {from} to {to}; expected two different finite strengths"
            ));
        }
        if !(self.stdev.is_finite() && self.stdev > 0.0) {
            return invalid(format!(
                "has the standard deviation {}; expected a finite number above zero",
                self.stdev
            ));
        }
        if self.component >= self.basis.components {
            return invalid(format!(
                "is component {} of {}; expected a smaller number, as they are counted from 0",
                self.component, self.basis.components
            ));
        }
        if self.mixture.len() > self.basis.components {
            return invalid(format!(
                "is a mixture of {} components of {}; expected a weight for each of the first ones",
                self.mixture.len(),
                self.basis.components
            ));
        }
        if let Some(weight) = self.mixture.iter().find(|weight| !weight.is_finite()) {
            return invalid(format!(
                "has the weight {weight} in its mixture; expected finite numbers"
            ));
        }
        Ok(())
    }
}

/// Named edits, as they stand in a TOML file: a table for each, under its name.
///
/// ```
/// use ganspace::EditBook;
///
/// let text = r#"
/// [smile]
/// model = "funEmoji"
/// component = 3
/// layers = "2-5"
/// range = [-3.0, 2.5]
/// stdev = 0.81
/// basis = { space = "w", samples = 10000, components = 20, seed = 0 }
/// "#;
/// let book = EditBook::from_toml("edits.toml", text)?;
/// assert_eq!(book.get("smile")?.component, 3);
/// assert_eq!(EditBook::from_toml("a copy", &book.to_toml())?, book);
/// # Ok::<(), ganspace::GanspaceError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EditBook {
    edits: BTreeMap<String, NamedEdit>,
}

/// Longest file that is read: an edit takes a few hundred bytes.
const MAX_BYTES: u64 = 64 << 20;

impl EditBook {
    /// Reads TOML text; `name` is the file's, for messages.
    ///
    /// # Errors
    /// When the text is no TOML or an edit is not complete.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, GanspaceError> {
        let malformed = |reason: String| GanspaceError::MalformedEdits {
            name: name.to_owned(),
            reason,
        };
        let edits: BTreeMap<String, NamedEdit> =
            toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
        for (name, edit) in &edits {
            edit.check(name)
                .map_err(|error| malformed(error.to_string()))?;
        }
        Ok(Self { edits })
    }

    /// As TOML text, sorted by name.
    pub fn to_toml(&self) -> String {
        toml::to_string(&self.edits).expect("tables of numbers and texts can be written as TOML")
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, GanspaceError> {
        let path = path.as_ref();
        let text =
            whole_file::read_to_string(path, MAX_BYTES).map_err(|source| GanspaceError::Io {
                path: path.to_owned(),
                source,
            })?;
        Self::from_toml(&path.to_string_lossy(), &text)
    }

    /// Writes a file: to a temporary one beside it, which is then renamed.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), GanspaceError> {
        let path = path.as_ref();
        whole_file::write(path, self.to_toml()).map_err(|source| GanspaceError::Io {
            path: path.to_owned(),
            source,
        })
    }

    /// Adds an edit; returns the one of that name that it replaces.
    ///
    /// # Errors
    /// When the name is empty or a number of the edit makes no sense.
    pub fn insert(
        &mut self,
        name: &str,
        edit: NamedEdit,
    ) -> Result<Option<NamedEdit>, GanspaceError> {
        edit.check(name)?;
        Ok(self.edits.insert(name.to_owned(), edit))
    }

    /// The edit of a name.
    ///
    /// # Errors
    /// When there is none, with the names that there are.
    pub fn get(&self, name: &str) -> Result<&NamedEdit, GanspaceError> {
        self.edits
            .get(name)
            .ok_or_else(|| GanspaceError::UnknownEdit {
                found: name.to_owned(),
                known: match self.edits.keys().map(String::as_str).collect::<Vec<_>>() {
                    names if names.is_empty() => "none".to_owned(),
                    names => names.join(", "),
                },
            })
    }

    /// Names and edits, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &NamedEdit)> {
        self.edits.iter().map(|(name, edit)| (name.as_str(), edit))
    }
}
