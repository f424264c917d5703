use std::borrow::Borrow;
use std::ops::{Add, Mul, Sub};

use part::Part;

/// Elements of the widest vector; of two on 64-bit Arm, as four for each of the six rows would leave no registers for
/// their sums.
pub(in crate::conv2d) const LANES: usize = if cfg!(target_arch = "aarch64") { 8 } else { 16 };

/// A vector of neighboring positions or channels, in as many registers as the instruction set needs for it.
///
/// The transforms wait for memory, so that what the compiler makes of arrays is fast enough and one source serves every
/// set of x86-64; register tiles, which do not, are written in the intrinsics of one set each (`microkernel::Vector`).
/// For 64-bit Arm it took the arrays of `output` apart, into halves of vectors and single elements, so that vectors are
/// named there.
#[derive(Clone, Copy)]
pub(super) struct Lanes([Part; LANES / part::ELEMENTS]);

impl Lanes {
    /// The first elements of a slice that has enough of them.
    #[inline(always)]
    pub fn of(values: &[f32]) -> Self {
        let mut lanes = [0.0; LANES];
        lanes.copy_from_slice(&values[..LANES]);
        Self(part::of(lanes))
    }

    /// The same in every lane.
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self([part::splat(value); LANES / part::ELEMENTS])
    }

    /// What the lanes hold.
    #[inline(always)]
    pub fn values(&self) -> impl Borrow<[f32; LANES]> {
        part::values(&self.0)
    }

    /// `self * factor + other`, fused where that is one instruction.
    #[inline(always)]
    pub fn multiply_add<const FUSED: bool>(mut self, factor: f32, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a = part::multiply_add::<FUSED>(*a, factor, b);
        }
        self
    }
}

impl Add for Lanes {
    type Output = Self;

    #[inline(always)]
    fn add(mut self, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a = part::add(*a, b);
        }
        self
    }
}

impl Sub for Lanes {
    type Output = Self;

    #[inline(always)]
    fn sub(mut self, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a = part::sub(*a, b);
        }
        self
    }
}

impl Mul<f32> for Lanes {
    type Output = Self;

    #[inline(always)]
    fn mul(mut self, factor: f32) -> Self {
        for a in &mut self.0 {
            *a = part::mul(*a, factor);
        }
        self
    }
}

/// Single elements, which the compiler puts together.
#[cfg(not(target_arch = "aarch64"))]
mod part {
    use super::LANES;
    pub(super) use crate::simd::multiply_add;

    pub(super) type Part = f32;
    pub(super) const ELEMENTS: usize = 1;

    #[inline(always)]
    pub(super) fn of(values: [f32; LANES]) -> [Part; LANES] {
        values
    }

    #[inline(always)]
    pub(super) fn values(parts: &[Part; LANES]) -> &[f32; LANES] {
        parts
    }

    #[inline(always)]
    pub(super) fn splat(value: f32) -> Part {
        value
    }

    #[inline(always)]
    pub(super) fn add(a: Part, b: Part) -> Part {
        a + b
    }

    #[inline(always)]
    pub(super) fn sub(a: Part, b: Part) -> Part {
        a - b
    }

    #[inline(always)]
    pub(super) fn mul(a: Part, factor: f32) -> Part {
        a * factor
    }
}

/// Vectors of NEON, which every processor of the target has.
#[cfg(target_arch = "aarch64")]
mod part {
    use std::arch::aarch64::{
        float32x4_t, vaddq_f32, vdupq_n_f32, vfmaq_n_f32, vld1q_f32, vmulq_n_f32, vst1q_f32,
        vsubq_f32,
    };

    use super::LANES;

    pub(super) type Part = float32x4_t;
    pub(super) const ELEMENTS: usize = 4;

    #[inline(always)]
    pub(super) fn of(values: [f32; LANES]) -> [Part; LANES / ELEMENTS] {
        let (quads, _) = values.as_chunks::<ELEMENTS>();
        let mut parts = [splat(0.0); LANES / ELEMENTS];
        for (part, values) in parts.iter_mut().zip(quads) {
            // SAFETY: four elements are readable, and the target has NEON (`simd`).
            *part = unsafe { vld1q_f32(values.as_ptr()) };
        }
        parts
    }

    #[inline(always)]
    pub(super) fn values(parts: &[Part; LANES / ELEMENTS]) -> [f32; LANES] {
        let mut values = [0.0; LANES];
        let (quads, _) = values.as_chunks_mut::<ELEMENTS>();
        for (to, part) in quads.iter_mut().zip(parts) {
            // SAFETY: four elements are writable, and the target has NEON (`simd`).
            unsafe { vst1q_f32(to.as_mut_ptr(), *part) };
        }
        values
    }

    #[inline(always)]
    pub(super) fn splat(value: f32) -> Part {
        // SAFETY: the target has NEON (`simd`).
        unsafe { vdupq_n_f32(value) }
    }

    #[inline(always)]
    pub(super) fn add(a: Part, b: Part) -> Part {
        // SAFETY: as for `splat`.
        unsafe { vaddq_f32(a, b) }
    }

    #[inline(always)]
    pub(super) fn sub(a: Part, b: Part) -> Part {
        // SAFETY: as for `splat`.
        unsafe { vsubq_f32(a, b) }
    }

    #[inline(always)]
    pub(super) fn mul(a: Part, factor: f32) -> Part {
        // SAFETY: as for `splat`.
        unsafe { vmulq_n_f32(a, factor) }
    }

    /// `a * factor + b`.
    #[inline(always)]
    pub(super) fn multiply_add<const FUSED: bool>(a: Part, factor: f32, b: Part) -> Part {
        if FUSED {
            // SAFETY: as for `splat`.
            unsafe { vfmaq_n_f32(b, a, factor) }
        } else {
            add(mul(a, factor), b)
        }
    }
}
