use std::mem::MaybeUninit;

use crate::simd::InstructionSet;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use crate::simd::Width;
use crate::threads::Shared;

/// Lines of memory, one below the other.
#[derive(Clone, Copy)]
pub(super) struct Lines<T> {
    /// The first line's first element.
    pub first: T,
    /// Lines.
    pub count: usize,
    /// Elements from one line to the next.
    pub pitch: usize,
}

/// Elements for a position of all lines to lie beside each other: `[line, position]` to `[position, lane]`, with zeros
/// in the lanes behind the last line. There are `to.len() / lanes` positions.
pub(super) fn interleave(lanes: usize, from: Lines<&[f32]>, to: &mut [f32]) {
    interleave_with(InstructionSet::detect(), lanes, from, to);
}

fn interleave_with(set: InstructionSet, lanes: usize, from: Lines<&[f32]>, to: &mut [f32]) {
    let Lines {
        first,
        count,
        pitch,
    } = from;
    let positions = to.len() / lanes;
    let mut done = 0;
    if count < lanes {
        to.fill(0.0);
    } else if let Some(square) = square(set, lanes) {
        assert!((count - 1) * pitch + positions <= first.len(), "lines");
        done = positions - positions % lanes;
        for position in (0..done).step_by(lanes) {
            // SAFETY: the processor has the set; the square lies inside the lines, and inside the result, which has
            // `lanes` elements for each of `positions`.
            unsafe {
                square(
                    first.as_ptr().add(position),
                    pitch,
                    to.as_mut_ptr().add(position * lanes),
                    lanes,
                );
            }
        }
    }
    let rest = &mut to[done * lanes..];
    for line in 0..count.min(lanes) {
        let slots = rest.iter_mut().skip(line).step_by(lanes);
        for (slot, value) in slots.zip(&first[line * pitch + done..][..positions - done]) {
            *slot = *value;
        }
    }
}

/// The inverse of [`interleave`]: `[position, lane]` to `[line, position]`; lanes behind the last line are left out. A
/// position is a line of `from`, of which the first `lanes` elements are taken.
///
/// # Safety
/// Each line of `to` has room for as many elements as `from` has positions, which no other task touches.
pub(super) unsafe fn separate(
    lanes: usize,
    from: Lines<&[f32]>,
    to: Lines<Shared<MaybeUninit<f32>>>,
) {
    // SAFETY: the caller's promise.
    unsafe { separate_with(InstructionSet::detect(), lanes, from, to) };
}

/// # Safety
/// As for [`separate`].
unsafe fn separate_with(
    set: InstructionSet,
    lanes: usize,
    from: Lines<&[f32]>,
    to: Lines<Shared<MaybeUninit<f32>>>,
) {
    let Lines {
        first,
        count: positions,
        pitch,
    } = from;
    assert!(
        positions == 0 || (positions - 1) * pitch + lanes <= first.len(),
        "positions"
    );
    let mut done = 0;
    if let Some(square) = square(set, lanes).filter(|_| to.count >= lanes) {
        done = positions - positions % lanes;
        for position in (0..done).step_by(lanes) {
            // SAFETY: the processor has the set; the square lies inside `from`, and the caller promises the lines.
            unsafe {
                square(
                    first.as_ptr().add(position * pitch),
                    pitch,
                    to.first.offset(position).as_mut_ptr().cast(),
                    to.pitch,
                );
            }
        }
    }
    for line in 0..to.count.min(lanes) {
        // SAFETY: the caller's promise.
        let slots = unsafe { to.first.slice(line * to.pitch + done, positions - done) };
        let values = first.iter().skip(done * pitch + line).step_by(pitch);
        for (slot, value) in slots.iter_mut().zip(values) {
            slot.write(*value);
        }
    }
}

/// Transposes a square of `lanes` lines: from, pitch, to, pitch.
///
/// # Safety
/// The processor has the instruction set, and `lanes` elements of each of as many lines are readable and writable.
type Square = unsafe fn(*const f32, usize, *mut f32, usize);

