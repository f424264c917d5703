use std::sync::Arc;

use ganspace::{Basis, Edit, EditBook, LatentDirections, LayerRange, apply_edits};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::edit::{Bases, Space};
use crate::{Context, Error, Model};

/// A change of a picture along a direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Along what.
    #[serde(flatten)]
    pub direction: Direction,
    /// In standard deviations of the component.
    pub strength: f64,
}

/// A direction of a model's latents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Direction {
    /// One of the model's named edits.
    Named {
        /// Its name in the file of edits.
        edit: String,
    },
    /// A principal component of w.
    Component {
        /// Counted from 0.
        component: usize,
        /// The layers that it moves.
        layers: LayerRange,
    },
}

impl Model {
    /// The basis of components where nothing else is asked for.
    pub fn usual_basis(&self) -> Basis {
        Space::W.usual_basis(self.generator.mapping.w_dim(), 0)
    }

    /// The principal components of w as a basis says; computed once, and kept in the context. Those of a model with
    /// classes are of its first.
    ///
    /// # Errors
    ///
    /// The basis is of something else than w, or its numbers make no components.
    pub fn directions(
        &self,
        basis: &Basis,
        context: &Context,
    ) -> Result<Arc<LatentDirections>, Error> {
        context
            .directions
            .get(self, basis, || self.components(basis, context))
    }

    /// The named edits of the model's file; none where it has no file.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn edits(&self) -> Result<EditBook, Error> {
        let file = self.edits_file();
        match whole_file::is_file(&file) {
            true => Ok(EditBook::load(file)?),
            false => Ok(EditBook::default()),
        }
    }

    fn components(&self, basis: &Basis, context: &Context) -> Result<LatentDirections, Error> {
        if basis.space != "w" {
            return Err(Error::Model {
                model: self.name.clone(),
                problem: format!(
                    "components of {} are computed by `edit` only; use those of w",
                    basis.space
                ),
            });
        }
        // Computed as `edit` does, so that a component is the same there.
        let class = (self.generator.mapping.c_dim() > 0).then_some(0);
        Bases::new(self, class, context.device()).directions(basis, &mut ())
    }

    fn edit(&self, direction: &Direction, context: &Context) -> Result<Edit, Error> {
        match direction {
            Direction::Named { edit } => {
                let book = self.edits()?;
                let named = book.get(edit)?;
                let directions = self.directions(&named.basis, context)?;
                Ok(named.edit(edit, &self.name, &directions)?)
            }
            Direction::Component { component, layers } => {
                let directions = self.directions(&self.usual_basis(), context)?;
                Ok(directions.edit(*component, *layers)?)
            }
        }
    }
}

/// Moves latents `[num_ws, w_dim]` along all of the changes at once.
pub(crate) fn apply(
    changes: &[Change],
    w_plus: &mut Array2<f32>,
    model: &Model,
    context: &Context,
) -> Result<(), Error> {
    let edits = changes
        .iter()
        .map(|change| Ok((model.edit(&change.direction, context)?, change.strength)))
        .collect::<Result<Vec<(Edit, f64)>, Error>>()?;
    let edits: Vec<(&Edit, f64)> = edits
        .iter()
        .map(|(edit, strength)| (edit, *strength))
        .collect();
    match edits.is_empty() {
        true => Ok(()),
        false => Ok(apply_edits(&edits, w_plus)?),
    }
}
