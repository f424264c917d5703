//! Vectors of AVX-512 and AVX2.

use std::arch::x86_64::{
    __m256, __m256i, __m512, __mmask16, _mm256_and_si256, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_loadu_si256, _mm256_maskload_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_maskz_loadu_ps, _mm512_mul_ps,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};
use std::mem::MaybeUninit;
use std::ops::Range;

use super::{Sliding, TAPS};

/// A vector, and as many neighboring columns.
///
/// Its functions are only inlined into those that enable its instructions.
trait Columns: Copy {
    const LANES: usize;
    /// Which columns are read.
    type Mask: Copy;

    /// Those from `start` to before `end`, both at most [`LANES`](Self::LANES).
    unsafe fn mask(start: usize, end: usize) -> Self::Mask;
    unsafe fn zero() -> Self;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn multiply(a: Self, b: Self) -> Self;
    /// `a * b + c`.
    unsafe fn multiply_add(a: Self, b: Self, c: Self) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    /// Zero where the mask is not set; there nothing is read.
    unsafe fn load_masked(mask: Self::Mask, from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
}

macro_rules! columns {
    ($vector:ty, $lanes:literal, $zero:ident, $splat:ident, $multiply:ident, $fma:ident, $load:ident, $store:ident;
     $mask:ty, |$start:ident, $end:ident| $make_mask:expr, |$set:ident, $from:ident| $load_masked:expr) => {
        impl Columns for $vector {
            const LANES: usize = $lanes;
            type Mask = $mask;

            #[inline(always)]
            unsafe fn mask($start: usize, $end: usize) -> $mask {
                $make_mask
            }

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the caller has the instructions.
                unsafe { $zero() }
            }

            #[inline(always)]
            unsafe fn splat(value: f32) -> Self {
                // SAFETY: the caller has the instructions.
                unsafe { $splat(value) }
            }

            #[inline(always)]
            unsafe fn multiply(a: Self, b: Self) -> Self {
                // SAFETY: the caller has the instructions.
                unsafe { $multiply(a, b) }
            }

            #[inline(always)]
            unsafe fn multiply_add(a: Self, b: Self, c: Self) -> Self {
                // SAFETY: the caller has the instructions.
                unsafe { $fma(a, b, c) }
            }

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the caller has the instructions, and all lanes are readable.
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn load_masked($set: $mask, $from: *const f32) -> Self {
                // SAFETY: the caller has the instructions, and the lanes of the mask are readable.
                unsafe { $load_masked }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: the caller has the instructions, and all lanes are writable.
                unsafe { $store(to, self) }
            }
        }
    };
}

columns!(
    __m512, 16, _mm512_setzero_ps, _mm512_set1_ps, _mm512_mul_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_storeu_ps;
    __mmask16,
    |start, end| (((1_u32 << end) - 1) & !((1_u32 << start) - 1)) as __mmask16,
    |mask, from| _mm512_maskz_loadu_ps(mask, from)
);
columns!(
    __m256, 8, _mm256_setzero_ps, _mm256_set1_ps, _mm256_mul_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_storeu_ps;
    __m256i,
    |start, end| {
        let from = |at: usize| WINDOW[at..at + 8].as_ptr().cast();
        // SAFETY: the caller has the instructions, and eight numbers lie at either pointer.
        unsafe {
            _mm256_and_si256(
                _mm256_loadu_si256(from(8 - start)),
                _mm256_loadu_si256(from(16 - end)),
            )
        }
    },
    |mask, from| _mm256_maskload_ps(from, mask)
);

/// Eight lanes that are read, between as many that are not.
const WINDOW: [i32; 24] = {
    let mut window = [0; 24];
    let mut lane = 8;
    while lane < 16 {
        window[lane] = -1;
        lane += 1;
    }
    window
};

/// Where some output rows of a plane come from and go to.
struct Band<'a> {
    filter: &'a Sliding,
    plane: &'a [f32],
    rows: Range<usize>,
    out: &'a mut [MaybeUninit<f32>],
}

/// # Safety
/// The plane has the pixels of the filter's input, `out` the rows, which hold a vector of 8.
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
pub(super) unsafe fn band_avx512(
    filter: &Sliding,
    plane: &[f32],
    rows: Range<usize>,
    out: &mut [MaybeUninit<f32>],
) {
    let width = filter.output[1];
    let mut band = Band {
        filter,
        plane,
        rows,
        out,
    };
    let mut x = 0;
    // SAFETY: the caller's promise; vectors end in the row.
    unsafe {
        while width - x >= 4 * __m512::LANES {
            tile::<__m512, 4>(&mut band, x);
            x += 4 * __m512::LANES;
        }
        if width - x >= 2 * __m512::LANES {
            tile::<__m512, 2>(&mut band, x);
            x += 2 * __m512::LANES;
        }
        if width - x >= __m512::LANES {
            tile::<__m512, 1>(&mut band, x);
            x += __m512::LANES;
        }
        // What is left goes into the smallest vectors that hold it. They overlap those before them, so that no remainder
        // goes one by one.
        match width - x {
            0 => {}
            9.. if width >= __m512::LANES => tile::<__m512, 1>(&mut band, width - __m512::LANES),
            left => {
                if left > __m256::LANES {
                    tile::<__m256, 1>(&mut band, x);
                }
                tile::<__m256, 1>(&mut band, width - __m256::LANES);
            }
        }
    }
}

