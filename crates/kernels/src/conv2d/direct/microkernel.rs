//! Register tiles: a few output channels times a few vectors of positions, accumulated over all input channels and taps.

macro_rules! tile_table {
    ($tile:ident, $rows:ident, $vectors:ident, [$($r:literal)*]) => {
        match ($rows, $vectors) {
            $(
                ($r, 1) => $tile::<$r, 1> as Tile,
                ($r, 2) => $tile::<$r, 2> as Tile,
                ($r, 3) => $tile::<$r, 3> as Tile,
            )*
            _ => unreachable!("no tile of {} rows and {} vectors", $rows, $vectors),
        }
    };
}

/// Widest vector of any instruction set, in elements.
pub(super) const MAX_LANES: usize = 16;
/// Most vectors in a tile.
pub(super) const MAX_VECTORS: usize = 3;
/// Most output channels in a tile.
pub(super) const MAX_ROWS: usize = 8;

/// Offsets of one tap, in elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct TapOffset {
    /// From a position to the input it reads.
    pub x: usize,
    /// From a row's first weight to this tap's.
    pub w: isize,
}

/// What a tile reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct TileInput<'a> {
    /// First position in the first input channel.
    pub x: *const f32,
    /// Elements from one input channel to the next.
    pub x_channel: usize,
    /// Weight of the first output channel, first input channel and tap offset 0.
    pub w: *const f32,
    /// Elements from one output channel's weights to the next.
    pub w_row: isize,
    /// Elements from one input channel's weights to the next.
    pub w_channel: isize,
    /// Input channels.
    pub channels: usize,
    /// Taps.
    pub taps: &'a [TapOffset],
}

/// Computes a tile and stores it row after row.
///
/// # Safety
/// For a tile of `rows` and `vectors` of `lanes` elements: every offset that the input describes, with `vectors * lanes` positions, is
/// readable, `out` has room for `rows * vectors * lanes` elements, and the processor has the instruction set.
type Tile = unsafe fn(&TileInput<'_>, *mut f32);

/// The tiles of one instruction set.
#[derive(Clone, Copy)]
pub(super) struct Microkernels {
    /// Elements of a vector.
    pub lanes: usize,
    /// Most output channels of a tile.
    pub rows: usize,
    /// Most vectors of a tile.
    pub vectors: usize,
    tile: fn(usize, usize) -> Tile,
}

impl Microkernels {
    /// The widest set that this processor has.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if std::is_x86_feature_detected!("avx512f") {
                return Self::avx512();
            }
            if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                return Self::avx2();
            }
        }
        Self::portable()
    }

    /// Sets that this processor can run, by name.
    #[cfg(test)]
    pub fn available() -> Vec<(&'static str, Self)> {
        let mut sets = vec![("portable", Self::portable())];
        #[cfg(target_arch = "x86_64")]
        {
            if std::is_x86_feature_detected!("avx512f") {
                sets.push(("avx512", Self::avx512()));
            }
            if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                sets.push(("avx2", Self::avx2()));
            }
        }
        sets
    }

    /// The tile of `rows` output channels and `vectors` vectors.
    pub fn tile(&self, rows: usize, vectors: usize) -> Tile {
        (self.tile)(rows, vectors)
    }

    /// 24 of 32 registers accumulate, three hold positions, one the weight.
    #[cfg(target_arch = "x86_64")]
    fn avx512() -> Self {
        Self {
            lanes: 16,
            rows: 8,
            vectors: 3,
            tile: |rows, vectors| tile_table!(avx512_tile, rows, vectors, [1 2 3 4 5 6 7 8]),
        }
    }

    /// 12 of 16 registers accumulate, three hold positions, one the weight.
    #[cfg(target_arch = "x86_64")]
    fn avx2() -> Self {
        Self {
            lanes: 8,
            rows: 4,
            vectors: 3,
            tile: |rows, vectors| tile_table!(avx2_tile, rows, vectors, [1 2 3 4]),
        }
    }

    /// Four-element arrays, which compilers turn into the vectors that every 64-bit target has.
    fn portable() -> Self {
        Self {
            lanes: 4,
            rows: 4,
            vectors: 2,
            tile: |rows, vectors| tile_table!(portable_tile, rows, vectors, [1 2 3 4]),
        }
    }
}

/// A vector of one instruction set.
trait Vector: Copy {
    const LANES: usize;
    fn zero() -> Self;
    /// # Safety
    /// `from` is readable.
    unsafe fn splat(from: *const f32) -> Self;
    /// # Safety
    /// `LANES` elements are readable.
    unsafe fn load(from: *const f32) -> Self;
    /// # Safety
    /// `LANES` elements are writable.
    unsafe fn store(self, to: *mut f32);
    /// `self + a * b`.
    fn multiply_add(self, a: Self, b: Self) -> Self;
}