/// For lines of which the set has shuffles.
fn square(set: InstructionSet, lanes: usize) -> Option<Square> {
    match (lanes, set.width()) {
        #[cfg(target_arch = "x86_64")]
        (16, Width::Avx512) => Some(x86::square_16),
        #[cfg(target_arch = "x86_64")]
        (16, Width::Avx2) => Some(x86::square_16_of_8),
        #[cfg(target_arch = "x86_64")]
        (8, Width::Avx2 | Width::Avx512) => Some(x86::square_8),
        #[cfg(target_arch = "x86_64")]
        (4, Width::Avx2 | Width::Avx512) => Some(x86::square_4),
        #[cfg(target_arch = "aarch64")]
        (8, Width::Neon) => Some(neon::square_8),
        #[cfg(target_arch = "aarch64")]
        (4, Width::Neon) => Some(neon::square_4),
        _ => None,
    }
}

/// Transposes the squares of four that lie side by side in four rows.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! quads {
    ($name:ident, $set:literal, $vector:ty, $low:ident, $high:ident, $low_pairs:ident, $high_pairs:ident, $to_pairs:ident, $from_pairs:ident) => {
        #[target_feature(enable = $set)]
        fn $name(rows: [$vector; 4]) -> [$vector; 4] {
            let lower = [
                $to_pairs($low(rows[0], rows[1])),
                $to_pairs($low(rows[2], rows[3])),
            ];
            let upper = [
                $to_pairs($high(rows[0], rows[1])),
                $to_pairs($high(rows[2], rows[3])),
            ];
            [
                $from_pairs($low_pairs(lower[0], lower[1])),
                $from_pairs($high_pairs(lower[0], lower[1])),
                $from_pairs($low_pairs(upper[0], upper[1])),
                $from_pairs($high_pairs(upper[0], upper[1])),
            ]
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128, __m256, __m512, _mm_castpd_ps, _mm_castps_pd, _mm_loadu_ps, _mm_setzero_ps,
        _mm_storeu_ps, _mm_unpackhi_pd, _mm_unpackhi_ps, _mm_unpacklo_pd, _mm_unpacklo_ps,
        _mm256_castpd_ps, _mm256_castps_pd, _mm256_loadu_ps, _mm256_permute2f128_ps,
        _mm256_setzero_ps, _mm256_storeu_ps, _mm256_unpackhi_pd, _mm256_unpackhi_ps,
        _mm256_unpacklo_pd, _mm256_unpacklo_ps, _mm512_castpd_ps, _mm512_castps_pd,
        _mm512_loadu_ps, _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_storeu_ps,
        _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd, _mm512_unpacklo_ps,
    };

    /// Every second quarter of two vectors, from the first or from the second on.
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;

    /// Lower or upper halves of two vectors.
    const LOWER: i32 = 0x20;
    const UPPER: i32 = 0x31;

    quads!(
        quads_512,
        "avx512f",
        __m512,
        _mm512_unpacklo_ps,
        _mm512_unpackhi_ps,
        _mm512_unpacklo_pd,
        _mm512_unpackhi_pd,
        _mm512_castps_pd,
        _mm512_castpd_ps
    );
    quads!(
        quads_128,
        "sse2",
        __m128,
        _mm_unpacklo_ps,
        _mm_unpackhi_ps,
        _mm_unpacklo_pd,
        _mm_unpackhi_pd,
        _mm_castps_pd,
        _mm_castpd_ps
    );
    quads!(
        quads_256,
        "avx",
        __m256,
        _mm256_unpacklo_ps,
        _mm256_unpackhi_ps,
        _mm256_unpacklo_pd,
        _mm256_unpackhi_pd,
        _mm256_castps_pd,
        _mm256_castpd_ps
    );

    /// # Safety
    /// As for [`super::Square`].
    #[target_feature(enable = "sse2")]
    pub(super) unsafe fn square_4(
        from: *const f32,
        from_pitch: usize,
        to: *mut f32,
        to_pitch: usize,
    ) {
        let mut rows = [_mm_setzero_ps(); 4];
        for (i, row) in rows.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *row = unsafe { _mm_loadu_ps(from.add(i * from_pitch)) };
        }
        for (i, column) in quads_128(rows).into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { _mm_storeu_ps(to.add(i * to_pitch), column) };
        }
    }

    /// # Safety
    /// As for [`super::Square`], with AVX-512F.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn square_16(
        from: *const f32,
        from_pitch: usize,
        to: *mut f32,
        to_pitch: usize,
    ) {
        let mut rows = [_mm512_setzero_ps(); 16];
        for (i, row) in rows.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *row = unsafe { _mm512_loadu_ps(from.add(i * from_pitch)) };
        }
        // Quarter `l` of `quads[4 i + c]` is column `4 l + c` of rows `4 i` to `4 i + 3`.
        let mut quads = [_mm512_setzero_ps(); 16];
        for i in (0..16).step_by(4) {
            let of_rows = quads_512([rows[i], rows[i + 1], rows[i + 2], rows[i + 3]]);
            quads[i..i + 4].copy_from_slice(&of_rows);
        }
        for c in 0..4 {
            let even = [
                _mm512_shuffle_f32x4::<EVEN>(quads[c], quads[c + 4]),
                _mm512_shuffle_f32x4::<EVEN>(quads[c + 8], quads[c + 12]),
            ];
            let odd = [
                _mm512_shuffle_f32x4::<ODD>(quads[c], quads[c + 4]),
                _mm512_shuffle_f32x4::<ODD>(quads[c + 8], quads[c + 12]),
            ];
            let columns = [
                _mm512_shuffle_f32x4::<EVEN>(even[0], even[1]),
                _mm512_shuffle_f32x4::<EVEN>(odd[0], odd[1]),
                _mm512_shuffle_f32x4::<ODD>(even[0], even[1]),
                _mm512_shuffle_f32x4::<ODD>(odd[0], odd[1]),
            ];
            for (l, column) in columns.into_iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { _mm512_storeu_ps(to.add((4 * l + c) * to_pitch), column) };
            }
        }
    }

    /// Four squares of eight.
    ///
    /// # Safety
    /// As for [`super::Square`], with AVX.
    #[target_feature(enable = "avx")]
    pub(super) unsafe fn square_16_of_8(
        from: *const f32,
        from_pitch: usize,
        to: *mut f32,
        to_pitch: usize,
    ) {
        for i in [0, 8] {
            for c in [0, 8] {
                // SAFETY: the caller's promise.
                unsafe {
                    square_8(
                        from.add(i * from_pitch + c),
                        from_pitch,
                        to.add(c * to_pitch + i),
                        to_pitch,
                    );
                }
            }
        }
    }

    /// # Safety
    /// As for [`super::Square`], with AVX.
    #[target_feature(enable = "avx")]
    pub(super) unsafe fn square_8(
        from: *const f32,
        from_pitch: usize,
        to: *mut f32,
        to_pitch: usize,
    ) {
        let mut rows = [_mm256_setzero_ps(); 8];
        for (i, row) in rows.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *row = unsafe { _mm256_loadu_ps(from.add(i * from_pitch)) };
        }
        // Half `l` of `quads[4 i + c]` is column `4 l + c` of rows `4 i` to `4 i + 3`.
        let mut quads = [_mm256_setzero_ps(); 8];
        for i in [0, 4] {
            let of_rows = quads_256([rows[i], rows[i + 1], rows[i + 2], rows[i + 3]]);
            quads[i..i + 4].copy_from_slice(&of_rows);
        }
        for c in 0..4 {
            let columns = [
                _mm256_permute2f128_ps::<LOWER>(quads[c], quads[c + 4]),
                _mm256_permute2f128_ps::<UPPER>(quads[c], quads[c + 4]),
            ];
            for (l, column) in columns.into_iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { _mm256_storeu_ps(to.add((4 * l + c) * to_pitch), column) };
            }
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::{
        float32x4_t, vdupq_n_f32, vld1q_f32, vreinterpretq_f32_f64, vreinterpretq_f64_f32,
        vst1q_f32, vzip1q_f32, vzip1q_f64, vzip2q_f32, vzip2q_f64,
    };

    quads!(
        quads,
        "neon",
        float32x4_t,
        vzip1q_f32,
        vzip2q_f32,
        vzip1q_f64,
        vzip2q_f64,
        vreinterpretq_f64_f32,
        vreinterpretq_f32_f64
    );

    /// # Safety
    /// As for [`super::Square`].
    #[target_feature(enable = "neon")]
    pub(super) unsafe fn square_4(
        from: *const f32,
        from_pitch: usize,
        to: *mut f32,
        to_pitch: usize,
    ) {
        let mut rows = [vdupq_n_f32(0.0); 4];
        for (i, row) in rows.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *row = unsafe { vld1q_f32(from.add(i * from_pitch)) };
        }
        for (i, column) in quads(rows).into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { vst1q_f32(to.add(i * to_pitch), column) };
        }
    }

    /// Four squares of four.
    ///
    /// # Safety
    /// As for [`super::Square`].
    #[target_feature(enable = "neon")]
    pub(super) unsafe fn square_8(
        from: *const f32,
        from_pitch: usize,
        to: *mut f32,
        to_pitch: usize,
    ) {
        for i in [0, 4] {
            for c in [0, 4] {
                // SAFETY: the caller's promise.
                unsafe {
                    square_4(
                        from.add(i * from_pitch + c),
                        from_pitch,
                        to.add(c * to_pitch + i),
                        to_pitch,
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use super::{InstructionSet, Lines, Shared, interleave_with, separate_with};

    #[test]
    fn every_element_is_where_it_belongs_and_returns() {
        for set in InstructionSet::available() {
            for lanes in [4, 8, 16] {
                for positions in [1, 7, 8, 16, 35, 48] {
                    for (count, gap) in [(1, 0), (lanes - 1, 3), (lanes, 0), (lanes, 5)] {
                        let what =
                            format!("{:?}, {count} of {lanes}, {positions} + {gap}", set.width());
                        let pitch = positions + gap;
                        let lines: Vec<f32> = (1..=count * pitch).map(|v| v as f32).collect();
                        let from = Lines {
                            first: lines.as_slice(),
                            count,
                            pitch,
                        };
                        let mut beside = vec![f32::NAN; lanes * positions];
                        interleave_with(set, lanes, from, &mut beside);
                        for (position, values) in beside.chunks_exact(lanes).enumerate() {
                            for (line, value) in values.iter().enumerate() {
                                let expected = if line < count {
                                    lines[line * pitch + position]
                                } else {
                                    0.0
                                };
                                assert_eq!(*value, expected, "{what}");
                            }
                        }

                        // Elements behind the lanes of a position are left alone.
                        let spread: Vec<f32> = beside
                            .chunks_exact(lanes)
                            .flat_map(|lanes| lanes.iter().copied().chain([f32::NAN; 3]))
                            .collect();
                        let from = Lines {
                            first: spread.as_slice(),
                            count: positions,
                            pitch: lanes + 3,
                        };
                        let mut back = vec![MaybeUninit::new(0.0); lines.len()];
                        let to = Lines {
                            first: Shared::new(&mut back),
                            count,
                            pitch,
                        };
                        // SAFETY: `back` is as large as the lines were, and this is the only task.
                        unsafe { separate_with(set, lanes, from, to) };
                        for (index, (value, expected)) in back.into_iter().zip(&lines).enumerate() {
                            let written = index % pitch < positions;
                            // SAFETY: every element was initialized.
                            let value = unsafe { value.assume_init() };
                            assert_eq!(value, if written { *expected } else { 0.0 }, "{what}");
                        }
                    }
                }
            }
        }
    }
}
