use ndarray::{Array1, Array2};

use crate::{GanspaceError, LayerRange};

/// A move of some layers of `w_plus` along one direction, with its strength in standard deviations:
/// `w_plus[layers] + strength stdev direction` (GANSpace, "Layer-wise edits").
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// `[w_dim]`, unit length.
    pub(crate) direction: Array1<f64>,
    pub(crate) stdev: f64,
    pub(crate) layers: LayerRange,
}

impl Edit {
    /// The unit direction, `[w_dim]`.
    pub fn direction(&self) -> &Array1<f64> {
        &self.direction
    }

    /// How far strength 1 moves each of the layers.
    pub fn stdev(&self) -> f64 {
        self.stdev
    }

    /// The layers that it moves.
    pub fn layers(&self) -> LayerRange {
        self.layers
    }

    /// Moves `w_plus`, `[num_ws, w_dim]`, by `strength` standard deviations. Strength 0 leaves it as it is, bit by bit.
    ///
    /// # Errors
    /// When the latents have another width, lack the layers, or the strength is not finite; nothing has been changed
    /// then.
    pub fn apply(&self, w_plus: &mut Array2<f32>, strength: f64) -> Result<(), GanspaceError> {
        apply_edits(&[(self, strength)], w_plus)
    }

    /// A step of the same length on the same layers in a random direction, uniform on the sphere: what an edit is to be
    /// compared with.
    ///
    /// `normal` gives standard normal numbers, one for each dimension.
    pub fn in_random_direction(&self, mut normal: impl FnMut() -> f64) -> Self {
        loop {
            let vector = Array1::from_shape_simple_fn(self.direction.len(), &mut normal);
            let length = vector.dot(&vector).sqrt();
            // Zero has no direction; a normal source gives it with probability 0.
            if length > 0.0 {
                return Self {
                    direction: vector / length,
                    ..self.clone()
                };
            }
        }
    }
}

/// Applies several edits at once, each with its strength: their sum is rounded once, so that their order does not
/// matter beyond rounding in f64.
///
/// # Errors
/// As [`Edit::apply`].
pub fn apply_edits(edits: &[(&Edit, f64)], w_plus: &mut Array2<f32>) -> Result<(), GanspaceError> {
    let (num_ws, w_dim) = w_plus.dim();
    let mut moved = w_plus.mapv(f64::from);
    for (position, (edit, strength)) in edits.iter().enumerate() {
        if edit.direction.len() != w_dim {
            return Err(GanspaceError::WrongSize {
                what: "the latent to edit",
                unit: "dimensions",
                found: w_dim,
                expected: edit.direction.len(),
            });
        }
        if !strength.is_finite() {
            return Err(GanspaceError::InvalidNumber {
                what: "the strength of an edit",
                value: *strength,
                position,
                expected: "a finite number of standard deviations",
            });
        }
        for layer in edit.layers.rows(num_ws)? {
            moved
                .row_mut(layer)
                .scaled_add(strength * edit.stdev, &edit.direction);
        }
    }
    *w_plus = moved.mapv(|value| value as f32);
    Ok(())
}
