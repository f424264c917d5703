use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::GanspaceError;

/// Modulated layers of a synthesis network, counted from 0: rows of `w_plus`.
///
/// As text `4-7` is the layers from 4 to 7, both included, `4` one layer, `all` every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LayerRange {
    first: usize,
    /// Included; none is the last that there is.
    last: Option<usize>,
}

impl LayerRange {
    /// Every layer.
    pub const ALL: Self = Self {
        first: 0,
        last: None,
    };

    /// From `first` to `last`, both included.
    ///
    /// # Errors
    /// When they run backwards.
    pub fn new(first: usize, last: usize) -> Result<Self, GanspaceError> {
        if first > last {
            return Err(GanspaceError::InvalidLayers {
                found: format!("{first}-{last}"),
            });
        }
        Ok(Self {
            first,
            last: Some(last),
        })
    }

    /// The rows of `w_plus` with `num_ws` layers.
    ///
    /// # Errors
    /// When there are not so many.
    pub fn rows(&self, num_ws: usize) -> Result<Range<usize>, GanspaceError> {
        let end = self.last.map_or(num_ws, |last| last.saturating_add(1));
        if end > num_ws || num_ws == 0 {
            return Err(GanspaceError::MissingLayers {
                found: self.to_string(),
                last: num_ws.saturating_sub(1),
            });
        }
        Ok(self.first..end)
    }
}

impl fmt::Display for LayerRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last {
            None => f.write_str("all"),
            Some(last) if last == self.first => write!(f, "{last}"),
            Some(last) => write!(f, "{}-{last}", self.first),
        }
    }
}

impl FromStr for LayerRange {
    type Err = GanspaceError;

    fn from_str(text: &str) -> Result<Self, GanspaceError> {
        let invalid = || GanspaceError::InvalidLayers {
            found: text.to_owned(),
        };
        if text.trim() == "all" {
            return Ok(Self::ALL);
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |part: &str| part.trim().parse::<usize>().map_err(|_| invalid());
        Self::new(number(first)?, number(last)?).map_err(|_| invalid())
    }
}

impl TryFrom<String> for LayerRange {
    type Error = GanspaceError;

    fn try_from(text: String) -> Result<Self, GanspaceError> {
        text.parse()
    }
}

impl From<LayerRange> for String {
    fn from(range: LayerRange) -> Self {
        range.to_string()
    }
}
