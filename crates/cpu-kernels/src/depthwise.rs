//! Depthwise convolution between two clamps, the middle of a mobile bottleneck, in one pass: the activations before and
//! behind take as long as the convolution itself when each goes through memory on its own.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use crate::simd::Width;
use crate::simd::{InstructionSet, Kernel, multiply_add};
use crate::threads::{self, Shared, TASKS_PER_THREAD};

/// Elements computed at a time: the widest vector.
const LANES: usize = 16;

/// What [`activated_depthwise`] reads.
#[derive(Clone, Copy, Debug)]
pub struct Depthwise<'a> {
    /// Images, `[batch, channels, height, width]`.
    pub x: &'a [f32],
    /// A square kernel of side 3 or 5 for each channel, `[channels, side, side]`.
    pub weight: &'a [f32],
    /// One a channel.
    pub bias: &'a [f32],
    /// Height and width of an image.
    pub input: [usize; 2],
    /// Side of a kernel.
    pub side: usize,
    /// Stride along both axes.
    pub stride: usize,
    /// Zeros above and below, left and right.
    pub padding: [(usize, usize); 2],
    /// Upper end of both clamps; the lower one is 0.
    pub limit: f32,
}

/// `clamp(bias + weight * clamp(x))`, `[batch, channels, height', width']` with
/// `height' = (padding + height - side) / stride + 1`, rounded down.
///
/// # Panics
/// When an operand has another size than the others say, or a kernel is neither of 3x3 nor of 5x5 or larger than a
/// padded image.
pub fn activated_depthwise(operands: &Depthwise<'_>) -> Vec<f32> {
    filtered(operands, InstructionSet::detect())
}

fn filtered(operands: &Depthwise<'_>, set: InstructionSet) -> Vec<f32> {
    let Depthwise {
        x,
        weight,
        bias,
        input: [height, width],
        side,
        ..
    } = *operands;
    let geometry = Geometry::new(operands);
    let (area_in, area_out) = (height * width, geometry.output[0] * geometry.output[1]);
    let channels = bias.len();
    assert!(
        weight.len() == channels * side * side && x.len().is_multiple_of(channels * area_in),
        "images of {channels} channels of {height}x{width} and kernels of {side}x{side}, found {} pixels and {} taps",
        x.len(),
        weight.len()
    );
    let planes = x.len() / area_in;
    let mut out = vec![0.0_f32; planes * area_out];
    let vectors = geometry.output[0] * geometry.output[1].div_ceil(LANES);
    let threads = threads::threads_for(planes * vectors * side * side);
    let tasks = planes.min(threads * TASKS_PER_THREAD);
    let shared = Shared::new(&mut out);
    threads::run(threads, tasks, |task| {
        let mut scratch = vec![0.0_f32; geometry.scratch()];
        for plane in task * planes / tasks..(task + 1) * planes / tasks {
            let channel = plane % channels;
            let plane = Plane {
                geometry: &geometry,
                limit: operands.limit,
                image: &x[plane * area_in..][..area_in],
                taps: &weight[channel * side * side..][..side * side],
                bias: bias[channel],
                scratch: &mut scratch,
                // SAFETY: each plane belongs to one task and lies inside the result.
                out: unsafe { shared.slice(plane * area_out, area_out) },
            };
            plane.filter(set);
        }
    });
    out
}

/// Where the elements of a plane lie while it is filtered: in padded rows, each split into the phases of the stride, so
/// that a tap reads neighboring elements for neighboring outputs.
#[derive(Clone, Copy, Debug)]
struct Geometry {
    input: [usize; 2],
    output: [usize; 2],
    side: usize,
    stride: usize,
    /// Zeros above and left of the image.
    before: [usize; 2],
    /// Rows with their padding.
    rows: usize,
    /// Elements from one phase of a row to the next.
    pitch: usize,
}

impl Geometry {
    fn new(operands: &Depthwise<'_>) -> Self {
        let Depthwise {
            input,
            side,
            stride,
            padding,
            ..
        } = *operands;
        let padded = [0, 1].map(|axis: usize| padding[axis].0 + input[axis] + padding[axis].1);
        assert!(
            stride > 0 && !input.contains(&0) && padded.iter().all(|size| *size >= side),
            "images of at least the size of a kernel, found {input:?} with padding {padding:?} for {side}x{side}"
        );
        let output = padded.map(|size| (size - side) / stride + 1);
        // The last vector of outputs may read behind the row.
        let reach = output[1].next_multiple_of(LANES) + (side - 1) / stride;
        Self {
            input,
            output,
            side,
            stride,
            before: padding.map(|(before, _)| before),
            rows: padded[0],
            pitch: padded[1].div_ceil(stride).max(reach),
        }
    }

