//! Factors and inner products of whole planes.

use std::mem::MaybeUninit;

use super::microkernel::MAX_LANES;
use crate::initialized::written_by;
use crate::simd::{self, Kernel, multiply_add};
use crate::threads::{self, Shared};

/// Elements of a task, against the cost of taking it.
const TASK_ELEMENTS: usize = 1 << 16;

/// Multiplies plane `i` of `x`, `area` elements long, by `scales[i]`.
///
/// # Panics
/// When there are not as many planes as factors.
pub fn scale(x: &mut [f32], scales: &[f32], area: usize) {
    assert_eq!(x.len(), scales.len() * area, "one factor for each plane");
    let threads = threads::threads_for(x.len() / MAX_LANES);
    let planes_of_task = (TASK_ELEMENTS / area.max(1)).max(1);
    let shared = Shared::new(x);
    threads::run(threads, scales.len().div_ceil(planes_of_task), |task| {
        let first = task * planes_of_task;
        for (plane, scale) in (first..).zip(scales[first..].iter().take(planes_of_task)) {
            // SAFETY: each plane belongs to one task and lies inside `x`.
            let plane = unsafe { shared.slice(plane * area, area) };
            plane.iter_mut().for_each(|value| *value *= scale);
        }
    });
}

/// As [`scale`], into memory of its own: for planes that others still read, which would be copied first.
///
/// # Panics
/// When there are not as many planes as factors.
pub fn scaled(x: &[f32], scales: &[f32], area: usize) -> Vec<f32> {
    assert_eq!(x.len(), scales.len() * area, "one factor for each plane");
    let threads = threads::threads_for(x.len() / MAX_LANES);
    let planes_of_task = (TASK_ELEMENTS / area.max(1)).max(1);
    let write = |out: &mut [MaybeUninit<f32>]| {
        let shared = Shared::new(out);
        threads::run(threads, scales.len().div_ceil(planes_of_task), |task| {
            let first = task * planes_of_task;
            for (plane, scale) in (first..).zip(scales[first..].iter().take(planes_of_task)) {
                // SAFETY: each plane belongs to one task and lies inside `out`.
                let out = unsafe { shared.slice(plane * area, area) };
                for (out, value) in out.iter_mut().zip(&x[plane * area..]) {
                    out.write(value * scale);
                }
            }
        });
    };
    // SAFETY: the tasks write every plane.
    unsafe { written_by(x.len(), write) }
}

/// Inner products of the `planes` planes, `area` elements long, of `a` and `b`.
///
/// # Panics
/// When one of them has another length.
pub fn products(a: &[f32], b: &[f32], planes: usize, area: usize) -> Vec<f32> {
    assert!(
        a.len() == planes * area && b.len() == planes * area,
        "planes of equal size"
    );
    let mut result = vec![0.0; planes];
    let threads = threads::threads_for(a.len() / MAX_LANES);
    let planes_of_task = (TASK_ELEMENTS / area.max(1)).max(1);
    let shared = Shared::new(&mut result);
    threads::run(threads, planes.div_ceil(planes_of_task), |task| {
        let first = task * planes_of_task;
        let count = planes_of_task.min(planes - first);
        let range = first * area..(first + count) * area;
        simd::run(Products {
            a: &a[range.clone()],
            b: &b[range],
            area,
            // SAFETY: each plane belongs to one task and lies inside the result.
            result: unsafe { shared.slice(first, count) },
        });
    });
    result
}

struct Products<'a> {
    a: &'a [f32],
    b: &'a [f32],
    area: usize,
    result: &'a mut [f32],
}

impl Kernel for Products<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let planes = self
            .a
            .chunks_exact(self.area)
            .zip(self.b.chunks_exact(self.area));
        for (result, (a, b)) in self.result.iter_mut().zip(planes) {
            let mut sums = [0.0_f32; 2 * MAX_LANES];
            let (a, a_rest) = a.as_chunks::<{ 2 * MAX_LANES }>();
            let (b, b_rest) = b.as_chunks::<{ 2 * MAX_LANES }>();
            for (a, b) in a.iter().zip(b) {
                for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                    *sum = multiply_add::<FUSED>(*a, *b, *sum);
                }
            }
            let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
            *result = sums.iter().sum::<f32>() + rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use testkit::seeded;

    use super::{scale, scaled};

    #[test]
    fn planes_are_scaled_in_place_and_elsewhere() {
        // Planes of a part of a task, and of more than one.
        for (planes, area) in [(1, 1), (7, 5), (3, super::TASK_ELEMENTS + 3), (2000, 96)] {
            let x = seeded("planes", planes * area, 1.0);
            let scales = seeded("scales", planes, 1.0);
            let expected: Vec<f32> = (0..planes * area)
                .map(|i| x[i] * scales[i / area])
                .collect();
            assert_eq!(scaled(&x, &scales, area), expected);
            let mut x = x;
            scale(&mut x, &scales, area);
            assert_eq!(x, expected);
        }
    }
}
