//! `feature_distance` on the processor: a strip of pixels at a time, so that its features are still in the cache when they are read again.

use std::ops::Range;

use burn::backend::flex::{Flex, FlexTensor};
use burn::tensor::TensorData;
use rayon::prelude::*;

use super::backend::{FeatureDistanceGradientOps, FeatureDistanceOps};
use super::{LENGTH_EPSILON, Reduction, SQUARED_LENGTH_EPSILON};

/// Pixels of a strip: 512 channels of it and of its target fill half of a second-level cache of 1 MiB.
const STRIP: usize = 128;

/// Below this many features the calling thread is done before others would have woken up.
const PARALLEL_FEATURES: usize = 1 << 16;

impl FeatureDistanceOps for Flex {
    fn feature_distance(
        x: FlexTensor,
        target: FlexTensor,
        head: FlexTensor,
        reduction: Reduction,
    ) -> FlexTensor {
        let (x, target, head) = (contiguous(x), contiguous(target), contiguous(head));
        let layer = Layer::new(&x, &target, &head);
        let [batch, _, height, width] = layer.shape;
        let map = layer
            .for_each_strip(|strip| layer.distances(strip))
            .concat();
        let (values, shape) = match reduction {
            Reduction::None => (map, [batch, 1, height, width]),
            Reduction::Mean => {
                let means = map.chunks_exact(layer.pixels).map(mean).collect();
                (means, [batch, 1, 1, 1])
            }
        };
        FlexTensor::from_data(TensorData::new(values, shape))
    }
}

impl FeatureDistanceGradientOps for Flex {
    fn feature_distance_gradient(
        gradient: FlexTensor,
        x: FlexTensor,
        target: FlexTensor,
        head: FlexTensor,
        reduction: Reduction,
    ) -> FlexTensor {
        let gradient = contiguous(gradient);
        let (x, target, head) = (contiguous(x), contiguous(target), contiguous(head));
        let layer = Layer::new(&x, &target, &head);
        let gradient = PixelGradient {
            values: values(&gradient),
            reduction,
            pixels: layer.pixels,
        };
        let factors = layer.for_each_strip(|strip| layer.gradient_factors(strip, &gradient));
        let mut result = vec![0.0; x.layout().shape().num_elements()];
        let planes = |(plane, result): (usize, &mut [f32])| layer.gradient(plane, &factors, result);
        if layer.in_parallel() {
            let chunks = result.par_chunks_mut(layer.pixels);
            chunks.enumerate().for_each(planes);
        } else {
            let chunks = result.chunks_mut(layer.pixels);
            chunks.enumerate().for_each(planes);
        }
        FlexTensor::from_data(TensorData::new(result, layer.shape))
    }
}

fn contiguous(x: FlexTensor) -> FlexTensor {
    if x.is_contiguous() {
        x
    } else {
        x.to_contiguous()
    }
}

fn values(x: &FlexTensor) -> &[f32] {
    x.as_slice()
        .unwrap_or_else(|| panic!("LPIPS: expected contiguous f32, found {x:?}"))
}

fn mean(values: &[f32]) -> f32 {
    let sum: f64 = values.iter().copied().map(f64::from).sum();
    (sum / values.len() as f64) as f32
}

/// The gradient at the distance of each pixel.
struct PixelGradient<'a> {
    values: &'a [f32],
    reduction: Reduction,
    pixels: usize,
}

impl PixelGradient<'_> {
    fn at(&self, image: usize, pixel: usize) -> f32 {
        match self.reduction {
            Reduction::None => self.values[image * self.pixels + pixel],
            Reduction::Mean => self.values[image] / self.pixels as f32,
        }
    }
}

/// Some neighbouring pixels of one image.
#[derive(Clone, Debug)]
struct Strip {
    image: usize,
    pixels: Range<usize>,
}

/// What the gradient of a strip's features has per pixel, with `u` the normalised columns: for channel `c` it is
/// `head_c scale (u_c - target_c) - along x_c`.
struct GradientFactors {
    strip: Strip,
    /// 1 / (length + epsilon), which makes `x` into `u`
    inverse: [f32; STRIP],
    scale: [f32; STRIP],
    along: [f32; STRIP],
}

/// The operands of one layer.
struct Layer<'a> {
    shape: [usize; 4],
    pixels: usize,
    x: &'a [f32],
    target: &'a [f32],
    head: &'a [f32],
}