    /// Elements of a padded plane.
    fn scratch(&self) -> usize {
        self.rows * self.stride * self.pitch
    }
}

/// Filters one plane. `scratch` holds zeros where the padding lies.
struct Plane<'a> {
    geometry: &'a Geometry,
    limit: f32,
    image: &'a [f32],
    taps: &'a [f32],
    bias: f32,
    scratch: &'a mut [f32],
    out: &'a mut [f32],
}

impl Plane<'_> {
    /// Vectors are named where a set has wider ones than the target's own: of arrays as wide, the compiler made single
    /// elements.
    fn filter(self, set: InstructionSet) {
        match set.width() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: who holds a set has a processor with its instructions.
            Width::Avx512 => unsafe { x86::filter_avx512(self) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: who holds a set has a processor with its instructions.
            Width::Avx2 => unsafe { x86::filter_avx2(self) },
            #[cfg(target_arch = "aarch64")]
            Width::Neon => self.run::<true>(),
            _ => self.run::<false>(),
        }
    }
}

impl Kernel for Plane<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Self {
            geometry,
            limit,
            image,
            taps,
            bias,
            scratch,
            out,
        } = self;
        pack(geometry, limit, image, scratch);
        // A known kernel size lets the compiler unroll the taps.
        match geometry.side {
            3 => convolve::<FUSED, 3>(geometry, limit, scratch, taps, bias, out),
            5 => convolve::<FUSED, 5>(geometry, limit, scratch, taps, bias, out),
            other => panic!("a depthwise kernel of {other} x {other}, expected 3 x 3 or 5 x 5"),
        }
    }
}

/// Copies the activated image into its place between the zeros.
#[inline(always)]
fn pack(geometry: &Geometry, limit: f32, image: &[f32], scratch: &mut [f32]) {
    let Geometry {
        input: [_, width],
        stride,
        before: [top, left],
        pitch,
        ..
    } = *geometry;
    let rows = scratch[top * stride * pitch..].chunks_exact_mut(stride * pitch);
    for (row, pixels) in rows.zip(image.chunks_exact(width)) {
        if stride == 1 {
            for (to, from) in row[left..left + width].iter_mut().zip(pixels) {
                *to = from.clamp(0.0, limit);
            }
            continue;
        }
        for (phase, row) in row.chunks_exact_mut(pitch).enumerate() {
            // The first pixel of this phase.
            let first = (phase + stride - left % stride) % stride;
            let start = (left + first) / stride;
            let pixels = pixels.get(first..).unwrap_or_default();
            if stride == 2 {
                // Pairs of a known size are taken apart in vectors.
                let (pairs, last) = pixels.as_chunks::<2>();
                let row = &mut row[start..];
                for (to, [from, _]) in row.iter_mut().zip(pairs) {
                    *to = from.clamp(0.0, limit);
                }
                if let Some(from) = last.first() {
                    row[pairs.len()] = from.clamp(0.0, limit);
                }
                continue;
            }
            for (to, from) in row[start..].iter_mut().zip(pixels.iter().step_by(stride)) {
                *to = from.clamp(0.0, limit);
            }
        }
    }
}

#[inline(always)]
fn convolve<const FUSED: bool, const K: usize>(
    geometry: &Geometry,
    limit: f32,
    scratch: &[f32],
    taps: &[f32],
    bias: f32,
    out: &mut [f32],
) {
    let Geometry {
        output: [_, width],
        stride,
        pitch,
        ..
    } = *geometry;
    for (y, out) in out.chunks_exact_mut(width).enumerate() {
        for (block, out) in out.chunks_mut(LANES).enumerate() {
            let mut sums = [bias; LANES];
            for ky in 0..K {
                for kx in 0..K {
                    let tap = taps[ky * K + kx];
                    let row = (y * stride + ky) * stride + kx % stride;
                    let start = row * pitch + block * LANES + kx / stride;
                    let pixels = &scratch[start..start + LANES];
                    for (sum, pixel) in sums.iter_mut().zip(pixels) {
                        *sum = multiply_add::<FUSED>(*pixel, tap, *sum);
                    }
                }
            }
            for (to, sum) in out.iter_mut().zip(&sums) {
                *to = sum.clamp(0.0, limit);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;
