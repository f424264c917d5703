//! Tiles of NEON.

use std::arch::aarch64::{
    float32x4_t, vaddq_f32, vdupq_n_f32, vfmaq_f32, vfmaq_laneq_f32, vld1q_dup_f32, vld1q_f32,
    vst1q_f32,
};

use super::{OuterInput, PanelInput, TileInput, Vector, load_all, outer, panel, tile};

/// Weights of a vector.
const QUAD: usize = 4;

#[target_feature(enable = "neon")]
pub(super) unsafe fn neon_tile<const OC: usize, const VECTORS: usize>(
    input: &TileInput<'_>,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe { tile::<float32x4_t, OC, VECTORS>(input, out) }
}

#[target_feature(enable = "neon")]
pub(super) unsafe fn neon_panel<const OC: usize, const VECTORS: usize, const TAPS: usize>(
    input: &PanelInput,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe { panel::<float32x4_t, OC, VECTORS, TAPS>(input, out) }
}

#[target_feature(enable = "neon")]
pub(super) unsafe fn neon_outer<const OC: usize, const VECTORS: usize>(
    input: &OuterInput,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe { outer::<float32x4_t, OC, VECTORS>(input, out) }
}

impl Vector for float32x4_t {
    const LANES: usize = 4;

    #[inline(always)]
    fn zero() -> Self {
        // SAFETY: only inlined into the tiles above, whose callers have the instructions.
        unsafe { vdupq_n_f32(0.0) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: the caller's promise, and as for `zero`.
        unsafe { vld1q_dup_f32(from) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise, and as for `zero`.
        unsafe { vld1q_f32(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise, and as for `zero`.
        unsafe { vst1q_f32(to, self) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: as for `zero`.
        unsafe { vaddq_f32(self, other) }
    }

    #[inline(always)]
    fn multiply_add(self, a: Self, b: Self) -> Self {
        // SAFETY: as for `zero`.
        unsafe { vfmaq_f32(self, a, b) }
    }

    /// A load brings four weights, and each multiply-add takes its own out of a lane.
    #[inline(always)]
    unsafe fn step_beside<const OC: usize, const VECTORS: usize>(
        sums: &mut [[Self; VECTORS]; OC],
        x: *const f32,
        offsets: &[usize; VECTORS],
        w: *const f32,
    ) {
        // SAFETY: the caller's promise, and as for `zero`; a vector of weights is read for four rows only.
        unsafe {
            let positions = load_all(x, offsets);
            let (quads, rest) = sums.as_chunks_mut::<QUAD>();
            let after = w.add(quads.len() * QUAD);
            for (index, [a, b, c, d]) in quads.iter_mut().enumerate() {
                let weights = vld1q_f32(w.add(index * QUAD));
                for v in 0..VECTORS {
                    a[v] = vfmaq_laneq_f32::<0>(a[v], positions[v], weights);
                    b[v] = vfmaq_laneq_f32::<1>(b[v], positions[v], weights);
                    c[v] = vfmaq_laneq_f32::<2>(c[v], positions[v], weights);
                    d[v] = vfmaq_laneq_f32::<3>(d[v], positions[v], weights);
                }
            }
            for (index, sums) in rest.iter_mut().enumerate() {
                let weight = Self::splat(after.add(index));
                for (sum, position) in sums.iter_mut().zip(&positions) {
                    *sum = sum.multiply_add(weight, *position);
                }
            }
        }
    }
}
