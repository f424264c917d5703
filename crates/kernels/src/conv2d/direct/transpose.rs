use crate::simd::InstructionSet;

/// Transposes `rows` lines of `to.len() / rows` elements: `[channel, position]` to `[position, channel]`, with zeros where `planes` ends
/// before the last channel.
pub(super) fn transpose(rows: usize, planes: &[f32], to: &mut [f32]) {
    transpose_with(InstructionSet::detect(), rows, planes, to);
}

fn transpose_with(set: InstructionSet, rows: usize, planes: &[f32], to: &mut [f32]) {
    let plane = to.len() / rows;
    let done = if planes.len() < rows * plane {
        to.fill(0.0);
        0
    } else {
        squares(set, rows, plane, planes, to)
    };
    let rest = &mut to[done * rows..];
    for (channel, values) in planes.chunks_exact(plane).enumerate() {
        let slots = rest.iter_mut().skip(channel).step_by(rows);
        for (slot, value) in slots.zip(&values[done..]) {
            *slot = *value;
        }
    }
}

/// Transposes as many positions as fill squares that the set has shuffles for, and returns their number.
#[cfg(target_arch = "x86_64")]
fn squares(
    set: InstructionSet,
    rows: usize,
    plane: usize,
    planes: &[f32],
    to: &mut [f32],
) -> usize {
    let square = match (rows, set) {
        (16, InstructionSet::Avx512) => x86::square_16,
        (8, InstructionSet::Avx2 | InstructionSet::Avx512) => x86::square_8,
        _ => return 0,
    };
    let count = plane / rows;
    assert!(
        planes.len() >= rows * plane && to.len() >= rows * plane,
        "planes to transpose"
    );
    for index in 0..count {
        let first = index * rows;
        // SAFETY: the processor has the set; square `index` lies inside the planes and inside the result, both of `rows * plane`.
        unsafe {
            square(
                planes.as_ptr().add(first),
                plane,
                to.as_mut_ptr().add(first * rows),
            );
        }
    }
    count * rows
}

#[cfg(not(target_arch = "x86_64"))]
fn squares(
    _set: InstructionSet,
    _rows: usize,
    _plane: usize,
    _planes: &[f32],
    _to: &mut [f32],
) -> usize {
    0
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, _mm256_castpd_ps, _mm256_castps_pd, _mm256_loadu_ps,
        _mm256_permute2f128_ps, _mm256_setzero_ps, _mm256_storeu_ps, _mm256_unpackhi_pd,
        _mm256_unpackhi_ps, _mm256_unpacklo_pd, _mm256_unpacklo_ps, _mm512_castpd_ps,
        _mm512_castps_pd, _mm512_loadu_ps, _mm512_setzero_ps, _mm512_shuffle_f32x4,
        _mm512_storeu_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd,
        _mm512_unpacklo_ps,
    };

    /// Every second quarter of two vectors, from the first or from the second on.
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;

    /// Lower or upper halves of two vectors.
    const LOWER: i32 = 0x20;
    const UPPER: i32 = 0x31;

    /// Transposes the squares of four that lie side by side in four rows.
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
    /// The processor has AVX-512F; 16 elements are readable at `from` and every `pitch` elements from there, 16 times, and 256 are
    /// writable at `to`.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn square_16(from: *const f32, pitch: usize, to: *mut f32) {
        let mut rows = [_mm512_setzero_ps(); 16];
        for (i, row) in rows.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *row = unsafe { _mm512_loadu_ps(from.add(i * pitch)) };
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
                unsafe { _mm512_storeu_ps(to.add((4 * l + c) * 16), column) };
            }
        }
    }

    /// # Safety
    /// As for [`square_16`], with AVX, 8 elements, 8 times, and 64.
    #[target_feature(enable = "avx")]
    pub(super) unsafe fn square_8(from: *const f32, pitch: usize, to: *mut f32) {
        let mut rows = [_mm256_setzero_ps(); 8];
        for (i, row) in rows.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *row = unsafe { _mm256_loadu_ps(from.add(i * pitch)) };
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
                unsafe { _mm256_storeu_ps(to.add((4 * l + c) * 8), column) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{InstructionSet, transpose_with};

    #[test]
    fn every_element_is_where_it_belongs() {
        for set in [
            InstructionSet::Portable,
            InstructionSet::Avx2,
            InstructionSet::Avx512,
        ] {
            if set > InstructionSet::widest() {
                continue;
            }
            for rows in [4, 8, 16] {
                for plane in [1, 7, 8, 16, 35, 48] {
                    for channels in [1, rows - 1, rows] {
                        let planes: Vec<f32> = (1..=channels * plane).map(|v| v as f32).collect();
                        let mut result = vec![f32::NAN; rows * plane];
                        transpose_with(set, rows, &planes, &mut result);
                        for (position, line) in result.chunks_exact(rows).enumerate() {
                            for (channel, value) in line.iter().enumerate() {
                                let expected = planes
                                    .get(channel * plane + position)
                                    .copied()
                                    .unwrap_or(0.0);
                                assert_eq!(
                                    *value, expected,
                                    "{set:?}, {rows} rows, {channels} channels, {plane} positions"
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}
