//! Every second output in either direction.

use super::band::{Band, load};
use super::columns::{Columns, splats};
use super::{Sliding, TAPS};

/// Writes the columns of a vector from `x` on.
///
/// # Safety
/// As for the band, and the vector ends in the row.
#[inline(always)]
pub(super) unsafe fn tile<V: Columns>(band: &mut Band<'_>, x: usize) {
    // The column that the first tap of the first lane meets.
    let left = 2 * x as isize - band.filter.before[1];
    let right = left + (2 * V::LANES + TAPS - 2) as isize;
    // SAFETY: the caller's promise; without masks all that is read are pixels.
    unsafe {
        match left >= 0 && right <= band.filter.input[1] as isize {
            true => columns::<V, false>(band, x, left),
            false => columns::<V, true>(band, x, left),
        }
    }
}

/// # Safety
/// As for [`tile`]. Without `MASKED` the taps of all lanes meet pixels.
#[inline(always)]
unsafe fn columns<V: Columns, const MASKED: bool>(band: &mut Band<'_>, x: usize, left: isize) {
    let Sliding {
        output: [_, out_width],
        before,
        row,
        column,
        ..
    } = *band.filter;
    let top = 2 * band.rows.start as isize - before[0];
    let out = band.out[x..].as_mut_ptr().cast::<f32>();
    // SAFETY: vectors are written inside of `out`, the rest is the caller's promise.
    unsafe {
        let (row, column) = (splats::<V>(row), splats::<V>(column));
        let lanes = V::LANES as isize;
        let masks = [
            band.mask::<V>(left),
            band.mask::<V>(left + lanes),
            band.mask::<V>(left + 2),
            band.mask::<V>(left + lanes + 2),
        ];
        // What the first two taps make of the output row that is finished next.
        let mut begun = V::zero();
        for step in 0..=band.rows.len() {
            let y = top + 2 * step as isize;
            let upper = along::<V, MASKED>(band, y, left, masks, row);
            let lower = along::<V, MASKED>(band, y + 1, left, masks, row);
            if let Some(finished) = step.checked_sub(1) {
                let sum = V::multiply_add(upper, column[2], begun);
                V::multiply_add(lower, column[3], sum).store(out.add(finished * out_width));
            }
            begun = V::multiply_add(lower, column[1], V::multiply(upper, column[0]));
        }
    }
}

/// Row `y` filtered along itself.
///
/// # Safety
/// As for [`columns`].
#[inline(always)]
unsafe fn along<V: Columns, const MASKED: bool>(
    band: &Band<'_>,
    y: isize,
    left: isize,
    masks: [V::Mask; 4],
    row: [V; TAPS],
) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(pixels) = band.pixels(y, left) else {
            return V::zero();
        };
        let first = [
            load::<V, MASKED>(masks[0], pixels),
            load::<V, MASKED>(masks[1], pixels.wrapping_add(V::LANES)),
        ];
        let pixels = pixels.wrapping_add(2);
        let second = [
            load::<V, MASKED>(masks[2], pixels),
            load::<V, MASKED>(masks[3], pixels.wrapping_add(V::LANES)),
        ];
        let [first, second] = [V::deal(first[0], first[1]), V::deal(second[0], second[1])];
        let sum = V::multiply_add(first[1], row[1], V::multiply(first[0], row[0]));
        V::multiply_add(second[1], row[3], V::multiply_add(second[0], row[2], sum))
    }
}
