//! Some rows of a plane, and which vectors write their columns.

use std::arch::x86_64::{__m256, __m512};
use std::mem::MaybeUninit;
use std::ops::Range;

use super::columns::Columns;
use super::{Rate, Sliding, double_rate, half_rate, same_rate};

/// Where some output rows of a plane come from and go to.
pub(super) struct Band<'a> {
    pub(super) filter: &'a Sliding,
    pub(super) plane: &'a [f32],
    pub(super) rows: Range<usize>,
    pub(super) out: &'a mut [MaybeUninit<f32>],
}

impl Band<'_> {
    /// The pixels of a row from the column `left` on, which may lie beside the image; none for a row in the padding.
    #[inline(always)]
    pub(super) fn pixels(&self, y: isize, left: isize) -> Option<*const f32> {
        let [height, width] = self.filter.input.map(|size| size as isize);
        (0..height)
            .contains(&y)
            .then(|| self.plane.as_ptr().wrapping_offset(y * width + left))
    }

    /// The lanes of a vector from the column `left` on that lie in the image.
    ///
    /// # Safety
    /// The processor has the vector's instructions.
    #[inline(always)]
    pub(super) unsafe fn mask<V: Columns>(&self, left: isize) -> V::Mask {
        let width = self.filter.input[1] as isize;
        let [start, end] =
            [-left, width - left].map(|lane| lane.clamp(0, V::LANES as isize) as usize);
        // SAFETY: the caller's promise.
        unsafe { V::mask(start, end) }
    }
}

/// # Safety
/// All lanes are readable, with `MASKED` those of the mask; the processor has the vector's instructions.
#[inline(always)]
pub(super) unsafe fn load<V: Columns, const MASKED: bool>(mask: V::Mask, from: *const f32) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        match MASKED {
            true => V::load_masked(mask, from),
            false => V::load(from),
        }
    }
}

/// # Safety
/// The plane has the pixels of the filter's input, `out` the rows, which the filter's [`Rate`] fits.
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
pub(super) unsafe fn write_avx512(mut band: Band<'_>) {
    let width = band.filter.output[1];
    let mut x = 0;
    // SAFETY: the caller's promise; vectors end in the row.
    unsafe {
        match band.filter.rate {
            Rate::Same => {
                while width - x >= 4 * __m512::LANES {
                    same_rate::tile::<__m512, 4>(&mut band, x);
                    x += 4 * __m512::LANES;
                }
                if width - x >= 2 * __m512::LANES {
                    same_rate::tile::<__m512, 2>(&mut band, x);
                    x += 2 * __m512::LANES;
                }
            }
            Rate::Half => {}
            Rate::Double if width >= 2 * __m512::LANES => {
                return doubled::<__m512>(&mut band);
            }
            Rate::Double => return doubled::<__m256>(&mut band),
        }
        while width - x >= __m512::LANES {
            single::<__m512>(&mut band, x);
            x += __m512::LANES;
        }
        // What is left goes into the smallest vectors that hold it. They overlap those before them, so that no remainder
        // goes one by one.
        match width - x {
            0 => {}
            9.. if width >= __m512::LANES => single::<__m512>(&mut band, width - __m512::LANES),
            left => {
                if left > __m256::LANES {
                    single::<__m256>(&mut band, x);
                }
                single::<__m256>(&mut band, width - __m256::LANES);
            }
        }
    }
}

/// # Safety
/// The plane has the pixels of the filter's input, `out` the rows, which the filter's [`Rate`] fits.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn write_avx2(mut band: Band<'_>) {
    let width = band.filter.output[1];
    let mut x = 0;
    // SAFETY: the caller's promise; vectors end in the row.
    unsafe {
        match band.filter.rate {
            Rate::Same => {
                while width - x >= 2 * __m256::LANES {
                    same_rate::tile::<__m256, 2>(&mut band, x);
                    x += 2 * __m256::LANES;
                }
            }
            Rate::Half => {}
            Rate::Double => return doubled::<__m256>(&mut band),
        }
        while width - x >= __m256::LANES {
            single::<__m256>(&mut band, x);
            x += __m256::LANES;
        }
        if width > x {
            single::<__m256>(&mut band, width - __m256::LANES);
        }
    }
}

/// Writes the columns of a vector from `x` on, at the same or half of the rate.
///
/// # Safety
/// As for the band, and the vector ends in the row.
#[inline(always)]
unsafe fn single<V: Columns>(band: &mut Band<'_>, x: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match band.filter.rate {
            Rate::Half => half_rate::tile::<V>(band, x),
            _ => same_rate::tile::<V, 1>(band, x),
        }
    }
}

/// Writes all columns at the double rate, two vectors at a time.
///
/// # Safety
/// As for the band, and two vectors fit into a row, whose width is even.
#[inline(always)]
unsafe fn doubled<V: Columns>(band: &mut Band<'_>) {
    let last = band.filter.output[1] - 2 * V::LANES;
    let mut x = 0;
    loop {
        // SAFETY: the caller's promise.
        unsafe { double_rate::tile::<V>(band, x) };
        if x == last {
            return;
        }
        x = (x + 2 * V::LANES).min(last);
    }
}
