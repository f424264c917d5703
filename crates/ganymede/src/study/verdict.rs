//! What an interval says of a claim.

use serde::Serialize;

use crate::statistics::Interval;

/// Of a difference, as a claim has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// Larger at the worse rank.
    Positive,
    /// Smaller there.
    Negative,
}

/// What an interval says of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The interval lies where the claim says.
    Confirmed,
    /// It reaches over zero.
    NotConfirmed,
    /// It lies on the other side.
    Reversed,
}

impl Sign {
    pub(crate) fn judge(self, difference: &Interval) -> Verdict {
        let (below, above) = (difference.high < 0.0, difference.low > 0.0);
        match (self, below, above) {
            (Self::Positive, _, true) | (Self::Negative, true, _) => Verdict::Confirmed,
            (Self::Positive, true, _) | (Self::Negative, _, true) => Verdict::Reversed,
            _ => Verdict::NotConfirmed,
        }
    }
}

impl Verdict {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::NotConfirmed => "not confirmed",
            Self::Reversed => "the reverse",
        }
    }
}
