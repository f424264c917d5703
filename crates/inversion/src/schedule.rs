use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How the learning rate changes over the steps, as a factor of the configured rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Schedule {
    /// Factor 1 throughout.
    Constant,
    /// The official projector's: a linear rise over the first steps and a cosine fall over the last.
    ///
    /// With t = step / steps the factor is `(0.5 - 0.5 cos(pi min(1, (1 - t) / ramp_down))) min(1, t / ramp_up)`, so
    /// the first step only fills Adam's moments.
    Ramp {
        /// Fraction of the steps over which the rate falls to 0.
        ramp_down: f64,
        /// Fraction of the steps over which it rises from 0.
        ramp_up: f64,
    },
}

impl Schedule {
    /// The official projector's ramp: down over the last quarter, up over the first twentieth.
    pub const OFFICIAL_RAMP: Self = Self::Ramp {
        ramp_down: 0.25,
        ramp_up: 0.05,
    };

    /// Factor at `step` of `steps`, counted from 0.
    ///
    /// ```
    /// use inversion::Schedule;
    ///
    /// assert_eq!(Schedule::Constant.factor(3, 10), 1.0);
    /// assert_eq!(Schedule::OFFICIAL_RAMP.factor(0, 100), 0.0);
    /// assert_eq!(Schedule::OFFICIAL_RAMP.factor(50, 100), 1.0);
    /// ```
    pub fn factor(self, step: usize, steps: usize) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Ramp { ramp_down, ramp_up } => {
                let t = step as f64 / steps as f64;
                // A ramp of length 0 is no ramp; the quotient would be 0 / 0 at its end.
                let part = |passed: f64, length: f64| {
                    if length > 0.0 {
                        (passed / length).min(1.0)
                    } else {
                        1.0
                    }
                };
                let down = 0.5 - 0.5 * (PI * part(1.0 - t, ramp_down)).cos();
                down * part(t, ramp_up)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ramp_has_its_values_at_the_quarters_of_its_ends() {
        let factor = |step| Schedule::OFFICIAL_RAMP.factor(step, 1000);
        // Rounding of f64.
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(close(factor(0), 0.0));
        assert!(close(factor(25), 0.5));
        assert!(close(factor(50), 1.0));
        assert!(close(factor(750), 1.0));
        // Half way down: 0.5 - 0.5 cos(pi / 2).
        assert!(close(factor(875), 0.5));
        assert!(close(factor(1000), 0.0));
    }

    #[test]
    fn ramps_of_no_length_leave_the_rate_alone() {
        let none = Schedule::Ramp {
            ramp_down: 0.0,
            ramp_up: 0.0,
        };
        assert!((0..10).all(|step| none.factor(step, 10) == 1.0));
    }
}