impl<'a> Layer<'a> {
    fn new(x: &'a FlexTensor, target: &'a FlexTensor, head: &'a FlexTensor) -> Self {
        let shape: [usize; 4] = x.layout().shape().dims();
        Self {
            shape,
            pixels: shape[2] * shape[3],
            x: values(x),
            target: values(target),
            head: values(head),
        }
    }

    fn channels(&self) -> usize {
        self.shape[1]
    }

    fn in_parallel(&self) -> bool {
        self.x.len() >= PARALLEL_FEATURES && rayon::current_num_threads() > 1
    }

    /// Results of `work` for all strips, image by image from the first pixel to the last.
    fn for_each_strip<T: Send>(&self, work: impl Fn(Strip) -> T + Sync) -> Vec<T> {
        let per_image = self.pixels.div_ceil(STRIP);
        let strip = |index: usize| {
            let start = index % per_image * STRIP;
            work(Strip {
                image: index / per_image,
                pixels: start..(start + STRIP).min(self.pixels),
            })
        };
        let all = 0..self.shape[0] * per_image;
        if self.in_parallel() {
            all.into_par_iter().map(strip).collect()
        } else {
            all.map(strip).collect()
        }
    }

    /// A strip's features of `x` and of the target in one channel.
    fn features(&self, strip: &Strip, channel: usize) -> (&'a [f32], &'a [f32]) {
        let Strip { image, pixels } = strip;
        let plane = (image * self.channels() + channel) * self.pixels;
        // A single target serves all images.
        let target_plane = plane % self.target.len();
        (
            &self.x[plane..][pixels.clone()],
            &self.target[target_plane..][pixels.clone()],
        )
    }

    /// Lengths of a strip's feature columns.
    fn lengths(&self, strip: &Strip) -> [f32; STRIP] {
        let mut squared = [SQUARED_LENGTH_EPSILON; STRIP];
        for channel in 0..self.channels() {
            let (x, _) = self.features(strip, channel);
            for (sum, x) in squared.iter_mut().zip(x) {
                *sum += x * x;
            }
        }
        squared.map(f32::sqrt)
    }

    /// Distances of a strip's pixels.
    fn distances(&self, strip: Strip) -> Vec<f32> {
        let inverse = self.lengths(&strip).map(inverse);
        let mut distances = vec![0.0; strip.pixels.len()];
        for (channel, head) in self.head.iter().enumerate() {
            let (x, target) = self.features(&strip, channel);
            for (((sum, x), target), inverse) in
                distances.iter_mut().zip(x).zip(target).zip(inverse)
            {
                let difference = x * inverse - target;
                *sum += head * difference * difference;
            }
        }
        distances
    }

    fn gradient_factors(&self, strip: Strip, gradient: &PixelGradient<'_>) -> GradientFactors {
        let lengths = self.lengths(&strip);
        let inverse = lengths.map(inverse);
        // sum_c head_c (u_c - target_c) x_c
        let mut along = [0.0; STRIP];
        for (channel, head) in self.head.iter().enumerate() {
            let (x, target) = self.features(&strip, channel);
            for (((sum, x), target), inverse) in along.iter_mut().zip(x).zip(target).zip(inverse) {
                *sum += head * (x * inverse - target) * x;
            }
        }
        let mut scale = [0.0; STRIP];
        for (index, pixel) in strip.pixels.clone().enumerate() {
            scale[index] = 2.0 * gradient.at(strip.image, pixel) * inverse[index];
            // Divided by the length first: the squared inverse alone is as large as 1e20.
            along[index] = along[index] / lengths[index] * inverse[index] * scale[index];
        }
        GradientFactors {
            strip,
            inverse,
            scale,
            along,
        }
    }

    /// The gradient of one plane, channel `plane % channels` of image `plane / channels`.
    fn gradient(&self, plane: usize, factors: &[GradientFactors], result: &mut [f32]) {
        let (image, channel) = (plane / self.channels(), plane % self.channels());
        let head = self.head[channel];
        let per_image = self.pixels.div_ceil(STRIP);
        for factors in &factors[image * per_image..][..per_image] {
            let (x, target) = self.features(&factors.strip, channel);
            let result = &mut result[factors.strip.pixels.clone()];
            for (index, (result, (x, target))) in
                result.iter_mut().zip(x.iter().zip(target)).enumerate()
            {
                let difference = x * factors.inverse[index] - target;
                *result = head * factors.scale[index] * difference - factors.along[index] * x;
            }
        }
    }
}

fn inverse(length: f32) -> f32 {
    1.0 / (length + LENGTH_EPSILON)
}
