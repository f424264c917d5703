use crate::random::{Stream, below, stream};

/// An endless order of images: every epoch shows each once, in an order drawn from the seed and the epoch's number.
///
/// Positions can be asked for in any order, so that nothing but the position needs to be saved.
#[derive(Clone, Debug)]
pub struct ShuffledOrder {
    seed: u64,
    count: usize,
    /// The permutation that was asked for last, as most questions are about the same epoch.
    epoch: Option<(u64, Vec<u32>)>,
}

impl ShuffledOrder {
    /// The order of `count` images.
    ///
    /// # Panics
    /// When `count` is 0 or above 2^32.
    pub fn new(seed: u64, count: usize) -> Self {
        assert!(
            count > 0 && u32::try_from(count).is_ok(),
            "expected 1 to 2^32 images, found {count}"
        );
        Self {
            seed,
            count,
            epoch: None,
        }
    }

    /// The image at a position from the start of training.
    pub fn at(&mut self, position: u64) -> usize {
        let number = position / self.count as u64;
        let offset = (position % self.count as u64) as usize;
        if self
            .epoch
            .as_ref()
            .is_none_or(|(known, _)| *known != number)
        {
            self.epoch = Some((number, self.permutation(number)));
        }
        let (_, permutation) = self.epoch.as_ref().expect("set above");
        permutation[offset] as usize
    }

    /// Fisher and Yates' shuffle.
    fn permutation(&self, epoch: u64) -> Vec<u32> {
        let mut random = stream(self.seed, epoch, Stream::ImageOrder);
        let mut order: Vec<u32> = (0..self.count as u32).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, below(&mut random, last + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_shows_every_image_once_in_its_own_order() {
        let mut order = ShuffledOrder::new(7, 50);
        let epochs: Vec<Vec<usize>> = (0..3)
            .map(|epoch| (0..50).map(|i| order.at(epoch * 50 + i)).collect())
            .collect();
        for epoch in &epochs {
            let mut sorted = epoch.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..50).collect::<Vec<_>>());
        }
        assert_ne!(epochs[0], epochs[1]);
        assert_ne!(epochs[1], epochs[2]);
    }

    #[test]
    fn a_position_means_the_same_image_from_wherever_it_is_asked() {
        let mut straight = ShuffledOrder::new(1, 7);
        let expected: Vec<usize> = (0..40).map(|position| straight.at(position)).collect();
        let mut jumping = ShuffledOrder::new(1, 7);
        for position in [39u64, 3, 20, 0, 38, 21] {
            assert_eq!(jumping.at(position), expected[position as usize]);
        }
        let mut other = ShuffledOrder::new(2, 7);
        assert_ne!(expected, (0..40).map(|p| other.at(p)).collect::<Vec<_>>());
    }
}
