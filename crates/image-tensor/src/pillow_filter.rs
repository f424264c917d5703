//! Pillow's resampling weights in its fixed-point form, so that results are equal and not only close.

use std::f64::consts::PI;

/// The filter kernels, for pixels at unit distance.
#[derive(Clone, Copy)]
pub(crate) enum PillowFilter {
    Box,
    Bilinear,
    Bicubic,
    Lanczos,
}

impl PillowFilter {
    fn support(self) -> f64 {
        match self {
            Self::Box => 0.5,
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn at(self, x: f64) -> f64 {
        let distance = x.abs();
        match self {
            // Open on one side only, so that a pixel on a border counts once.
            Self::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Self::Bilinear => (1.0 - distance).max(0.0),
            Self::Bicubic => {
                /// Keys' parameter.
                const A: f64 = -0.5;
                if distance < 1.0 {
                    ((A + 2.0) * distance - (A + 3.0)) * distance * distance + 1.0
                } else if distance < 2.0 {
                    (((distance - 5.0) * distance + 8.0) * distance - 4.0) * A
                } else {
                    0.0
                }
            }
            Self::Lanczos => {
                let support = self.support();
                if (-support..support).contains(&x) {
                    sinc(x) * sinc(x / support)
                } else {
                    0.0
                }
            }
        }
    }

    /// The first input pixel and the weights from there on, of sum 1, of the output pixel at `position` when `input`
    /// pixels become `output`.
    pub fn weights(self, input: u32, output: u32, position: u32) -> (usize, Vec<f64>) {
        let scale = f64::from(input) / f64::from(output);
        // Enlarging interpolates; shrinking averages over all that falls into a pixel.
        let stretch = scale.max(1.0);
        let support = self.support() * stretch;
        let center = (f64::from(position) + 0.5) * scale;
        let first = (center - support + 0.5).max(0.0) as u32;
        let end = ((center + support + 0.5) as u32).min(input);
        let weights: Vec<f64> = (first..end)
            .map(|pixel| self.at((f64::from(pixel) - center + 0.5) / stretch))
            .collect();
        let sum: f64 = weights.iter().sum();
        (
            first as usize,
            weights.iter().map(|weight| weight / sum).collect(),
        )
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else {
        (PI * x).sin() / (PI * x)
    }
}

/// For every output pixel of one axis the first input pixel and the weights from there on.
pub(crate) struct FilterWeights {
    spans: Vec<(usize, Vec<i32>)>,
}

impl FilterWeights {
    /// Fractional bits: 32 less 8 for the byte and 2 for the overshoot of the kernels.
    const PRECISION: u32 = 32 - 8 - 2;
    /// Half a step of the result, for rounding.
    pub const HALF: i64 = 1 << (Self::PRECISION - 1);

    pub fn new(filter: PillowFilter, input: u32, output: u32) -> Self {
        let spans = (0..output)
            .map(|position| {
                let (first, weights) = filter.weights(input, output, position);
                let fixed = weights
                    .iter()
                    .map(|weight| (weight * f64::from(1u32 << Self::PRECISION)).round() as i32)
                    .collect();
                (first, fixed)
            })
            .collect();
        Self { spans }
    }

    /// Number of output pixels.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.spans
            .iter()
            .map(|(first, taps)| (*first, taps.as_slice()))
    }

    /// The byte of a sum that began with [`HALF`](Self::HALF).
    pub fn to_byte(sum: i64) -> u8 {
        (sum >> Self::PRECISION).clamp(0, i64::from(u8::MAX)) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_have_their_values_at_whole_and_half_distances() {
        for filter in [
            PillowFilter::Bilinear,
            PillowFilter::Bicubic,
            PillowFilter::Lanczos,
        ] {
            assert_eq!(filter.at(0.0), 1.0);
            for distance in [1.0, 2.0, 3.0, -1.0, -2.0, -3.0] {
                // sin(pi n) is a rounding error, not 0.
                assert!(filter.at(distance).abs() < 1e-15);
            }
        }
        assert_eq!(PillowFilter::Bilinear.at(0.5), 0.5);
        // Keys with a = -0.5: 9/16 at 1/2, -1/16 at 3/2.
        assert_eq!(PillowFilter::Bicubic.at(-0.5), 0.5625);
        assert_eq!(PillowFilter::Bicubic.at(1.5), -0.0625);
        // sinc(1/2) sinc(1/6) = (2 / pi) (3 / pi).
        assert!((PillowFilter::Lanczos.at(0.5) - 6.0 / (PI * PI)).abs() < 1e-15);
    }

    #[test]
    fn weights_sum_to_one_within_their_precision() {
        for (input, output) in [(1, 64), (64, 1), (37, 16), (29, 90)] {
            let weights = FilterWeights::new(PillowFilter::Lanczos, input, output);
            for (first, taps) in weights.iter() {
                let sum: i64 = taps.iter().map(|tap| i64::from(*tap)).sum();
                let off = (sum - (1 << FilterWeights::PRECISION)).unsigned_abs() as usize;
                assert!(
                    off <= taps.len(),
                    "each tap is rounded by half a unit at most"
                );
                assert!(first + taps.len() <= input as usize);
            }
        }
    }
}
