//! Lists of seeds such as `0-31,40`.

use std::fmt;
use std::str::FromStr;

/// Seeds in the order they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
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
