use ndarray::{Array1, Array2, ArrayView1};

use crate::GanspaceError;
use crate::sample_checks::check_finite;

/// Vectors whose angle is nearer to 0 or to half a turn than this, in radians, are taken as parallel: the great circle
/// through them is lost in the rounding of f32 latents.
const PARALLEL: f64 = 1e-5;

/// How latents between two latents are made.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Interpolation {
    /// `(1 - t) a + t b`. W is close to flat, so this is what StyleGAN's authors use there.
    #[default]
    Linear,
    /// Spherical linear interpolation (Shoemake, "Animating rotation with quaternion curves", 1985) of each layer about
    /// a center, usually the mean latent: the direction from the center turns along the great circle at an even rate,
    /// the distance from it changes linearly. A straight line would pass closer to the center, where images are
    /// average.
    ///
    /// Directions that are parallel or opposite have no single great circle; such layers go along the straight line.
    Spherical {
        /// `[w_dim]`.
        center: Array1<f32>,
    },
}

impl Interpolation {
    /// The latent at `t` in [0, 1] between `a` and `b`, both `[num_ws, w_dim]`; exactly `a` at 0 and `b` at 1.
    ///
    /// # Errors
    /// When the shapes of the latents differ, the center has another dimension, or a number is not finite.
    pub fn between(
        &self,
        a: &Array2<f32>,
        b: &Array2<f32>,
        t: f64,
    ) -> Result<Array2<f32>, GanspaceError> {
        self.check(a)?;
        self.check(b)?;
        check_same_latents(b, a)?;
        check_finite("the position between two latents", [t])?;
        Ok(self.checked_between(a, b, t))
    }

    pub(crate) fn check(&self, latent: &Array2<f32>) -> Result<(), GanspaceError> {
        check_finite("a latent", latent.iter().map(|v| f64::from(*v)))?;
        if let Self::Spherical { center } = self {
            check_finite(
                "the center of an interpolation",
                center.iter().map(|v| f64::from(*v)),
            )?;
            if center.len() != latent.ncols() {
                return Err(GanspaceError::WrongSize {
                    what: "the center of an interpolation",
                    unit: "dimensions",
                    found: center.len(),
                    expected: latent.ncols(),
                });
            }
        }
        Ok(())
    }

    /// As [`between`](Self::between), for latents that were checked.
    pub(crate) fn checked_between(&self, a: &Array2<f32>, b: &Array2<f32>, t: f64) -> Array2<f32> {
        // Rounding must not move the ends.
        if t == 0.0 {
            return a.clone();
        }
        if t == 1.0 {
            return b.clone();
        }
        let mut between = Array2::zeros(a.dim());
        for ((mut row, a), b) in between.rows_mut().into_iter().zip(a.rows()).zip(b.rows()) {
            let (a, b) = (a.mapv(f64::from), b.mapv(f64::from));
            let made = match self {
                Self::Linear => linear(&a, &b, t),
                Self::Spherical { center } => spherical(&a, &b, &center.mapv(f64::from), t),
            };
            row.assign(&made.mapv(|value| value as f32));
        }
        between
    }
}

pub(crate) fn check_same_latents(
    found: &Array2<f32>,
    expected: &Array2<f32>,
) -> Result<(), GanspaceError> {
    for (unit, found, expected) in [
        ("layers", found.nrows(), expected.nrows()),
        ("dimensions", found.ncols(), expected.ncols()),
    ] {
        if found != expected {
            return Err(GanspaceError::WrongSize {
                what: "the second latent of a path",
                unit,
                found,
                expected,
            });
        }
    }
    Ok(())
}

fn linear(a: &Array1<f64>, b: &Array1<f64>, t: f64) -> Array1<f64> {
    a * (1.0 - t) + b * t
}

fn spherical(a: &Array1<f64>, b: &Array1<f64>, center: &Array1<f64>, t: f64) -> Array1<f64> {
    let (from, to) = (a - center, b - center);
    let (length_from, length_to) = (length(from.view()), length(to.view()));
    if length_from == 0.0 || length_to == 0.0 {
        return linear(a, b, t);
    }
    let (from, to) = (from / length_from, to / length_to);
    // Through sine and cosine the angle is exact also where its cosine is flat.
    let sine = length((&to - &from).view()) * length((&to + &from).view()) / 2.0;
    let angle = sine.atan2(from.dot(&to));
    if sine < PARALLEL {
        return linear(a, b, t);
    }
    let direction = (from * ((1.0 - t) * angle).sin() + to * (t * angle).sin()) / sine;
    center + direction * ((1.0 - t) * length_from + t * length_to)
}

fn length(vector: ArrayView1<'_, f64>) -> f64 {
    vector.dot(&vector).sqrt()
}
