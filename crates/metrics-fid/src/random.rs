use std::collections::HashMap;

use rand_mt::Mt;

/// Choices that are the same for a seed on every machine.
pub(crate) struct Random(Mt);

impl Random {
    pub fn new(seed: u32) -> Self {
        Self(Mt::new(seed))
    }

    /// Uniform in `0..end`.
    fn below(&mut self, end: usize) -> usize {
        // The high half of a product with 64 random bits: biased by end / 2^64 at most.
        let bits = (u64::from(self.0.next_u32()) << 32) | u64::from(self.0.next_u32());
        ((u128::from(bits) * end as u128) >> 64) as usize
    }

    /// `size` different numbers below `count` in random order: the start of a Fisher-Yates shuffle.
    ///
    /// # Panics
    /// When there are fewer than `size`.
    pub fn choose(&mut self, count: usize, size: usize) -> Vec<usize> {
        assert!(size <= count, "{size} of {count} cannot be chosen");
        // Only the places that a swap has reached, so that a few of very many take no memory.
        let mut moved = HashMap::new();
        (0..size)
            .map(|place| {
                let other = place + self.below(count - place);
                let at_place = moved.get(&place).copied().unwrap_or(place);
                moved.insert(other, at_place).unwrap_or(other)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_as_likely_at_every_place() {
        let mut random = Random::new(3);
        let mut counts = [[0u32; 5]; 3];
        const TRIALS: u32 = 5000;
        for _ in 0..TRIALS {
            let chosen = random.choose(5, 3);
            assert!(chosen[0] != chosen[1] && chosen[0] != chosen[2] && chosen[1] != chosen[2]);
            for (place, number) in chosen.into_iter().enumerate() {
                counts[place][number] += 1;
            }
        }
        // 1000 expected with a standard deviation of 28.
        assert!(
            counts
                .iter()
                .flatten()
                .all(|count| (850..1150).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn all_of_a_set_are_chosen_once() {
        let mut chosen = Random::new(0).choose(100, 100);
        chosen.sort_unstable();
        assert!(chosen.into_iter().eq(0..100));
    }
}
