//! Squared lengths `|W x|^2` for a packed triangle `W` and one or many vectors: all that a Gaussian log-density costs.
//!
//! For one vector the triangle is read from memory once and is not written anywhere: the loop is bound by memory
//! bandwidth. For several, each panel is widened to f32 once, stays in the first-level cache, and meets 8 vectors at a
//! time.

mod panels;

use half::f16;

pub use panels::{length, pack, solve_transposed};

use crate::simd::InstructionSet;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use crate::simd::Width;
use panels::{LANES, columns};

/// Vectors that share one pass over a panel: their sums and one column fill 9 of AVX's 16 registers, and 18 of NEON's
/// 32.
const BLOCK: usize = 8;

/// A packed lower triangular matrix.
#[derive(Clone, Copy, Debug)]
pub enum Triangle<'a> {
    /// In single precision.
    F32(&'a [f32]),
    /// In half precision.
    F16(&'a [f16]),
}

impl Triangle<'_> {
    /// The number at a position of the panels.
    pub fn value(self, index: usize) -> f64 {
        match self {
            Self::F32(values) => f64::from(values[index]),
            Self::F16(values) => f64::from(values[index].to_f32()),
        }
    }

    /// `|W x|^2` for each row `x` of `vectors`, `[n, dimension]`, into `lengths`, `[n]`.
    ///
    /// # Panics
    /// When there are fewer numbers than [`length`] says, or another number of vectors than of lengths.
    pub fn squared_lengths(
        self,
        dimension: usize,
        vectors: &[f32],
        scratch: &mut Vec<f32>,
        lengths: &mut [f32],
    ) {
        let set = InstructionSet::detect();
        self.squared_lengths_with(set, dimension, vectors, scratch, lengths);
    }

    fn squared_lengths_with(
        self,
        set: InstructionSet,
        dimension: usize,
        vectors: &[f32],
        scratch: &mut Vec<f32>,
        lengths: &mut [f32],
    ) {
        assert_eq!(
            vectors.len(),
            dimension * lengths.len(),
            "a length for each vector"
        );
        // The widest panel.
        scratch.resize(dimension * LANES, 0.0);
        match set.width() {
            #[cfg(target_arch = "x86_64")]
            Width::Avx512 | Width::Avx2 => {
                // SAFETY: the processor has been found to have the set.
                unsafe { x86::squared_lengths(self, dimension, vectors, scratch, lengths) };
            }
            #[cfg(target_arch = "aarch64")]
            Width::Neon => {
                // SAFETY: the processor has been found to have the set.
                unsafe { neon::squared_lengths(self, dimension, vectors, scratch, lengths) };
            }
            _ => portable(self, dimension, vectors, scratch, lengths),
        }
    }
}

fn portable(
    triangle: Triangle<'_>,
    dimension: usize,
    vectors: &[f32],
    scratch: &mut [f32],
    lengths: &mut [f32],
) {
    let widen = |from: &[f16], to: &mut [f32]| {
        for (to, from) in to.iter_mut().zip(from) {
            *to = from.to_f32();
        }
    };
    panel_by_panel(
        triangle,
        dimension,
        vectors,
        scratch,
        lengths,
        widen,
        |panel, rows, sums| {
            for (row, sum) in rows.into_iter().zip(sums) {
                *sum += squared_length(panel, row);
            }
        },
        |panel, row, sum| *sum += squared_length(panel, row),
    );
}

fn squared_length(panel: &[[f32; LANES]], row: &[f32]) -> f32 {
    let mut products = [0.0f32; LANES];
    for (weights, x) in panel.iter().zip(row) {
        for (product, weight) in products.iter_mut().zip(weights) {
            *product += weight * x;
        }
    }
    products.iter().map(|p| p * p).sum()
}

/// Visits each panel in f32 with all vectors, `BLOCK` at a time and then those that are left; `many` and `one` add
/// squared lengths to sums.
#[inline(always)]
#[allow(
    clippy::too_many_arguments,
    reason = "the loop is shared by instruction sets, the last three are what differs"
)]
fn panel_by_panel(
    triangle: Triangle<'_>,
    dimension: usize,
    vectors: &[f32],
    scratch: &mut [f32],
    lengths: &mut [f32],
    widen: impl Fn(&[f16], &mut [f32]),
    many: impl Fn(&[[f32; LANES]], [&[f32]; BLOCK], &mut [f32]),
    one: impl Fn(&[[f32; LANES]], &[f32], &mut f32),
) {
    lengths.fill(0.0);
    let mut start = 0;
    for columns in columns(dimension) {
        let range = start..start + columns * LANES;
        let panel = match triangle {
            Triangle::F32(values) => &values[range.clone()],
            Triangle::F16(values) => {
                let scratch = &mut scratch[..columns * LANES];
                widen(&values[range.clone()], scratch);
                &*scratch
            }
        };
        let (panel, _) = panel.as_chunks::<LANES>();
        let mut blocks = vectors.chunks_exact(dimension * BLOCK);
        let mut sums = lengths.chunks_exact_mut(BLOCK);
        for (block, sums) in (&mut blocks).zip(&mut sums) {
            let rows = std::array::from_fn(|i| &block[i * dimension..][..columns]);
            many(panel, rows, sums);
        }
        let rest = blocks.remainder().chunks_exact(dimension);
        for (row, sum) in rest.zip(sums.into_remainder()) {
            one(panel, &row[..columns], sum);
        }
        start = range.end;
    }
}

