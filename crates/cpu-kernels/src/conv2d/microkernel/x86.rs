//! Tiles of AVX-512 and AVX2.

use std::arch::x86_64::{
    __m256, __m512, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_storeu_ps, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::{OuterInput, PanelInput, TileInput, Vector, outer, panel, step, tile};

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn avx512_tile<const OC: usize, const VECTORS: usize>(
    input: &TileInput<'_>,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe { tile::<__m512, OC, VECTORS>(input, out) }
}

#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn avx2_tile<const OC: usize, const VECTORS: usize>(
    input: &TileInput<'_>,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe { tile::<__m256, OC, VECTORS>(input, out) }
}

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn avx512_panel<const OC: usize, const VECTORS: usize, const TAPS: usize>(
    input: &PanelInput,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe { panel::<__m512, OC, VECTORS, TAPS>(input, out) }
}

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn avx512_outer<const OC: usize, const VECTORS: usize>(
    input: &OuterInput,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe { outer::<__m512, OC, VECTORS>(input, out) }
}

#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn avx2_panel<const OC: usize, const VECTORS: usize, const TAPS: usize>(
    input: &PanelInput,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe { panel::<__m256, OC, VECTORS, TAPS>(input, out) }
}

#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn avx2_outer<const OC: usize, const VECTORS: usize>(
    input: &OuterInput,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe { outer::<__m256, OC, VECTORS>(input, out) }
}

macro_rules! vector {
    ($vector:ty, $lanes:literal, $zero:ident, $splat:ident, $load:ident, $store:ident, $add:ident, $fma:ident, {$($step:tt)*}) => {
        impl Vector for $vector {
            const LANES: usize = $lanes;

            #[inline(always)]
            fn zero() -> Self {
                // SAFETY: only inlined into the tiles above, whose callers have the instructions.
                unsafe { $zero() }
            }

            #[inline(always)]
            unsafe fn splat(from: *const f32) -> Self {
                // SAFETY: the caller's promise, and as for `zero`.
                unsafe { $splat(from.read()) }
            }

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the caller's promise, and as for `zero`.
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: the caller's promise, and as for `zero`.
                unsafe { $store(to, self) }
            }

            #[inline(always)]
            fn add(self, other: Self) -> Self {
                // SAFETY: as for `zero`.
                unsafe { $add(self, other) }
            }

            #[inline(always)]
            fn multiply_add(self, a: Self, b: Self) -> Self {
                // SAFETY: as for `zero`.
                unsafe { $fma(a, b, self) }
            }

            $($step)*
        }
    };
}

vector!(
    __m512,
    16,
    _mm512_setzero_ps,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_fmadd_ps,
    {}
);
vector!(
    __m256,
    8,
    _mm256_setzero_ps,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_fmadd_ps,
    {
        #[inline(always)]
        unsafe fn step<const OC: usize, const VECTORS: usize>(
            sums: &mut [[Self; VECTORS]; OC],
            x: *const f32,
            offsets: &[usize; VECTORS],
            w: *const f32,
            w_oc: isize,
        ) {
            // SAFETY: the caller's promise; what is asked for is what the sums are.
            unsafe {
                if OC == 4 && VECTORS == 3 {
                    let sums = &mut *std::ptr::from_mut(sums).cast::<[[Self; 3]; 4]>();
                    let further = [1, 2].map(|v| offsets[v].wrapping_sub(offsets[0]));
                    step_4x3(sums, x.add(offsets[0]), further, w, w_oc);
                } else {
                    step(sums, x, offsets, w, w_oc);
                }
            }
        }
    }
);

/// [`Vector::step`] of the largest tile, whose sums, positions and weight fill all registers: the compiler loads the
/// next positions early and has a sum go through memory for it, which everything then waits for. Offsets are those of
/// the second and third vector.
///
/// # Safety
/// As for [`Vector::step`], with AVX2 and FMA.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn step_4x3(
    [a, b, c, d]: &mut [[__m256; 3]; 4],
    x: *const f32,
    offsets: [usize; 2],
    w: *const f32,
    w_oc: isize,
) {
    // SAFETY: the caller's promise: this reads three vectors and four weights, and writes registers only.
    unsafe {
        std::arch::asm!(
            "vmovups {p}, [{x}]",
            "vmovups {q}, [{x} + 4 * {second}]",
            "vmovups {r}, [{x} + 4 * {third}]",
            "vbroadcastss {w}, dword ptr [{at}]",
            "vfmadd231ps {a0}, {p}, {w}",
            "vfmadd231ps {a1}, {q}, {w}",
            "vfmadd231ps {a2}, {r}, {w}",
            "vbroadcastss {w}, dword ptr [{at} + 4 * {oc}]",
            "vfmadd231ps {b0}, {p}, {w}",
            "vfmadd231ps {b1}, {q}, {w}",
            "vfmadd231ps {b2}, {r}, {w}",
            "vbroadcastss {w}, dword ptr [{at} + 8 * {oc}]",
            "vfmadd231ps {c0}, {p}, {w}",
            "vfmadd231ps {c1}, {q}, {w}",
            "vfmadd231ps {c2}, {r}, {w}",
            "vbroadcastss {w}, dword ptr [{at} + 4 * {three_oc}]",
            "vfmadd231ps {d0}, {p}, {w}",
            "vfmadd231ps {d1}, {q}, {w}",
            "vfmadd231ps {d2}, {r}, {w}",
            x = in(reg) x,
            second = in(reg) offsets[0],
            third = in(reg) offsets[1],
            at = in(reg) w,
            oc = in(reg) w_oc,
            three_oc = in(reg) 3 * w_oc,
            p = out(ymm_reg) _,
            q = out(ymm_reg) _,
            r = out(ymm_reg) _,
            w = out(ymm_reg) _,
            a0 = inout(ymm_reg) a[0],
            a1 = inout(ymm_reg) a[1],
            a2 = inout(ymm_reg) a[2],
            b0 = inout(ymm_reg) b[0],
            b1 = inout(ymm_reg) b[1],
            b2 = inout(ymm_reg) b[2],
            c0 = inout(ymm_reg) c[0],
            c1 = inout(ymm_reg) c[1],
            c2 = inout(ymm_reg) c[2],
            d0 = inout(ymm_reg) d[0],
            d1 = inout(ymm_reg) d[1],
            d2 = inout(ymm_reg) d[2],
            options(pure, readonly, nostack, preserves_flags),
        );
    }
}
