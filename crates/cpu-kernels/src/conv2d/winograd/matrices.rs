//! The matrices of F(4, 3) along one axis, as sums of vectors.
//!
//! They evaluate polynomials at 0, at plus and minus the square roots of 1/2 and of 2, and at infinity. Magnitudes that
//! are reciprocal keep the matrices' elements small: the largest rounding errors are half of those that the usual 0, 1,
//! -1, 2 and -2 make, and a fifth where the matrices are applied along two axes. Squares are powers of two, and pairs
//! share their even and odd parts, so that the sums are as few as for whole numbers.

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

use super::lanes::Lanes;

/// Outputs of one application.
pub(super) const OUTPUTS: usize = 4;
/// Products, and inputs.
pub(super) const POINTS: usize = 6;
/// Weights.
pub(super) const TAPS: usize = 3;

/// What the middle weight has of the points at the square roots of 1/2 and of 2.
const NEAR: f32 = FRAC_1_SQRT_2 * 2.0 / 3.0;
const FAR: f32 = SQRT_2 / 6.0;

/// `B^T x`.
#[inline(always)]
pub(super) fn of_inputs<const FUSED: bool>([a, b, c, d, e, f]: [Lanes; POINTS]) -> [Lanes; POINTS] {
    let near = c.multiply_add::<FUSED>(-2.0, e);
    let near_odd = b.multiply_add::<FUSED>(-2.0, d) * FRAC_1_SQRT_2;
    let far = c.multiply_add::<FUSED>(-0.5, e);
    let far_odd = b.multiply_add::<FUSED>(-0.5, d) * SQRT_2;
    [
        c.multiply_add::<FUSED>(-2.5, a + e),
        near + near_odd,
        near - near_odd,
        far + far_odd,
        far - far_odd,
        d.multiply_add::<FUSED>(-2.5, b + f),
    ]
}

/// `G w` of weights of `N` filters.
#[inline(always)]
pub(super) fn of_weights<const N: usize>(
    a: &[f32; N],
    b: &[f32; N],
    c: &[f32; N],
) -> [[f32; N]; POINTS] {
    let near = combined(-2.0 / 3.0, a, -1.0 / 3.0, c);
    let far = combined(1.0 / 6.0, a, 1.0 / 3.0, c);
    [
        *a,
        combined(1.0, &near, -NEAR, b),
        combined(1.0, &near, NEAR, b),
        combined(1.0, &far, FAR, b),
        combined(1.0, &far, -FAR, b),
        *c,
    ]
}

/// Two vectors times a factor each. One loop for each sum: of a loop over filters that has all sums the compiler makes
/// stores of single elements.
#[inline(always)]
fn combined<const N: usize>(
    of_first: f32,
    first: &[f32; N],
    of_second: f32,
    second: &[f32; N],
) -> [f32; N] {
    let mut sums = [0.0; N];
    for (sum, (first, second)) in sums.iter_mut().zip(first.iter().zip(second)) {
        *sum = of_first * first + of_second * second;
    }
    sums
}

/// `A^T s` of the sums of products.
#[inline(always)]
pub(super) fn of_sums<const FUSED: bool>([a, b, c, d, e, f]: [Lanes; POINTS]) -> [Lanes; OUTPUTS] {
    let (near, near_odd) = (b + c, (b - c) * FRAC_1_SQRT_2);
    let (far, far_odd) = (d + e, (d - e) * SQRT_2);
    [
        a + near + far,
        near_odd + far_odd,
        far.multiply_add::<FUSED>(2.0, near * 0.5),
        far_odd.multiply_add::<FUSED>(2.0, near_odd.multiply_add::<FUSED>(0.5, f)),
    ]
}

/// `A g` of the gradients of outputs, the transpose of [`of_sums`].
#[inline(always)]
pub(super) fn of_gradients<const FUSED: bool>([a, b, c, d]: [Lanes; OUTPUTS]) -> [Lanes; POINTS] {
    let near = c.multiply_add::<FUSED>(0.5, a);
    let near_odd = d.multiply_add::<FUSED>(0.5, b) * FRAC_1_SQRT_2;
    let far = c.multiply_add::<FUSED>(2.0, a);
    let far_odd = d.multiply_add::<FUSED>(2.0, b) * SQRT_2;
    [
        a,
        near + near_odd,
        near - near_odd,
        far + far_odd,
        far - far_odd,
        d,
    ]
}

/// `G^T s` of sums of products, the transpose of [`of_weights`].
#[inline(always)]
pub(super) fn of_products<const FUSED: bool>([a, b, c, d, e, f]: [Lanes; POINTS]) -> [Lanes; TAPS] {
    let (near, near_odd) = (b + c, c - b);
    let (far, far_odd) = (d + e, d - e);
    [
        near.multiply_add::<FUSED>(-2.0 / 3.0, far.multiply_add::<FUSED>(1.0 / 6.0, a)),
        near_odd.multiply_add::<FUSED>(NEAR, far_odd * FAR),
        (far - near).multiply_add::<FUSED>(1.0 / 3.0, f),
    ]
}
