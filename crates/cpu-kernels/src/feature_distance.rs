//! LPIPS' comparison of one layer's activations with a target's: a strip of pixels at a time, so that its features are
//! still in the cache when they are read again.
//!
//! Multiply-adds are not fused, so that every instruction set gives the same bits.

use std::ops::Range;

use crate::simd::{self, Kernel};
use crate::threads::{self, Shared};

/// Pixels of a strip: 512 channels of it and of its target fill half of a second-level cache of 1 MiB.
const STRIP: usize = 128;

/// Below this many features the calling thread is done before others would have woken up.
const PARALLEL_FEATURES: usize = 1 << 16;

/// Activations and what they are compared with.
#[derive(Clone, Copy, Debug)]
pub struct FeatureSlices<'a> {
    /// Activations, `[batch, channels, pixels]`.
    pub x: &'a [f32],
    /// Feature columns of unit length, `[batch, channels, pixels]`, or one image's for all.
    pub target: &'a [f32],
    /// Weight of each channel.
    pub head: &'a [f32],
    /// Pixels of a plane.
    pub pixels: usize,
    /// Added to the length of a column of `x` before dividing by it.
    pub length_epsilon: f32,
    /// Added under the root that the length is.
    pub squared_length_epsilon: f32,
}

/// `sum_c head_c (x_c / |x| - target_c)^2` at each pixel, `[batch, pixels]`.
///
/// # Panics
/// When `x` or `target` has no whole number of images, or the targets are neither one nor as many as images.
pub fn distances(features: &FeatureSlices<'_>) -> Vec<f32> {
    let mut distances = vec![0.0; features.batch() * features.pixels];
    let shared = Shared::new(&mut distances);
    features.for_each_strip(|strip| {
        simd::run(Distances {
            features,
            strip,
            // SAFETY: each strip belongs to one task and lies inside the result.
            distances: unsafe { shared.slice(features.first_pixel(strip), strip.len()) },
        });
    });
    distances
}

/// The gradient at `x`, `[batch, channels, pixels]`, where `gradient` gives that at the distance of an image's pixel:
/// with `u` the normalized columns, `l` their lengths and `e = 2 gradient head (u - target)`, it is
/// `e / (l + epsilon) - x (sum_c e x) / (l (l + epsilon)^2)`.
///
/// # Panics
/// As for [`distances`].
pub fn gradient(
    features: &FeatureSlices<'_>,
    gradient: impl Fn(usize, usize) -> f32 + Sync,
) -> Vec<f32> {
    let columns = features.batch() * features.pixels;
    let [mut inverse, mut scale, mut along] = [(); 3].map(|()| vec![0.0; columns]);
    let shared = [&mut inverse, &mut scale, &mut along].map(|values| Shared::new(values));
    features.for_each_strip(|strip| {
        let first = features.first_pixel(strip);
        // SAFETY: each strip belongs to one task and lies inside the three.
        let [inverse, scale, along] =
            [0, 1, 2].map(|index: usize| unsafe { shared[index].slice(first, strip.len()) });
        for (pixel, scale) in strip.pixels.clone().zip(&mut *scale) {
            *scale = 2.0 * gradient(strip.image, pixel);
        }
        simd::run(Factors {
            features,
            strip,
            inverse,
            scale,
            along,
        });
    });

    let mut result = vec![0.0; features.x.len()];
    let planes = features.batch() * features.head.len();
    let shared = Shared::new(&mut result);
    threads::run(features.threads(), planes, |plane| {
        let (image, channel) = (plane / features.head.len(), plane % features.head.len());
        let pixels = image * features.pixels..(image + 1) * features.pixels;
        let (x, target) = features.plane(image, channel);
        simd::run(Gradient {
            x,
            target,
            head: features.head[channel],
            inverse: &inverse[pixels.clone()],
            scale: &scale[pixels.clone()],
            along: &along[pixels],
            // SAFETY: each plane belongs to one task and lies inside the result.
            result: unsafe { shared.slice(plane * features.pixels, features.pixels) },
        });
    });
    result
}

/// Some neighboring pixels of one image.
#[derive(Clone, Debug)]
struct Strip {
    image: usize,
    pixels: Range<usize>,
}

impl Strip {
    fn len(&self) -> usize {
        self.pixels.len()
    }
}

impl<'a> FeatureSlices<'a> {
    fn batch(&self) -> usize {
        let image = self.head.len() * self.pixels;
        assert!(
            image > 0
                && self.x.len().is_multiple_of(image)
                && (self.target.len() == self.x.len() || self.target.len() == image),
            "features of {} channels and {} pixels, found {} and {} of targets",
            self.head.len(),
            self.pixels,
            self.x.len(),
            self.target.len()
        );
        self.x.len() / image
    }

    /// Where a strip begins among the pixels of all images.
    fn first_pixel(&self, strip: &Strip) -> usize {
        strip.image * self.pixels + strip.pixels.start
    }