/// Written out, as the compiler shuffles lanes instead of keeping sums in registers. The module around it has the
/// arithmetic of `$vector`, a column of a panel.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! written_out {
    ($set:literal, $vector:ty) => {
        /// Independent sums for one vector, so that a multiplication need not wait for the one before it.
        const CHAINS: usize = 8;

        #[target_feature(enable = $set)]
        pub(super) fn squared_lengths(
            triangle: Triangle<'_>,
            dimension: usize,
            vectors: &[f32],
            scratch: &mut [f32],
            lengths: &mut [f32],
        ) {
            match (triangle, lengths) {
                (Triangle::F16(values), [length]) => *length = one(values, dimension, vectors),
                (_, lengths) => panel_by_panel(
                    triangle,
                    dimension,
                    vectors,
                    scratch,
                    lengths,
                    |from, to| widen(from, to),
                    |panel, rows, sums| add_block(panel, rows, sums),
                    |panel, row, sum| *sum += sum_of_squares(product(panel, row, |w| load(w))),
                ),
            }
        }

        #[inline]
        #[target_feature(enable = $set)]
        fn widen(from: &[f16], to: &mut [f32]) {
            let (from, _) = from.as_chunks();
            let (to, _) = to.as_chunks_mut();
            for (from, to) in from.iter().zip(to) {
                store(load_half(from), to);
            }
        }

        #[inline]
        #[target_feature(enable = $set)]
        fn sum_of_squares(values: $vector) -> f32 {
            let mut lanes = [0.0; LANES];
            store(multiply(values, values), &mut lanes);
            lanes.iter().sum()
        }

        /// `panel x` for one vector.
        #[inline]
        #[target_feature(enable = $set)]
        fn product<T>(
            panel: &[[T; LANES]],
            x: &[f32],
            load: impl Fn(&[T; LANES]) -> $vector,
        ) -> $vector {
            let (groups, last) = panel.as_chunks::<CHAINS>();
            let (x_groups, x_last) = x.as_chunks::<CHAINS>();
            let mut sums = [zero(); CHAINS];
            for (group, x) in groups.iter().zip(x_groups) {
                for chain in 0..CHAINS {
                    let x = splat(x[chain]);
                    sums[chain] = multiply_add(load(&group[chain]), x, sums[chain]);
                }
            }
            for ((weights, x), sum) in last.iter().zip(x_last).zip(&mut sums) {
                *sum = multiply_add(load(weights), splat(*x), *sum);
            }
            sums.into_iter().fold(zero(), |a, b| add(a, b))
        }

        /// All panels for one vector, without a copy in f32.
        #[target_feature(enable = $set)]
        fn one(values: &[f16], dimension: usize, vector: &[f32]) -> f32 {
            let mut total = zero();
            let (mut rest, _) = values.as_chunks::<LANES>();
            for columns in columns(dimension) {
                let (panel, after) = rest.split_at(columns);
                rest = after;
                let product = product(panel, &vector[..columns], |w| load_half(w));
                total = multiply_add(product, product, total);
            }
            let mut lanes = [0.0; LANES];
            store(total, &mut lanes);
            lanes.iter().sum()
        }

        #[inline]
        #[target_feature(enable = $set)]
        fn add_block(panel: &[[f32; LANES]], rows: [&[f32]; BLOCK], sums: &mut [f32]) {
            // Of one length, so that the loop needs no bounds checks.
            let rows = rows.map(|row| &row[..panel.len()]);
            let mut products = [zero(); BLOCK];
            for (column, weights) in panel.iter().enumerate() {
                let weights = load(weights);
                for i in 0..BLOCK {
                    let x = splat(rows[i][column]);
                    products[i] = multiply_add(weights, x, products[i]);
                }
            }
            for (sum, product) in sums.iter_mut().zip(products) {
                *sum += sum_of_squares(product);
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, _mm_loadu_si128, _mm256_add_ps as add, _mm256_cvtph_ps,
        _mm256_fmadd_ps as multiply_add, _mm256_loadu_ps, _mm256_mul_ps as multiply,
        _mm256_set1_ps as splat, _mm256_setzero_ps as zero, _mm256_storeu_ps,
    };

    use half::f16;

    use super::{BLOCK, LANES, Triangle, columns, panel_by_panel};

    written_out!("avx2,fma,f16c", __m256);

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    fn load_half(values: &[f16; LANES]) -> __m256 {
        // SAFETY: 8 f16 are 16 bytes, and the load needs no alignment.
        _mm256_cvtph_ps(unsafe { _mm_loadu_si128(values.as_ptr().cast()) })
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(values: &[f32; LANES]) -> __m256 {
        // SAFETY: 8 f32 are 32 bytes, and the load needs no alignment.
        unsafe { _mm256_loadu_ps(values.as_ptr()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn store(value: __m256, to: &mut [f32; LANES]) {
        // SAFETY: 8 f32 are 32 bytes, and the store needs no alignment.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), value) };
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::{
        float32x4_t, vaddq_f32, vcvt_f32_f16, vdupq_n_f32, vfmaq_f32, vld1_u16, vld1q_f32,
        vmulq_f32, vreinterpret_f16_u16, vst1q_f32,
    };

    use half::f16;

    use super::{BLOCK, LANES, Triangle, columns, panel_by_panel};

    type Halves = [float32x4_t; 2];

    written_out!("neon", Halves);

    #[inline]
    #[target_feature(enable = "neon")]
    fn load_half(values: &[f16; LANES]) -> Halves {
        let from = values.as_ptr().cast();
        // SAFETY: 8 f16 have the bits of 8 u16, and the loads need no more alignment than those.
        let [lower, upper] = unsafe { [vld1_u16(from), vld1_u16(from.add(4))] };
        [
            vcvt_f32_f16(vreinterpret_f16_u16(lower)),
            vcvt_f32_f16(vreinterpret_f16_u16(upper)),
        ]
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn load(values: &[f32; LANES]) -> Halves {
        let from = values.as_ptr();
        // SAFETY: 8 f32 are two vectors, and the loads need no more alignment than f32.
        unsafe { [vld1q_f32(from), vld1q_f32(from.add(4))] }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn store([lower, upper]: Halves, to: &mut [f32; LANES]) {
        let to = to.as_mut_ptr();
        // SAFETY: 8 f32 are two vectors, and the stores need no more alignment than f32.
        unsafe {
            vst1q_f32(to, lower);
            vst1q_f32(to.add(4), upper);
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn zero() -> Halves {
        splat(0.0)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn splat(value: f32) -> Halves {
        [vdupq_n_f32(value); 2]
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn add(a: Halves, b: Halves) -> Halves {
        [vaddq_f32(a[0], b[0]), vaddq_f32(a[1], b[1])]
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn multiply(a: Halves, b: Halves) -> Halves {
        [vmulq_f32(a[0], b[0]), vmulq_f32(a[1], b[1])]
    }

    /// `a * b + c`.
    #[inline]
    #[target_feature(enable = "neon")]
    fn multiply_add(a: Halves, b: Halves, c: Halves) -> Halves {
        [vfmaq_f32(c[0], a[0], b[0]), vfmaq_f32(c[1], a[1], b[1])]
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use testkit::seeded;

    use super::*;

    /// f32 rounding over sums of at most a hundred products.
    const ROUNDING: f64 = 1e-5;

    #[test]
    fn every_path_gives_the_length_of_the_dense_product() {
        for dimension in [1, 5, 8, 21, 64, 96] {
            let values = seeded("triangle", dimension * dimension, 1.0);
            // Rounded to f16 first, so that both precisions hold the same numbers.
            let entry = |row: usize, column: usize| {
                f64::from(f16::from_f32(values[row * dimension + column]).to_f32())
            };
            let packed = pack(dimension, entry);
            let halves: Vec<f16> = packed.iter().map(|v| f16::from_f32(*v)).collect();
            for count in [1, 2, 8, 19] {
                let vectors = seeded("vectors", count * dimension, 1.0);
                let expected: Vec<f64> = vectors
                    .chunks_exact(dimension)
                    .map(|x| {
                        let product = (0..dimension).map(|row| -> f64 {
                            let terms = x[..=row].iter().enumerate();
                            terms.map(|(j, x)| entry(row, j) * f64::from(*x)).sum()
                        });
                        product.map(|value| value * value).sum()
                    })
                    .collect();
                let check = |what: &str, lengths: &[f32]| {
                    for (found, expected) in lengths.iter().zip(&expected) {
                        let error = (f64::from(*found) - expected).abs();
                        assert!(error <= ROUNDING * expected, "{what} {dimension} {count}");
                    }
                };
                let mut lengths = vec![0.0; count];
                let mut scratch = Vec::new();
                for triangle in [Triangle::F32(&packed), Triangle::F16(&halves)] {
                    for set in InstructionSet::available() {
                        lengths.fill(f32::NAN);
                        triangle.squared_lengths_with(
                            set,
                            dimension,
                            &vectors,
                            &mut scratch,
                            &mut lengths,
                        );
                        check(&format!("{:?}", set.width()), &lengths);
                    }
                }
            }
        }
    }
}
