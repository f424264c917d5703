//! A part of the work, for jobs that are run many times at once.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The `I`-th of `N` parts, written `I/N` and counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// Counted from 0.
    index: usize,
    count: usize,
}

impl Shard {
    /// All of the work.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether the piece of work at a position, counted from 0, belongs to this part.
    pub fn has(self, position: usize) -> bool {
        position % self.count == self.index
    }

    /// The positions of this part where each gets neighbors of `length` pieces of work in all, as evenly as can be.
    pub fn range(self, length: usize) -> Range<usize> {
        let start = |index| (index as u128 * length as u128 / self.count as u128) as usize;
        start(self.index)..start(self.index + 1)
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text
            .split_once('/')
            .and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((i, count)) if (1..=count).contains(&i) => Ok(Self {
                index: i - 1,
                count,
            }),
            _ => Err("expected I/N with I from 1 to N, such as 1/8".to_owned()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_all_of_the_work_and_share_none() {
        for (length, count) in [(27, 4), (3, 5), (0, 2), (8, 1), (usize::MAX, 3)] {
            let part = |index| Shard { index, count };
            assert_eq!(part(0).range(length).start, 0);
            assert_eq!(part(count - 1).range(length).end, length);
            for index in 1..count {
                assert_eq!(
                    part(index - 1).range(length).end,
                    part(index).range(length).start
                );
            }
            let sizes = (0..count).map(|index| part(index).range(length).len());
            assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
        }
        for position in 0..10 {
            let owners = (0..4).filter(|index| {
                Shard {
                    index: *index,
                    count: 4,
                }
                .has(position)
            });
            assert_eq!(owners.count(), 1);
        }
    }

    #[test]
    fn parts_are_counted_from_one() {
        assert_eq!("2/8".parse(), Ok(Shard { index: 1, count: 8 }));
        assert_eq!("2/8".parse::<Shard>().unwrap().to_string(), "2/8");
        for wrong in ["0/8", "9/8", "8", "1/0", "a/b", "1/2/3", "-1/2"] {
            assert!(
                wrong.parse::<Shard>().unwrap_err().contains("I/N"),
                "{wrong}"
            );
        }
    }
}
