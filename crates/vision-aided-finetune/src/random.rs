//! Random numbers of one iteration, from its number.

use stylegan2::RandomState;

/// What random numbers are for: streams of one iteration do not overlap.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum Stream {
    GeneratorLatents = 1,
    GeneratorAugment,
    PathLengthLatents,
    PathLengthNoise,
    DiscriminatorLatents,
    DiscriminatorFakeAugment,
    DiscriminatorRealAugment,
    Mirror,
    ImageOrder,
    R1Augment,
    InitialWeights,
    VisionAidedHead,
    VisionAidedGeneratorAugment,
    VisionAidedDiscriminatorAugment,
    Growth,
    LinearProbeLatents,
    LinearProbeSplit,
    GeneratorRealAugment,
    R2Augment,
}

/// The generator of `stream` in iteration (or epoch) `index` of the run with `seed`.
pub(crate) fn stream(seed: u64, index: u64, stream: Stream) -> RandomState {
    RandomState::from_key(&[
        seed as u32,
        (seed >> 32) as u32,
        index as u32,
        (index >> 32) as u32,
        stream as u32,
    ])
}

/// A whole number from 0 to `count - 1`.
pub(crate) fn below(random: &mut RandomState, count: usize) -> usize {
    // 53 random bits: a bias of count / 2^53 has no effect on training.
    ((random.uniform() * count as f64) as usize).min(count - 1)
}

/// A seed for another generator.
pub(crate) fn seed(random: &mut RandomState) -> u64 {
    const BITS: f64 = (1u64 << 53) as f64;
    (random.uniform() * BITS) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_and_iterations_differ_and_repeat() {
        let draw = |run: u64, index: u64, what: Stream| stream(run, index, what).uniform();
        let first = draw(1, 2, Stream::Mirror);
        assert_eq!(first, draw(1, 2, Stream::Mirror));
        for other in [
            draw(2, 2, Stream::Mirror),
            draw(1 + (1 << 32), 2, Stream::Mirror),
            draw(1, 3, Stream::Mirror),
            draw(1, 2 + (1 << 32), Stream::Mirror),
            draw(1, 2, Stream::ImageOrder),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn whole_numbers_cover_their_range() {
        let mut random = stream(0, 0, Stream::ImageOrder);
        let mut seen = [0; 5];
        for _ in 0..1000 {
            seen[below(&mut random, 5)] += 1;
        }
        // 200 expected with a standard deviation of 13.
        assert!(
            seen.iter().all(|count| (120..280).contains(count)),
            "{seen:?}"
        );
    }
}