    fn threads(&self) -> usize {
        if self.x.len() < PARALLEL_FEATURES {
            1
        } else {
            rayon::current_num_threads()
        }
    }

    fn for_each_strip(&self, work: impl Fn(&Strip) + Sync) {
        let per_image = self.pixels.div_ceil(STRIP);
        threads::run(self.threads(), self.batch() * per_image, |index| {
            let start = index % per_image * STRIP;
            work(&Strip {
                image: index / per_image,
                pixels: start..(start + STRIP).min(self.pixels),
            });
        });
    }

    /// A channel of an image and of its target.
    fn plane(&self, image: usize, channel: usize) -> (&'a [f32], &'a [f32]) {
        let plane = (image * self.head.len() + channel) * self.pixels;
        // A single target serves all images.
        let target_plane = plane % self.target.len();
        (
            &self.x[plane..][..self.pixels],
            &self.target[target_plane..][..self.pixels],
        )
    }

    /// The same of a strip.
    #[inline(always)]
    fn of_strip(&self, strip: &Strip, channel: usize) -> (&'a [f32], &'a [f32]) {
        let (x, target) = self.plane(strip.image, channel);
        (&x[strip.pixels.clone()], &target[strip.pixels.clone()])
    }

    /// Lengths of a strip's feature columns.
    #[inline(always)]
    fn lengths(&self, strip: &Strip) -> [f32; STRIP] {
        let mut squared = [self.squared_length_epsilon; STRIP];
        for channel in 0..self.head.len() {
            let (x, _) = self.of_strip(strip, channel);
            for (sum, x) in squared.iter_mut().zip(x) {
                *sum += x * x;
            }
        }
        // A loop: closures are not compiled with the caller's instructions.
        for value in &mut squared {
            *value = value.sqrt();
        }
        squared
    }

    /// What makes columns of these lengths into normalized ones.
    #[inline(always)]
    fn inverse(&self, lengths: &[f32; STRIP]) -> [f32; STRIP] {
        let mut inverse = *lengths;
        for value in &mut inverse {
            *value = 1.0 / (*value + self.length_epsilon);
        }
        inverse
    }
}

/// Distances of a strip's pixels, added to zeros.
struct Distances<'a> {
    features: &'a FeatureSlices<'a>,
    strip: &'a Strip,
    distances: &'a mut [f32],
}

impl Kernel for Distances<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Self {
            features,
            strip,
            distances,
        } = self;
        let inverse = features.inverse(&features.lengths(strip));
        for (channel, head) in features.head.iter().enumerate() {
            let (x, target) = features.of_strip(strip, channel);
            for (((sum, x), target), inverse) in
                distances.iter_mut().zip(x).zip(target).zip(&inverse)
            {
                let difference = x * inverse - target;
                *sum += head * difference * difference;
            }
        }
    }
}

/// What the gradient of a strip's features has per pixel: for channel `c` it is
/// `head_c scale (u_c - target_c) - along x_c`.
struct Factors<'a> {
    features: &'a FeatureSlices<'a>,
    strip: &'a Strip,
    /// 1 / (length + epsilon), which makes `x` into `u`
    inverse: &'a mut [f32],
    /// Twice the gradient at the distance; gets its factor.
    scale: &'a mut [f32],
    along: &'a mut [f32],
}

impl Kernel for Factors<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Self {
            features,
            strip,
            inverse: to_inverse,
            scale,
            along: to_along,
        } = self;
        let lengths = features.lengths(strip);
        let inverse = features.inverse(&lengths);
        // sum_c head_c (u_c - target_c) x_c
        let mut along = [0.0; STRIP];
        for (channel, head) in features.head.iter().enumerate() {
            let (x, target) = features.of_strip(strip, channel);
            for (((sum, x), target), inverse) in along.iter_mut().zip(x).zip(target).zip(&inverse) {
                *sum += head * (x * inverse - target) * x;
            }
        }
        to_inverse.copy_from_slice(&inverse[..strip.len()]);
        for index in 0..strip.len() {
            scale[index] *= inverse[index];
            // Divided by the length first: the squared inverse alone is as large as 1e20.
            to_along[index] = along[index] / lengths[index] * inverse[index] * scale[index];
        }
    }
}

/// The gradient of one plane.
struct Gradient<'a> {
    x: &'a [f32],
    target: &'a [f32],
    head: f32,
    inverse: &'a [f32],
    scale: &'a [f32],
    along: &'a [f32],
    result: &'a mut [f32],
}

impl Kernel for Gradient<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let factors = self.inverse.iter().zip(self.scale).zip(self.along);
        let values = self.x.iter().zip(self.target).zip(factors);
        for (result, ((x, target), ((inverse, scale), along))) in self.result.iter_mut().zip(values)
        {
            let difference = x * inverse - target;
            *result = self.head * scale * difference - along * x;
        }
    }
}
