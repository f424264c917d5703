//! Vectors of AVX-512 and AVX2 by name.

use std::arch::x86_64::{
    __m256, __m512, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps,
    _mm512_min_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::{Geometry, LANES, Plane, pack};

/// A vector, and as many outputs of one row.
trait Block {
    const LANES: usize;

    /// The outputs from the first of `K` rows of pixels on, clamped, at `out`.
    ///
    /// # Safety
    /// `taps` has `K * K` elements, from `pixels` on `LANES` are readable at the offset of every tap, and `LANES` are
    /// writable at `out`.
    unsafe fn outputs<const K: usize>(
        pixels: *const f32,
        offset: impl Fn(usize, usize) -> usize,
        taps: &[f32],
        bias: f32,
        limit: f32,
        out: *mut f32,
    );
}

macro_rules! block {
    ($vector:ty, $lanes:literal, $zero:ident, $splat:ident, $load:ident, $store:ident, $fma:ident, $min:ident, $max:ident) => {
        impl Block for $vector {
            const LANES: usize = $lanes;

            #[inline(always)]
            unsafe fn outputs<const K: usize>(
                pixels: *const f32,
                offset: impl Fn(usize, usize) -> usize,
                taps: &[f32],
                bias: f32,
                limit: f32,
                out: *mut f32,
            ) {
                // SAFETY: the caller's promise; only inlined into the functions below, whose callers have the
                // instructions.
                unsafe {
                    let mut sum = $splat(bias);
                    for ky in 0..K {
                        for kx in 0..K {
                            let x = $load(pixels.add(offset(ky, kx)));
                            sum = $fma(x, $splat(*taps.get_unchecked(ky * K + kx)), sum);
                        }
                    }
                    // Of a NaN both give the second operand: it stays one, as with `f32::clamp`.
                    $store(out, $min($splat(limit), $max($zero(), sum)));
                }
            }
        }
    };
}

block!(
    __m512,
    16,
    _mm512_setzero_ps,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_fmadd_ps,
    _mm512_min_ps,
    _mm512_max_ps
);
block!(
    __m256,
    8,
    _mm256_setzero_ps,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_fmadd_ps,
    _mm256_min_ps,
    _mm256_max_ps
);

#[target_feature(enable = "avx512f,avx2,fma")]
pub(super) fn filter_avx512(plane: Plane<'_>) {
    filter::<__m512>(plane);
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn filter_avx2(plane: Plane<'_>) {
    filter::<__m256>(plane);
}

#[inline(always)]
fn filter<V: Block>(plane: Plane<'_>) {
    pack(plane.geometry, plane.limit, plane.image, plane.scratch);
    match plane.geometry.side {
        3 => convolve::<V, 3>(plane),
        5 => convolve::<V, 5>(plane),
        other => panic!("a depthwise kernel of {other} x {other}, expected 3 x 3 or 5 x 5"),
    }
}

#[inline(always)]
fn convolve<V: Block, const K: usize>(plane: Plane<'_>) {
    let Geometry {
        output: [height, width],
        stride,
        pitch,
        ..
    } = *plane.geometry;
    assert!(
        plane.scratch.len() >= plane.geometry.scratch()
            && plane.taps.len() == K * K
            && plane.out.len() == height * width,
        "operands of the geometry's sizes"
    );
    let offset = |ky: usize, kx: usize| (ky * stride + kx % stride) * pitch + kx / stride;
    let (taps, bias, limit) = (plane.taps, plane.bias, plane.limit);
    for (y, out) in plane.out.chunks_exact_mut(width).enumerate() {
        let row = &plane.scratch[y * stride * stride * pitch..];
        let mut x = 0;
        while x < width {
            let left = width - x;
            let pixels = row[x..].as_ptr();
            // SAFETY: a row of outputs reads up to `(K - 1) * stride + stride` rows of phases behind its first, which
            // the padded plane has, and in each up to `pitch`, which holds whole vectors and the taps behind them.
            // Vectors that reach beyond the row go through memory of their own.
            unsafe {
                if left >= V::LANES {
                    V::outputs::<K>(pixels, offset, taps, bias, limit, out[x..].as_mut_ptr());
                    x += V::LANES;
                    continue;
                }
                let mut outputs = [0.0; LANES];
                // Half a vector does where no more is left; it is the whole one of AVX2.
                if left <= __m256::LANES {
                    __m256::outputs::<K>(pixels, offset, taps, bias, limit, outputs.as_mut_ptr());
                } else {
                    V::outputs::<K>(pixels, offset, taps, bias, limit, outputs.as_mut_ptr());
                }
                out[x..].copy_from_slice(&outputs[..left]);
                x = width;
            }
        }
    }
}