/// # Safety
/// The plane has the pixels of the filter's input, `out` the rows, which hold a vector of 8.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn band_avx2(
    filter: &Sliding,
    plane: &[f32],
    rows: Range<usize>,
    out: &mut [MaybeUninit<f32>],
) {
    let width = filter.output[1];
    let mut band = Band {
        filter,
        plane,
        rows,
        out,
    };
    let mut x = 0;
    // SAFETY: the caller's promise; vectors end in the row.
    unsafe {
        while width - x >= 2 * __m256::LANES {
            tile::<__m256, 2>(&mut band, x);
            x += 2 * __m256::LANES;
        }
        if width - x >= __m256::LANES {
            tile::<__m256, 1>(&mut band, x);
            x += __m256::LANES;
        }
        if width > x {
            tile::<__m256, 1>(&mut band, width - __m256::LANES);
        }
    }
}

/// Writes the columns of `N` vectors from `x` on.
///
/// # Safety
/// As for the band, and the vectors end in the row.
#[inline(always)]
unsafe fn tile<V: Columns, const N: usize>(band: &mut Band<'_>, x: usize) {
    let width = band.filter.input[1] as isize;
    let lanes = V::LANES as isize;
    let reach = (TAPS - 1) as isize;
    // The column that the first tap of the first lane meets.
    let left = x as isize - band.filter.before[1];
    let right = left + N as isize * lanes + reach;
    // SAFETY: the caller's promise; where a side is not masked, the image reaches beyond it.
    unsafe {
        match (left < 0, right > width) {
            (false, false) => columns::<V, N, false, false>(band, x),
            // Only a vector at the edge of a tile is masked.
            _ if N > 1 && (left + lanes < 0 || right - lanes > width) => {
                for vector in 0..N {
                    columns::<V, 1, true, true>(band, x + vector * V::LANES);
                }
            }
            (true, false) => columns::<V, N, true, false>(band, x),
            (false, true) => columns::<V, N, false, true>(band, x),
            (true, true) => columns::<V, N, true, true>(band, x),
        }
    }
}

/// # Safety
/// As for [`tile`]. The taps of all vectors meet pixels, but for the first one with `LEFT`, and the last one with
/// `RIGHT`.
#[inline(always)]
unsafe fn columns<V: Columns, const N: usize, const LEFT: bool, const RIGHT: bool>(
    band: &mut Band<'_>,
    x: usize,
) {
    let Sliding {
        input,
        output: [_, out_width],
        before,
        row,
        column,
        ..
    } = *band.filter;
    let [height, width] = input.map(|size| size as isize);
    let left = x as isize - before[1];
    let top = band.rows.start as isize - before[0];
    let out = band.out[x..].as_mut_ptr().cast::<f32>();
    // SAFETY: lanes that are read meet pixels of row `y`, and vectors are written inside of `out`: the caller's promise.
    unsafe {
        let mut masks = [[V::mask(0, V::LANES); TAPS]; 2];
        for (masks, vector) in masks.iter_mut().zip([0, N - 1]) {
            for (tap, mask) in masks.iter_mut().enumerate() {
                let first = left + (vector * V::LANES + tap) as isize;
                let lane = |column: isize| (column - first).clamp(0, V::LANES as isize) as usize;
                *mask = V::mask(lane(0), lane(width));
            }
        }
        let row = [
            V::splat(row[0]),
            V::splat(row[1]),
            V::splat(row[2]),
            V::splat(row[3]),
        ];
        let column = [
            V::splat(column[0]),
            V::splat(column[1]),
            V::splat(column[2]),
            V::splat(column[3]),
        ];
        // What the output rows that are begun have so far, the next one to be finished first.
        let mut sums = [[V::zero(); N]; TAPS - 1];
        for step in 0..band.rows.len() + TAPS - 1 {
            let y = top + step as isize;
            let mut along = [V::zero(); N];
            if (0..height).contains(&y) {
                let pixels = band.plane.as_ptr().wrapping_offset(y * width + left);
                for vector in 0..N {
                    let pixels = pixels.wrapping_add(vector * V::LANES);
                    for tap in 0..TAPS {
                        let from = pixels.wrapping_add(tap);
                        let pixels = if LEFT && vector == 0 {
                            V::load_masked(masks[0][tap], from)
                        } else if RIGHT && vector == N - 1 {
                            V::load_masked(masks[1][tap], from)
                        } else {
                            V::load(from)
                        };
                        along[vector] = match tap {
                            0 => V::multiply(pixels, row[0]),
                            _ => V::multiply_add(pixels, row[tap], along[vector]),
                        };
                    }
                }
            }
            let finished = step.checked_sub(TAPS - 1);
            for vector in 0..N {
                let along = along[vector];
                if let Some(y) = finished {
                    let to = out.add(y * out_width + vector * V::LANES);
                    V::multiply_add(along, column[3], sums[0][vector]).store(to);
                }
                sums[0][vector] = V::multiply_add(along, column[2], sums[1][vector]);
                sums[1][vector] = V::multiply_add(along, column[1], sums[2][vector]);
                sums[2][vector] = V::multiply(along, column[0]);
            }
        }
    }
}
