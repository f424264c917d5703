use std::sync::{Arc, Mutex, PoisonError};

use ganspace::{Basis, LatentDirections};

use crate::context::ModelKey;
use crate::recent::Recent;
use crate::{Error, Model};

/// Directions of models by their basis, computed once.
pub(crate) struct KeptDirections(Mutex<Recent<(ModelKey, Basis), Arc<LatentDirections>>>);

/// Bases that are kept.
const MOST: usize = 64;

impl Default for KeptDirections {
    fn default() -> Self {
        Self(Mutex::new(Recent::new(MOST)))
    }
}

impl KeptDirections {
    /// The directions of a basis, which `compute` gives where they are not kept. While one thread computes, others
    /// wait.
    pub(crate) fn get(
        &self,
        model: &Model,
        basis: &Basis,
        compute: impl FnOnce() -> Result<LatentDirections, Error>,
    ) -> Result<Arc<LatentDirections>, Error> {
        // Without the change of a tuned model: these are components of w, and tuning leaves the mapping network as it
        // is.
        let key = (ModelKey::of(&model.path), basis.clone());
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(directions) = kept.get(&key) {
            return Ok(directions);
        }
        let directions = Arc::new(compute()?);
        kept.insert(key, Arc::clone(&directions));
        Ok(directions)
    }
}
