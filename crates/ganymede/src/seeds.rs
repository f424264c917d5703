use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Seeds in the order they were written. Their text is a list such as `0-31,40`.
///
/// ```
/// use ganymede::Seeds;
///
/// let seeds: Seeds = "0-2,7".parse()?;
/// assert_eq!(seeds.0, [0, 1, 2, 7]);
/// assert_eq!(seeds.to_string(), "0-2,7");
/// # Ok::<(), ganymede::SeedsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Seeds(pub Vec<u32>);

/// More pictures than anyone looks at; a slip such as `0-99999999` would fill the disk.
const MOST: u64 = 100_000;

/// Why a list of seeds cannot be read.
#[derive(Debug)]
pub struct SeedsError(String);

impl fmt::Display for SeedsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; write seeds as 0-31,40", self.0)
    }
}

impl std::error::Error for SeedsError {}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.0.chunk_by(|a, b| a.checked_add(1) == Some(*b));
        for (index, run) in runs.enumerate() {
            let separator = if index == 0 { "" } else { "," };
            match run {
                [first, .., last] => write!(f, "{separator}{first}-{last}")?,
                _ => write!(f, "{separator}{}", run[0])?,
            }
        }
        Ok(())
    }
}

impl From<Seeds> for String {
    fn from(seeds: Seeds) -> Self {
        seeds.to_string()
    }
}

impl TryFrom<String> for Seeds {
    type Error = SeedsError;

    fn try_from(text: String) -> Result<Self, SeedsError> {
        text.parse()
    }
}

impl FromStr for Seeds {
    type Err = SeedsError;

    fn from_str(text: &str) -> Result<Self, SeedsError> {
        let number = |part: &str| {
            part.trim()
                .parse::<u32>()
                .map_err(|_| SeedsError(format!("{part:?} is no number from 0 to {}", u32::MAX)))
        };
        let mut seeds = Vec::new();
        for part in text.split(',') {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(part)?, number(part)?),
            };
            if first > last {
                return Err(SeedsError(format!("{first}-{last} runs backwards")));
            }
            if seeds.len() as u64 + u64::from(last - first) >= MOST {
                return Err(SeedsError(format!("more than {MOST} seeds")));
            }
            seeds.extend(first..=last);
        }
        Ok(Self(seeds))
    }
}
