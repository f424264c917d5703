use std::ops::{Add, Mul, Sub};

/// Elements of the widest vector.
pub(super) const LANES: usize = 16;

/// A vector of neighboring positions, in as many registers as the instruction set needs for it.
///
/// The transforms wait for memory, so that what the compiler makes of arrays is fast enough and one source serves every set; register tiles, which do
/// not, are written in the intrinsics of one set each (`microkernel::Vector`).
#[derive(Clone, Copy)]
pub(super) struct Lanes(pub [f32; LANES]);

impl Lanes {
    /// The first elements of a slice that has enough of them.
    #[inline(always)]
    pub fn of(values: &[f32]) -> Self {
        let mut lanes = [0.0; LANES];
        lanes.copy_from_slice(&values[..LANES]);
        Self(lanes)
    }

    /// `self * factor + other`, fused where that is one instruction.
    #[inline(always)]
    pub fn multiply_add<const FUSED: bool>(mut self, factor: f32, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a = crate::simd::multiply_add::<FUSED>(*a, factor, b);
        }
        self
    }
}

impl Add for Lanes {
    type Output = Self;

    #[inline(always)]
    fn add(mut self, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a += b;
        }
        self
    }
}

impl Sub for Lanes {
    type Output = Self;

    #[inline(always)]
    fn sub(mut self, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a -= b;
        }
        self
    }
}

impl Mul<f32> for Lanes {
    type Output = Self;

    #[inline(always)]
    fn mul(mut self, factor: f32) -> Self {
        for a in &mut self.0 {
            *a *= factor;
        }
        self
    }
}