/// # Safety
/// As [`Tile`].
#[inline(always)]
unsafe fn tile<V: Vector, const ROWS: usize, const VECTORS: usize>(
    input: &TileInput<'_>,
    out: *mut f32,
) {
    let mut sums = [[V::zero(); VECTORS]; ROWS];
    let mut x = input.x;
    let mut w = input.w;
    for _ in 0..input.channels {
        for tap in input.taps {
            // SAFETY: the caller promises that positions and weights of all channels and taps are readable.
            unsafe {
                let x = x.add(tap.x);
                let w = w.offset(tap.w);
                let mut positions = [V::zero(); VECTORS];
                for (v, position) in positions.iter_mut().enumerate() {
                    *position = V::load(x.add(v * V::LANES));
                }
                for (row, sums) in sums.iter_mut().enumerate() {
                    let weight = V::splat(w.offset(row as isize * input.w_row));
                    for (sum, position) in sums.iter_mut().zip(&positions) {
                        *sum = sum.multiply_add(weight, *position);
                    }
                }
            }
        }
        x = x.wrapping_add(input.x_channel);
        w = w.wrapping_offset(input.w_channel);
    }
    for (row, sums) in sums.iter().enumerate() {
        for (v, sum) in sums.iter().enumerate() {
            // SAFETY: the caller promises room for the whole tile.
            unsafe { sum.store(out.add((row * VECTORS + v) * V::LANES)) };
        }
    }
}

unsafe fn portable_tile<const ROWS: usize, const VECTORS: usize>(
    input: &TileInput<'_>,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe { tile::<[f32; 4], ROWS, VECTORS>(input, out) }
}

impl Vector for [f32; 4] {
    const LANES: usize = 4;

    #[inline(always)]
    fn zero() -> Self {
        [0.0; 4]
    }

    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        [unsafe { from.read() }; 4]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise; an array of f32 has the alignment of f32.
        unsafe { from.cast::<Self>().read() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<Self>().write(self) }
    }

    #[inline(always)]
    fn multiply_add(mut self, a: Self, b: Self) -> Self {
        for ((sum, a), b) in self.iter_mut().zip(a).zip(b) {
            // Not `mul_add`: without the instruction it is a function call.
            *sum += a * b;
        }
        self
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps,
        _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps,
        _mm512_storeu_ps,
    };

    use super::{TileInput, Vector, tile};

    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512_tile<const ROWS: usize, const VECTORS: usize>(
        input: &TileInput<'_>,
        out: *mut f32,
    ) {
        // SAFETY: the caller's promise.
        unsafe { tile::<__m512, ROWS, VECTORS>(input, out) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2_tile<const ROWS: usize, const VECTORS: usize>(
        input: &TileInput<'_>,
        out: *mut f32,
    ) {
        // SAFETY: the caller's promise.
        unsafe { tile::<__m256, ROWS, VECTORS>(input, out) }
    }

    macro_rules! vector {
        ($vector:ty, $lanes:literal, $zero:ident, $splat:ident, $load:ident, $store:ident, $fma:ident) => {
            impl Vector for $vector {
                const LANES: usize = $lanes;

                #[inline(always)]
                fn zero() -> Self {
                    // SAFETY: only inlined into the tiles above, whose callers have the instructions.
                    unsafe { $zero() }
                }

                #[inline(always)]
                unsafe fn splat(from: *const f32) -> Self {
                    // SAFETY: the caller's promise, and as for `zero`.
                    unsafe { $splat(from.read()) }
                }

                #[inline(always)]
                unsafe fn load(from: *const f32) -> Self {
                    // SAFETY: the caller's promise, and as for `zero`.
                    unsafe { $load(from) }
                }

                #[inline(always)]
                unsafe fn store(self, to: *mut f32) {
                    // SAFETY: the caller's promise, and as for `zero`.
                    unsafe { $store(to, self) }
                }

                #[inline(always)]
                fn multiply_add(self, a: Self, b: Self) -> Self {
                    // SAFETY: as for `zero`.
                    unsafe { $fma(a, b, self) }
                }
            }
        };
    }

    vector!(
        __m512,
        16,
        _mm512_setzero_ps,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_fmadd_ps
    );
    vector!(
        __m256,
        8,
        _mm256_setzero_ps,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_fmadd_ps
    );
}
#[cfg(target_arch = "x86_64")]
use x86::{avx2_tile, avx512_tile};
