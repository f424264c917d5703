use ndarray::Array2;

use crate::interpolation::check_same_latents;
use crate::{Easing, GanspaceError, Interpolation};

/// A path through latents `w_plus` in order, and back to the first where it is a loop. Every part from one latent to
/// the next takes the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Each `[num_ws, w_dim]`.
    latents: Vec<Array2<f32>>,
    interpolation: Interpolation,
    easing: Easing,
    closed: bool,
}

impl Path {
    /// Through `latents`, each `[num_ws, w_dim]`; the easing holds for each part.
    ///
    /// # Errors
    /// When there are fewer than two latents, their shapes differ from each other or from the center, or a number is
    /// not finite.
    pub fn new(
        latents: Vec<Array2<f32>>,
        interpolation: Interpolation,
        easing: Easing,
    ) -> Result<Self, GanspaceError> {
        if latents.len() < 2 {
            return Err(GanspaceError::TooFew {
                what: "latents for a path",
                found: latents.len(),
                required: 2,
            });
        }
        for latent in &latents {
            check_same_latents(latent, &latents[0])?;
            interpolation.check(latent)?;
        }
        Ok(Self {
            latents,
            interpolation,
            easing,
            closed: false,
        })
    }

    /// The same path with a last part back to the first latent.
    pub fn closed(self) -> Self {
        Self {
            closed: true,
            ..self
        }
    }

    /// Whether it is a loop.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn parts(&self) -> usize {
        self.latents.len() - usize::from(!self.closed)
    }

    /// The latent `[num_ws, w_dim]` at time `t`: 0 is the first, 1 the last, or the first again in a loop. Times beyond
    /// count as these.
    pub fn at(&self, t: f64) -> Array2<f32> {
        let parts = self.parts();
        let time = t.clamp(0.0, 1.0) * parts as f64;
        // Time 1 is the end of the last part, not the start of one more.
        let part = (time as usize).min(parts - 1);
        let next = (part + 1) % self.latents.len();
        let position = self.easing.position(time - part as f64);
        self.interpolation
            .checked_between(&self.latents[part], &self.latents[next], position)
    }

    /// Evenly spaced times of `frames` frames: from 0 to 1 with both, or without the last in a loop, which then repeats
    /// without a frame shown twice.
    ///
    /// # Errors
    /// When there are fewer than two frames.
    pub fn times(&self, frames: usize) -> Result<Vec<f64>, GanspaceError> {
        if frames < 2 {
            return Err(GanspaceError::TooFew {
                what: "frames",
                found: frames,
                required: 2,
            });
        }
        let steps = if self.closed { frames } else { frames - 1 };
        Ok((0..frames).map(|i| i as f64 / steps as f64).collect())
    }
}
