//! Vectors of AVX-512 and AVX2 by name.

use std::arch::x86_64::{
    __m256, __m256i, __m512, __m512i, __mmask16, _mm256_and_si256, _mm256_castpd_ps,
    _mm256_castps_pd, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_maskload_ps,
    _mm256_mul_ps, _mm256_permute2f128_ps, _mm256_permute4x64_pd, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_shuffle_ps, _mm256_storeu_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_maskz_loadu_ps, _mm512_mul_ps,
    _mm512_permutex2var_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::TAPS;

/// A vector, and as many neighboring columns.
///
/// Its functions are only inlined into those that enable its instructions.
pub(super) trait Columns: Copy {
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
    /// Of neighbors in `a` and then in `b`, every second one from the first on, and the others.
    unsafe fn deal(a: Self, b: Self) -> [Self; 2];
    /// `even[0], odd[0], even[1], odd[1], ...`, in two vectors.
    unsafe fn interleave(even: Self, odd: Self) -> [Self; 2];
}

/// A vector for each tap.
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub(super) unsafe fn splats<V: Columns>(taps: [f32; TAPS]) -> [V; TAPS] {
    let [first, second, third, fourth] = taps;
    // SAFETY: the caller's promise.
    unsafe {
        [
            V::splat(first),
            V::splat(second),
            V::splat(third),
            V::splat(fourth),
        ]
    }
}

macro_rules! columns {
    ($vector:ty, $lanes:literal, $zero:ident, $splat:ident, $multiply:ident, $fma:ident, $load:ident, $store:ident;
     $mask:ty, |$start:ident, $end:ident| $make_mask:expr, |$set:ident, $from:ident| $load_masked:expr;
     |$a:ident, $b:ident| $deal:expr; |$even:ident, $odd:ident| $interleave:expr) => {
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

            #[inline(always)]
            unsafe fn deal($a: Self, $b: Self) -> [Self; 2] {
                // SAFETY: the caller has the instructions.
                unsafe { $deal }
            }

            #[inline(always)]
            unsafe fn interleave($even: Self, $odd: Self) -> [Self; 2] {
                // SAFETY: the caller has the instructions.
                unsafe { $interleave }
            }
        }
    };
}

columns!(
    __m512, 16, _mm512_setzero_ps, _mm512_set1_ps, _mm512_mul_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_storeu_ps;
    __mmask16,
    |start, end| (((1_u32 << end) - 1) & !((1_u32 << start) - 1)) as __mmask16,
    |mask, from| _mm512_maskz_loadu_ps(mask, from);
    |a, b| places(&DEALT).map(|places| _mm512_permutex2var_ps(a, places, b));
    |even, odd| places(&INTERLEAVED).map(|places| _mm512_permutex2var_ps(even, places, odd))
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
    |mask, from| _mm256_maskload_ps(from, mask);
    |a, b| {
        // Quarters come out as a, b, a, b.
        let sorted = |mixed| {
            _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_castps_pd(mixed)))
        };
        [
            sorted(_mm256_shuffle_ps::<0b10_00_10_00>(a, b)),
            sorted(_mm256_shuffle_ps::<0b11_01_11_01>(a, b)),
        ]
    };
    |even, odd| {
        let (low, high) = (_mm256_unpacklo_ps(even, odd), _mm256_unpackhi_ps(even, odd));
        [
            _mm256_permute2f128_ps::<0x20>(low, high),
            _mm256_permute2f128_ps::<0x31>(low, high),
        ]
    }
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

/// Places in two vectors of sixteen, of which the second one's count from 16: every second one, and the others.
const DEALT: [[i32; 16]; 2] = {
    let mut places = [[0; 16]; 2];
    let mut lane = 0;
    while lane < 16 {
        places[0][lane] = 2 * lane as i32;
        places[1][lane] = 2 * lane as i32 + 1;
        lane += 1;
    }
    places
};

/// Places that undo [`DEALT`].
const INTERLEAVED: [[i32; 16]; 2] = {
    let mut places = [[0; 16]; 2];
    let mut lane = 0;
    while lane < 32 {
        places[lane / 16][lane % 16] = (lane / 2 + lane % 2 * 16) as i32;
        lane += 1;
    }
    places
};

/// # Safety
/// The processor has AVX-512F.
#[inline(always)]
unsafe fn places(table: &[[i32; 16]; 2]) -> [__m512i; 2] {
    // SAFETY: the caller's promise, and sixteen numbers lie at either pointer.
    unsafe {
        [
            _mm512_loadu_si512(table[0].as_ptr().cast()),
            _mm512_loadu_si512(table[1].as_ptr().cast()),
        ]
    }
}
