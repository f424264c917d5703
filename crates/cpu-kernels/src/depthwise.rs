use burn::backend::flex::{Flex, FlexTensor, Layout};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, DispatchDevice, backend_extension};
use burn::tensor::{Bytes, DType, Shape, Tensor};
use rayon::prelude::*;

use super::LIMIT;
use crate::convolution::Convolution;
use crate::same_padding::same_padding;

/// Elements computed at a time: the widest vector.
const LANES: usize = 16;

/// Whether the tensor is a plain f32 tensor on the CPU.
pub(crate) fn is_plain_on_cpu(x: &Tensor<4>) -> bool {
    matches!(x.device().as_dispatch(), DispatchDevice::Flex(_)) && x.dtype() == DType::F32
}

pub(super) fn activated_depthwise(
    convolution: &Convolution,
    x: Tensor<4>,
    stride: usize,
) -> Tensor<4> {
    let (weight, bias) = convolution.tensors();
    Tensor::from_dispatch(Dispatch::activated_depthwise(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        stride,
    ))
}

/// Burn's dispatch to the CPU.
#[backend_extension(Flex: cfg(feature = "cpu"))]
trait DepthwiseOps: Backend {
    fn activated_depthwise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self>;
}

impl DepthwiseOps for Flex {
    fn activated_depthwise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self> {
        let (x, weight, bias) = (
            x.to_contiguous(),
            weight.to_contiguous(),
            bias.to_contiguous(),
        );
        let [batch, channels, height, width] = x.layout().shape().dims();
        let [_, _, kernel, _] = weight.layout().shape().dims::<4>();
        let geometry = Geometry::new([height, width], kernel, stride);
        let [out_height, out_width] = geometry.output;
        let mut out = vec![0.0f32; batch * channels * out_height * out_width];
        let (images, taps, bias) = (values(&x), values(&weight), values(&bias));
        out.par_chunks_exact_mut((out_height * out_width).max(1))
            .zip(images.par_chunks_exact((height * width).max(1)))
            .enumerate()
            .for_each_init(
                || vec![0.0f32; geometry.scratch()],
                |scratch, (plane, (out, image))| {
                    let channel = plane % channels;
                    let taps = &taps[channel * kernel * kernel..][..kernel * kernel];
                    filter_plane(&geometry, image, taps, bias[channel], scratch, out);
                },
            );
        FlexTensor::new(
            Bytes::from_elems(out),
            Layout::contiguous(Shape::from([batch, channels, out_height, out_width])),
            DType::F32,
        )
    }
}

/// Elements of a dense tensor.
fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("made contiguous before")
}

/// Where the elements of a plane lie while it is filtered: in padded rows, each split into the phases of the stride, so that a tap reads
/// neighbouring elements for neighbouring outputs.
#[derive(Clone, Copy, Debug)]
struct Geometry {
    input: [usize; 2],
    output: [usize; 2],
    kernel: usize,
    stride: usize,
    /// Zeros above and left of the image.
    before: [usize; 2],
    /// Rows with their padding.
    rows: usize,
    /// Elements from one phase of a row to the next.
    pitch: usize,
}

impl Geometry {
    fn new(input: [usize; 2], kernel: usize, stride: usize) -> Self {
        let padding = input.map(|size| same_padding(size, kernel, stride));
        let output = input.map(|size| size.div_ceil(stride));
        let padded_width = padding[1].0 + input[1] + padding[1].1;
        // The last vector of outputs may read behind the row.
        let reach = output[1].next_multiple_of(LANES) + (kernel - 1) / stride;
        Self {
            input,
            output,
            kernel,
            stride,
            before: padding.map(|(before, _)| before),
            rows: padding[0].0 + input[0] + padding[0].1,
            pitch: padded_width.div_ceil(stride).max(reach),
        }
    }

    /// Elements of a padded plane.
    fn scratch(&self) -> usize {
        self.rows * self.stride * self.pitch
    }
}

/// Filters one plane with the widest instructions that the processor has. `scratch` holds zeros where the padding lies.
fn filter_plane(
    geometry: &Geometry,
    image: &[f32],
    taps: &[f32],
    bias: f32,
    scratch: &mut [f32],
    out: &mut [f32],
) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
            // SAFETY: the processor has just been found to have what the function enables.
            return unsafe { filter_plane_avx512(geometry, image, taps, bias, scratch, out) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: as above.
            return unsafe { filter_plane_avx2(geometry, image, taps, bias, scratch, out) };
        }
    }
    // Every 64-bit Arm processor has fused multiply-adds; elsewhere they would be slow library calls.
    const FUSED: bool = cfg!(target_arch = "aarch64");
    run::<FUSED>(geometry, image, taps, bias, scratch, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
fn filter_plane_avx512(
    geometry: &Geometry,
    image: &[f32],
    taps: &[f32],
    bias: f32,
    scratch: &mut [f32],
    out: &mut [f32],
) {
    run::<true>(geometry, image, taps, bias, scratch, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn filter_plane_avx2(
    geometry: &Geometry,
    image: &[f32],
    taps: &[f32],
    bias: f32,
    scratch: &mut [f32],
    out: &mut [f32],
) {
    run::<true>(geometry, image, taps, bias, scratch, out);
}

#[inline(always)]
fn run<const FUSED: bool>(
    geometry: &Geometry,
    image: &[f32],
    taps: &[f32],
    bias: f32,
    scratch: &mut [f32],
    out: &mut [f32],
) {
    pack(geometry, image, scratch);
    // A known kernel size lets the compiler unroll the taps.
    match geometry.kernel {
        3 => convolve::<FUSED, 3>(geometry, scratch, taps, bias, out),
        5 => convolve::<FUSED, 5>(geometry, scratch, taps, bias, out),
        other => panic!("a depthwise kernel of {other} x {other}, expected 3 x 3 or 5 x 5"),
    }
}

/// Copies the activated image into its place between the zeros.
#[inline(always)]
fn pack(geometry: &Geometry, image: &[f32], scratch: &mut [f32]) {
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
                *to = from.clamp(0.0, LIMIT);
            }
            continue;
        }
        for (phase, row) in row.chunks_exact_mut(pitch).enumerate() {
            // The first pixel of this phase.
            let first = (phase + stride - left % stride) % stride;
            let start = (left + first) / stride;
            let pixels = pixels.iter().skip(first).step_by(stride);
            for (to, from) in row[start..].iter_mut().zip(pixels) {
                *to = from.clamp(0.0, LIMIT);
            }
        }
    }
}

#[inline(always)]
fn convolve<const FUSED: bool, const K: usize>(
    geometry: &Geometry,
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
                        *sum = if FUSED {
                            pixel.mul_add(tap, *sum)
                        } else {
                            pixel * tap + *sum
                        };
                    }
                }
            }
            for (to, sum) in out.iter_mut().zip(&sums) {
                *to = sum.clamp(0.0, LIMIT);
            }
        }
    }
}
