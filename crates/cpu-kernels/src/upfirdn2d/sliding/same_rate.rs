//! At the rate of the pixels.

use super::band::Band;
use super::columns::{Columns, splats};
use super::{Sliding, TAPS};

/// Writes the columns of `N` vectors from `x` on.
///
/// # Safety
/// As for the band, and the vectors end in the row.
#[inline(always)]
pub(super) unsafe fn tile<V: Columns, const N: usize>(band: &mut Band<'_>, x: usize) {
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
        output: [_, out_width],
        before,
        row,
        column,
        ..
    } = *band.filter;
    let left = x as isize - before[1];
    let top = band.rows.start as isize - before[0];
    let out = band.out[x..].as_mut_ptr().cast::<f32>();
    // SAFETY: lanes that are read meet pixels of row `y`, and vectors are written inside of `out`: the caller's promise.
    unsafe {
        let mut masks = [[V::mask(0, V::LANES); TAPS]; 2];
        for (masks, vector) in masks.iter_mut().zip([0, N - 1]) {
            for (tap, mask) in masks.iter_mut().enumerate() {
                *mask = band.mask::<V>(left + (vector * V::LANES + tap) as isize);
            }
        }
        let (row, column) = (splats::<V>(row), splats::<V>(column));
        // What the output rows that are begun have so far, the next one to be finished first.
        let mut sums = [[V::zero(); N]; TAPS - 1];
        for step in 0..band.rows.len() + TAPS - 1 {
            let mut along = [V::zero(); N];
            if let Some(pixels) = band.pixels(top + step as isize, left) {
                for (vector, sum) in along.iter_mut().enumerate() {
                    let first = pixels.wrapping_add(vector * V::LANES);
                    for tap in 0..TAPS {
                        let from = first.wrapping_add(tap);
                        let met = if LEFT && vector == 0 {
                            V::load_masked(masks[0][tap], from)
                        } else if RIGHT && vector == N - 1 {
                            V::load_masked(masks[1][tap], from)
                        } else {
                            V::load(from)
                        };
                        *sum = match tap {
                            0 => V::multiply(met, row[0]),
                            _ => V::multiply_add(met, row[tap], *sum),
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
