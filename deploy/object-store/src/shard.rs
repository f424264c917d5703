use std::ops::Range;
use std::str::FromStr;

/// The `I`-th of `N` parts, written `I/N` and counted from 1; its members are neighbors, as in `index build --shard`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Counted from 0.
    index: u64,
    count: u64,
}

impl Shard {
    /// The positions of this part among so many, as evenly as can be.
    pub fn range(self, length: usize) -> Range<usize> {
        let start = |index: u64| {
            let place = u128::from(index) * length as u128 / u128::from(self.count);
            usize::try_from(place).unwrap_or(length)
        };
        start(self.index)..start(self.index + 1)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text
            .split_once('/')
            .and_then(|(i, n)| Some((i.parse::<u64>().ok()?, n.parse::<u64>().ok()?)));
        match numbers {
            Some((i, count)) if (1..=count).contains(&i) => Ok(Self {
                index: i - 1,
                count,
            }),
            _ => Err("expected I/N with I from 1 to N, such as 1/8".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn parts_are_all_and_share_none() {
        for (length, count) in [(27, 4), (3, 5), (0, 2)] {
            let mut next = 0;
            for i in 1..=count {
                let range = format!("{i}/{count}")
                    .parse::<Shard>()
                    .unwrap()
                    .range(length);
                assert_eq!(range.start, next);
                next = range.end;
            }
            assert_eq!(next, length);
        }
        for wrong in ["0/2", "3/2", "1", "a/b", "1/0", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
