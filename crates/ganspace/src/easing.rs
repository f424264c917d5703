use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How a path's position depends on time: both run from 0 to 1, and the second half mirrors the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Easing {
    /// `t`: the same speed throughout.
    #[default]
    Linear,
    /// `(1 - cos(pi t)) / 2`: starts and ends at rest.
    Cosine,
    /// `3 t^2 - 2 t^3`: starts and ends at rest, the cubic polynomial that does.
    SmoothStep,
    /// `6 t^5 - 15 t^4 + 10 t^3` (Perlin, "Improving noise", 2002): acceleration is 0 at both ends too.
    SmootherStep,
}

impl Easing {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Linear,
        Self::Cosine,
        Self::SmoothStep,
        Self::SmootherStep,
    ];

    /// The position at time `t`; times beyond 0 and 1 count as these.
    pub fn position(self, t: f64) -> f64 {
        let t = t.clamp(0.0, 1.0);
        match self {
            Self::Linear => t,
            Self::Cosine => (1.0 - (PI * t).cos()) / 2.0,
            Self::SmoothStep => t * t * (3.0 - 2.0 * t),
            Self::SmootherStep => t * t * t * (t * (6.0 * t - 15.0) + 10.0),
        }
    }
}
