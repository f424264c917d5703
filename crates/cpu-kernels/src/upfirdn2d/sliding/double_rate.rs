//! A zero inserted behind every pixel in either direction, so that two taps each way meet pixels.

use super::band::{Band, load};
use super::columns::Columns;
use super::{Sliding, TAPS};

/// The two taps that meet pixels at outputs of one residue: `tap` and the one two behind it, at the pixels from
/// `output / 2 + offset` on.
#[derive(Clone, Copy)]
struct Phase {
    tap: usize,
    offset: isize,
}

impl Phase {
    fn new(before: isize, residue: isize) -> Self {
        let tap = (before - residue).rem_euclid(2);
        Self {
            tap: tap as usize,
            offset: (residue + tap - before) / 2,
        }
    }
}

/// Writes the columns of two vectors from `x` on, which is even.
///
/// # Safety
/// As for the band, and the vectors end in the row.
#[inline(always)]
pub(super) unsafe fn tile<V: Columns>(band: &mut Band<'_>, x: usize) {
    let phases = [0, 1].map(|residue| Phase::new(band.filter.before[1], residue));
    let left = (x / 2) as isize + phases[0].offset;
    // Either residue meets two pixels, those of the second one begin at the same or at the next.
    let right = left + (V::LANES + 2) as isize;
    // SAFETY: the caller's promise; without masks all that is read are pixels.
    unsafe {
        match left >= 0 && right <= band.filter.input[1] as isize {
            true => columns::<V, false>(band, x, left, phases),
            false => columns::<V, true>(band, x, left, phases),
        }
    }
}

/// # Safety
/// As for [`tile`]. Without `MASKED` the taps of all lanes meet pixels.
#[inline(always)]
unsafe fn columns<V: Columns, const MASKED: bool>(
    band: &mut Band<'_>,
    x: usize,
    left: isize,
    phases: [Phase; 2],
) {
    let Sliding {
        output: [_, out_width],
        before,
        row,
        column,
        ..
    } = *band.filter;
    let rows = [0, 1].map(|residue| Phase::new(before[0], residue));
    let out = band.out[x..].as_mut_ptr().cast::<f32>();
    // SAFETY: vectors are written inside of `out`, the rest is the caller's promise.
    unsafe {
        let taps = Along {
            left,
            masks: [
                band.mask::<V>(left),
                band.mask::<V>(left + 1),
                band.mask::<V>(left + 2),
            ],
            even: [
                V::splat(row[phases[0].tap]),
                V::splat(row[phases[0].tap + 2]),
            ],
            odd: [
                V::splat(row[phases[1].tap]),
                V::splat(row[phases[1].tap + 2]),
            ],
            is_odd_behind: phases[1].offset > phases[0].offset,
        };
        let columns = [
            [
                V::splat(column[rows[0].tap]),
                V::splat(column[rows[0].tap + 2]),
            ],
            [
                V::splat(column[rows[1].tap]),
                V::splat(column[rows[1].tap + 2]),
            ],
        ];
        let mut lower = (band.rows.start / 2) as isize + rows[band.rows.start % 2].offset;
        let mut above = taps.of::<MASKED>(band, lower);
        lower += 1;
        let mut below = taps.of::<MASKED>(band, lower);
        for (index, y) in band.rows.clone().enumerate() {
            if lower < (y / 2) as isize + rows[y % 2].offset + 1 {
                lower += 1;
                above = below;
                below = taps.of::<MASKED>(band, lower);
            }
            let [first, second] = columns[y % 2];
            let to = out.add(index * out_width);
            for half in 0..2 {
                let sum = V::multiply(above[half], first);
                V::multiply_add(below[half], second, sum).store(to.add(half * V::LANES));
            }
        }
    }
}

/// What filters rows along themselves.
struct Along<V: Columns> {
    left: isize,
    masks: [V::Mask; 3],
    even: [V; TAPS / 2],
    odd: [V; TAPS / 2],
    is_odd_behind: bool,
}

impl<V: Columns> Along<V> {
    /// Row `y`, in twice as many columns.
    ///
    /// # Safety
    /// As for [`columns`].
    #[inline(always)]
    unsafe fn of<const MASKED: bool>(&self, band: &Band<'_>, y: isize) -> [V; 2] {
        // SAFETY: the caller's promise.
        unsafe {
            let Some(pixels) = band.pixels(y, self.left) else {
                return [V::zero(); 2];
            };
            let next = pixels.wrapping_add(1);
            let first = load::<V, MASKED>(self.masks[0], pixels);
            let second = load::<V, MASKED>(self.masks[1], next);
            let even = V::multiply_add(second, self.even[1], V::multiply(first, self.even[0]));
            let odd = if self.is_odd_behind {
                let third = load::<V, MASKED>(self.masks[2], next.wrapping_add(1));
                V::multiply_add(third, self.odd[1], V::multiply(second, self.odd[0]))
            } else {
                V::multiply_add(second, self.odd[1], V::multiply(first, self.odd[0]))
            };
            V::interleave(even, odd)
        }
    }
}
