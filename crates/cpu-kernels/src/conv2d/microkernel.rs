//! Register tiles: a few output channels times a few vectors of positions, accumulated over all input channels and taps.

use crate::simd::InstructionSet;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use crate::simd::Width;

macro_rules! tile_table {
    ($tile:ident, $oc:ident, $vectors:ident, $rows:tt, [$($v:literal)*]) => {
        match $vectors {
            $($v => tile_rows!($tile, $oc, $v, $rows),)*
            _ => unreachable!("no tile of {} vectors", $vectors),
        }
    };
}

macro_rules! tile_rows {
    ($tile:ident, $oc:ident, $v:literal, [$($r:literal)*]) => {
        match $oc {
            $($r => $tile::<$r, $v>,)*
            _ => unreachable!("no tile of {} rows", $oc),
        }
    };
}

macro_rules! panel_table {
    ($panel:ident, $oc:literal, $taps:expr, $vectors:ident, [$($v:literal)*]) => {
        match $vectors {
            $($v => $panel::<$oc, $v, { $taps }>,)*
            _ => unreachable!("no tile of {} vectors", $vectors),
        }
    };
}

/// Widest vector of any instruction set, in elements.
pub(super) const MAX_LANES: usize = 16;
/// Most vectors in a tile.
pub(super) const MAX_VECTORS: usize = 3;
/// Most output channels in a tile.
pub(super) const MAX_OC: usize = 8;

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
    pub x_ic: usize,
    /// Weight of the first output channel, first input channel and tap offset 0.
    pub w: *const f32,
    /// Elements from one output channel's weights to the next.
    pub w_oc: isize,
    /// Elements from one input channel's weights to the next.
    pub w_ic: isize,
    /// Input channels.
    pub ic: usize,
    /// Taps.
    pub taps: &'a [TapOffset],
}

/// Computes a tile and stores it row after row.
///
/// # Safety
/// For a tile of `oc` and `vectors` of `lanes` elements: every offset that the input describes, with `vectors * lanes` positions, is
/// readable, `out` has room for `oc * vectors * lanes` elements, and the processor has the instruction set.
type Tile = unsafe fn(&TileInput<'_>, *mut f32);

/// Taps of a tile that reads rows from panels: neighboring positions.
pub(super) const ROW_TAPS: usize = 3;

/// What a tile reads that has positions and weights in the order of its loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct PanelInput {
    /// Positions of the first input channel, and behind them those that only the later taps read.
    pub x: *const f32,
    /// Elements from one input channel's positions to the next.
    pub x_ic: usize,
    /// Weights, `[IC, tap, OC]`, with as many output channels as the largest tile has.
    pub w: *const f32,
    /// Input channels.
    pub ic: usize,
    /// Whether the sums go on from those that the tile holds.
    pub adds: bool,
}

/// Computes a tile of the most output channels and stores it row after row.
///
/// # Safety
/// As for [`Tile`], with elements behind the positions of each channel for the later taps; the tile is readable too.
type Panel = unsafe fn(&PanelInput, *mut f32);

/// What a tile of a weight gradient reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct OuterInput {
    /// Vectors of input channels, position after position.
    pub x: *const f32,
    /// From `x` to each vector's first position.
    pub offsets: [usize; MAX_VECTORS],
    /// Elements from one row of positions to the next.
    pub pitch: usize,
    /// Elements from behind the last row of an image to the first row of the next.
    pub image_skip: isize,
    /// Output channels of the tile side by side, position after position.
    pub gradient: *const f32,
    /// Elements from one position of the gradient to the next.
    pub gradient_position: usize,
    /// Positions of a row.
    pub ow: usize,
    /// Rows of positions.
    pub rows: usize,
    /// First row within its image.
    pub first_row: usize,
    /// Rows of an image.
    pub oh: usize,
}

/// Adds to a tile the sums over positions of output channel times input channel, row after row.
///
/// # Safety
/// As for [`Tile`], with the positions that the input describes, `lanes` elements each in `x` and `oc` in `gradient`.
type Outer = unsafe fn(&OuterInput, *mut f32);

/// The tiles of one instruction set.
#[derive(Clone, Copy)]
pub(super) struct Microkernels {
    /// Elements of a vector.
    pub lanes: usize,
    /// Most output channels of a tile.
    pub oc: usize,
    /// Most vectors of a tile.
    pub vectors: usize,
    tile: fn(usize, usize) -> Tile,
    product: fn(usize) -> Panel,
    rows: fn(usize) -> Panel,
    outer: fn(usize, usize) -> Outer,
}

impl Microkernels {
    /// Those of the widest instruction set that may be used.
    pub fn detect() -> Self {
        Self::of(InstructionSet::detect())
    }

    /// Those of `set`.
    fn of(set: InstructionSet) -> Self {
        match set.width() {
            #[cfg(target_arch = "x86_64")]
            Width::Avx512 => Self::avx512(),
            #[cfg(target_arch = "x86_64")]
            Width::Avx2 => Self::avx2(),
            #[cfg(target_arch = "aarch64")]
            Width::Neon => Self::neon(),
            _ => Self::portable(),
        }
    }

    /// Sets that this processor can run, by name.
    #[cfg(all(test, not(miri)))]
    pub fn available() -> Vec<(String, Self)> {
        InstructionSet::available()
            .map(|set| (format!("{:?}", set.width()), Self::of(set)))
            .collect()
    }

    /// The tile of `oc` output channels and `vectors` vectors.
    pub fn tile(&self, oc: usize, vectors: usize) -> Tile {
        (self.tile)(oc, vectors)
    }

    /// The tile of the most output channels and `vectors` vectors, of panels that have a line for each tap.
    pub fn product(&self, vectors: usize) -> Panel {
        (self.product)(vectors)
    }

    /// The tile of the most output channels and `vectors` vectors, of panels whose lines serve [`ROW_TAPS`] taps.
    pub fn rows(&self, vectors: usize) -> Panel {
        (self.rows)(vectors)
    }

    /// The tile of a weight gradient with `oc` output channels and `vectors` vectors.
    pub fn outer(&self, oc: usize, vectors: usize) -> Outer {
        (self.outer)(oc, vectors)
    }

    /// 24 of 32 registers accumulate, three hold positions, one the weight.
    #[cfg(target_arch = "x86_64")]
    fn avx512() -> Self {
        Self {
            lanes: 16,
            oc: 8,
            vectors: 3,
            tile: |oc, vectors| tile_table!(avx512_tile, oc, vectors, [1 2 3 4 5 6 7 8], [1 2 3]),
            product: |vectors| panel_table!(avx512_panel, 8, 1, vectors, [1 2 3]),
            rows: |vectors| panel_table!(avx512_panel, 8, ROW_TAPS, vectors, [1 2 3]),
            outer: |oc, vectors| tile_table!(avx512_outer, oc, vectors, [1 2 3 4 5 6 7 8], [1 2 3]),
        }
    }

    /// 12 of 16 registers accumulate, three hold positions, one the weight.
    #[cfg(target_arch = "x86_64")]
    fn avx2() -> Self {
        Self {
            lanes: 8,
            oc: 4,
            vectors: 3,
            tile: |oc, vectors| tile_table!(avx2_tile, oc, vectors, [1 2 3 4], [1 2 3]),
            product: |vectors| panel_table!(avx2_panel, 4, 1, vectors, [1 2 3]),
            rows: |vectors| panel_table!(avx2_panel, 4, ROW_TAPS, vectors, [1 2 3]),
            outer: |oc, vectors| tile_table!(avx2_outer, oc, vectors, [1 2 3 4], [1 2 3]),
        }
    }

    /// 24 of 32 registers accumulate, three hold positions. A multiply-add may take its weight from a lane, so that eight weights that lie side by side
    /// take two registers.
    #[cfg(target_arch = "aarch64")]
    fn neon() -> Self {
        Self {
            lanes: 4,
            oc: 8,
            vectors: 3,
            tile: |oc, vectors| tile_table!(neon_tile, oc, vectors, [1 2 3 4 5 6 7 8], [1 2 3]),
            product: |vectors| panel_table!(neon_panel, 8, 1, vectors, [1 2 3]),
            rows: |vectors| panel_table!(neon_panel, 8, ROW_TAPS, vectors, [1 2 3]),
            outer: |oc, vectors| tile_table!(neon_outer, oc, vectors, [1 2 3 4 5 6 7 8], [1 2 3]),
        }
    }

    /// Four-element arrays, which compilers turn into the vectors that every 64-bit target has.
    fn portable() -> Self {
        Self {
            lanes: 4,
            oc: 4,
            vectors: 2,
            tile: |oc, vectors| tile_table!(portable_tile, oc, vectors, [1 2 3 4], [1 2]),
            product: |vectors| panel_table!(portable_panel, 4, 1, vectors, [1 2]),
            rows: |vectors| panel_table!(portable_panel, 4, ROW_TAPS, vectors, [1 2]),
            outer: |oc, vectors| tile_table!(portable_outer, oc, vectors, [1 2 3 4], [1 2]),
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
    fn add(self, other: Self) -> Self;
    /// `self + a * b`.
    fn multiply_add(self, a: Self, b: Self) -> Self;

    /// Adds to the sums of each row its weight times the positions.
    ///
    /// # Safety
    /// From `x`, a vector at each of `offsets` is readable, and from `w` one element for each row, `w_oc` elements apart.
    #[inline(always)]
    unsafe fn step<const OC: usize, const VECTORS: usize>(
        sums: &mut [[Self; VECTORS]; OC],
        x: *const f32,
        offsets: &[usize; VECTORS],
        w: *const f32,
        w_oc: isize,
    ) {
        // SAFETY: the caller's promise.
        unsafe { step(sums, x, offsets, w, w_oc) }
    }

    /// As [`Vector::step`], with the weights side by side.
    ///
    /// # Safety
    /// As for [`Vector::step`] with 1 for `w_oc`.
    #[inline(always)]
    unsafe fn step_beside<const OC: usize, const VECTORS: usize>(
        sums: &mut [[Self; VECTORS]; OC],
        x: *const f32,
        offsets: &[usize; VECTORS],
        w: *const f32,
    ) {
        // SAFETY: the caller's promise.
        unsafe { Self::step(sums, x, offsets, w, 1) }
    }
}

/// [`Vector::step`] in the order that the compiler chooses.
///
/// # Safety
/// As for [`Vector::step`].
#[inline(always)]
unsafe fn step<V: Vector, const OC: usize, const VECTORS: usize>(
    sums: &mut [[V; VECTORS]; OC],
    x: *const f32,
    offsets: &[usize; VECTORS],
    w: *const f32,
    w_oc: isize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let positions = load_all(x, offsets);
        for (o, sums) in sums.iter_mut().enumerate() {
            let weight = V::splat(w.offset(o as isize * w_oc));
            for (sum, position) in sums.iter_mut().zip(&positions) {
                *sum = sum.multiply_add(weight, *position);
            }
        }
    }
}

/// The positions of a step.
///
/// # Safety
/// From `x`, a vector at each of `offsets` is readable.
#[inline(always)]
unsafe fn load_all<V: Vector, const VECTORS: usize>(
    x: *const f32,
    offsets: &[usize; VECTORS],
) -> [V; VECTORS] {
    let mut positions = [V::zero(); VECTORS];
    for (position, offset) in positions.iter_mut().zip(offsets) {
        // SAFETY: the caller's promise.
        *position = unsafe { V::load(x.add(*offset)) };
    }
    positions
}

/// Offsets of the vectors of a tile whose positions follow each other.
#[inline(always)]
fn in_a_row<V: Vector, const VECTORS: usize>() -> [usize; VECTORS] {
    let mut offsets = [0; VECTORS];
    for (v, offset) in offsets.iter_mut().enumerate() {
        *offset = v * V::LANES;
    }
    offsets
}

/// # Safety
/// As [`Tile`].
#[inline(always)]
unsafe fn tile<V: Vector, const OC: usize, const VECTORS: usize>(
    input: &TileInput<'_>,
    out: *mut f32,
) {
    let mut sums = [[V::zero(); VECTORS]; OC];
    let mut x = input.x;
    let mut w = input.w;
    for _ in 0..input.ic {
        for tap in input.taps {
            // SAFETY: the caller promises that positions and weights of all channels and taps are readable.
            unsafe {
                V::step(
                    &mut sums,
                    x.add(tap.x),
                    &in_a_row::<V, VECTORS>(),
                    w.offset(tap.w),
                    input.w_oc,
                );
            }
        }
        x = x.wrapping_add(input.x_ic);
        w = w.wrapping_offset(input.w_ic);
    }
    for (o, sums) in sums.iter().enumerate() {
        for (v, sum) in sums.iter().enumerate() {
            // SAFETY: the caller promises room for the whole tile.
            unsafe { sum.store(out.add((o * VECTORS + v) * V::LANES)) };
        }
    }
}

/// # Safety
/// As [`Panel`].
#[inline(always)]
unsafe fn panel<V: Vector, const OC: usize, const VECTORS: usize, const TAPS: usize>(
    input: &PanelInput,
    out: *mut f32,
) {
    let mut sums = [[V::zero(); VECTORS]; OC];
    if input.adds {
        for (o, sums) in sums.iter_mut().enumerate() {
            for (v, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the caller promises that the whole tile is there.
                *sum = unsafe { V::load(out.add((o * VECTORS + v) * V::LANES)) };
            }
        }
    }
    let mut x = input.x;
    let mut w = input.w;
    for _ in 0..input.ic {
        for tap in 0..TAPS {
            // SAFETY: the caller promises that positions and weights of all channels and taps are readable.
            unsafe {
                V::step_beside(
                    &mut sums,
                    x.add(tap),
                    &in_a_row::<V, VECTORS>(),
                    w.add(tap * OC),
                );
            }
        }
        x = x.wrapping_add(input.x_ic);
        w = w.wrapping_add(TAPS * OC);
    }
    for (o, sums) in sums.iter().enumerate() {
        for (v, sum) in sums.iter().enumerate() {
            // SAFETY: the caller promises room for the whole tile.
            unsafe { sum.store(out.add((o * VECTORS + v) * V::LANES)) };
        }
    }
}

/// # Safety
/// As [`Outer`].
#[inline(always)]
unsafe fn outer<V: Vector, const OC: usize, const VECTORS: usize>(
    input: &OuterInput,
    out: *mut f32,
) {
    // Added to the tile at the end: short sums of sums are more exact than a long sum.
    let mut sums = [[V::zero(); VECTORS]; OC];
    let offsets = std::array::from_fn(|v| input.offsets[v]);
    let mut x = input.x;
    let mut gradient = input.gradient;
    let mut row = input.first_row;
    for _ in 0..input.rows {
        let mut at = x;
        for _ in 0..input.ow {
            // SAFETY: the caller promises that the vectors and the output channels of all positions are readable.
            unsafe { V::step_beside(&mut sums, at, &offsets, gradient) };
            at = at.wrapping_add(V::LANES);
            gradient = gradient.wrapping_add(input.gradient_position);
        }
        x = x.wrapping_add(input.pitch);
        row += 1;
        if row == input.oh {
            row = 0;
            x = x.wrapping_offset(input.image_skip);
        }
    }
    for (o, sums) in sums.iter().enumerate() {
        for (v, sum) in sums.iter().enumerate() {
            // SAFETY: the caller promises room for the whole tile.
            unsafe {
                let to = out.add((o * VECTORS + v) * V::LANES);
                V::load(to).add(*sum).store(to);
            }
        }
    }
}

unsafe fn portable_outer<const OC: usize, const VECTORS: usize>(input: &OuterInput, out: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe { outer::<[f32; 4], OC, VECTORS>(input, out) }
}

unsafe fn portable_tile<const OC: usize, const VECTORS: usize>(
    input: &TileInput<'_>,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe { tile::<[f32; 4], OC, VECTORS>(input, out) }
}

unsafe fn portable_panel<const OC: usize, const VECTORS: usize, const TAPS: usize>(
    input: &PanelInput,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe { panel::<[f32; 4], OC, VECTORS, TAPS>(input, out) }
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
    fn add(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] + other[i])
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
        __m256, __m512, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps,
        _mm256_setzero_ps, _mm256_storeu_ps, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
        _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::{OuterInput, PanelInput, TileInput, Vector, outer, panel, step, tile};

    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512_tile<const OC: usize, const VECTORS: usize>(
        input: &TileInput<'_>,
        out: *mut f32,
    ) {
        // SAFETY: the caller's promise.
        unsafe { tile::<__m512, OC, VECTORS>(input, out) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2_tile<const OC: usize, const VECTORS: usize>(
        input: &TileInput<'_>,
        out: *mut f32,
    ) {
        // SAFETY: the caller's promise.
        unsafe { tile::<__m256, OC, VECTORS>(input, out) }
    }

    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512_panel<const OC: usize, const VECTORS: usize, const TAPS: usize>(
        input: &PanelInput,
        out: *mut f32,
    ) {
        // SAFETY: the caller's promise.
        unsafe { panel::<__m512, OC, VECTORS, TAPS>(input, out) }
    }

    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512_outer<const OC: usize, const VECTORS: usize>(
        input: &OuterInput,
        out: *mut f32,
    ) {
        // SAFETY: the caller's promise.
        unsafe { outer::<__m512, OC, VECTORS>(input, out) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2_panel<const OC: usize, const VECTORS: usize, const TAPS: usize>(
        input: &PanelInput,
        out: *mut f32,
    ) {
        // SAFETY: the caller's promise.
        unsafe { panel::<__m256, OC, VECTORS, TAPS>(input, out) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2_outer<const OC: usize, const VECTORS: usize>(
        input: &OuterInput,
        out: *mut f32,
    ) {
        // SAFETY: the caller's promise.
        unsafe { outer::<__m256, OC, VECTORS>(input, out) }
    }

    macro_rules! vector {
        ($vector:ty, $lanes:literal, $zero:ident, $splat:ident, $load:ident, $store:ident, $add:ident, $fma:ident, {$($step:tt)*}) => {
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
                fn add(self, other: Self) -> Self {
                    // SAFETY: as for `zero`.
                    unsafe { $add(self, other) }
                }

                #[inline(always)]
                fn multiply_add(self, a: Self, b: Self) -> Self {
                    // SAFETY: as for `zero`.
                    unsafe { $fma(a, b, self) }
                }

                $($step)*
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
        _mm512_add_ps,
        _mm512_fmadd_ps,
        {}
    );
    vector!(
        __m256,
        8,
        _mm256_setzero_ps,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_fmadd_ps,
        {
            #[inline(always)]
            unsafe fn step<const OC: usize, const VECTORS: usize>(
                sums: &mut [[Self; VECTORS]; OC],
                x: *const f32,
                offsets: &[usize; VECTORS],
                w: *const f32,
                w_oc: isize,
            ) {
                // SAFETY: the caller's promise; what is asked for is what the sums are.
                unsafe {
                    if OC == 4 && VECTORS == 3 {
                        let sums = &mut *std::ptr::from_mut(sums).cast::<[[Self; 3]; 4]>();
                        let further = [1, 2].map(|v| offsets[v].wrapping_sub(offsets[0]));
                        step_4x3(sums, x.add(offsets[0]), further, w, w_oc);
                    } else {
                        step(sums, x, offsets, w, w_oc);
                    }
                }
            }
        }
    );

    /// [`Vector::step`] of the largest tile, whose sums, positions and weight fill all registers: the compiler loads the next positions early and
    /// has a sum go through memory for it, which everything then waits for. Offsets are those of the second and
    /// third vector.
    ///
    /// # Safety
    /// As for [`Vector::step`], with AVX2 and FMA.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn step_4x3(
        [a, b, c, d]: &mut [[__m256; 3]; 4],
        x: *const f32,
        offsets: [usize; 2],
        w: *const f32,
        w_oc: isize,
    ) {
        // SAFETY: the caller's promise: this reads three vectors and four weights, and writes registers only.
        unsafe {
            std::arch::asm!(
                "vmovups {p}, [{x}]",
                "vmovups {q}, [{x} + 4 * {second}]",
                "vmovups {r}, [{x} + 4 * {third}]",
                "vbroadcastss {w}, dword ptr [{at}]",
                "vfmadd231ps {a0}, {p}, {w}",
                "vfmadd231ps {a1}, {q}, {w}",
                "vfmadd231ps {a2}, {r}, {w}",
                "vbroadcastss {w}, dword ptr [{at} + 4 * {oc}]",
                "vfmadd231ps {b0}, {p}, {w}",
                "vfmadd231ps {b1}, {q}, {w}",
                "vfmadd231ps {b2}, {r}, {w}",
                "vbroadcastss {w}, dword ptr [{at} + 8 * {oc}]",
                "vfmadd231ps {c0}, {p}, {w}",
                "vfmadd231ps {c1}, {q}, {w}",
                "vfmadd231ps {c2}, {r}, {w}",
                "vbroadcastss {w}, dword ptr [{at} + 4 * {three_oc}]",
                "vfmadd231ps {d0}, {p}, {w}",
                "vfmadd231ps {d1}, {q}, {w}",
                "vfmadd231ps {d2}, {r}, {w}",
                x = in(reg) x,
                second = in(reg) offsets[0],
                third = in(reg) offsets[1],
                at = in(reg) w,
                oc = in(reg) w_oc,
                three_oc = in(reg) 3 * w_oc,
                p = out(ymm_reg) _,
                q = out(ymm_reg) _,
                r = out(ymm_reg) _,
                w = out(ymm_reg) _,
                a0 = inout(ymm_reg) a[0],
                a1 = inout(ymm_reg) a[1],
                a2 = inout(ymm_reg) a[2],
                b0 = inout(ymm_reg) b[0],
                b1 = inout(ymm_reg) b[1],
                b2 = inout(ymm_reg) b[2],
                c0 = inout(ymm_reg) c[0],
                c1 = inout(ymm_reg) c[1],
                c2 = inout(ymm_reg) c[2],
                d0 = inout(ymm_reg) d[0],
                d1 = inout(ymm_reg) d[1],
                d2 = inout(ymm_reg) d[2],
                options(pure, readonly, nostack, preserves_flags),
            );
        }
    }
}
#[cfg(target_arch = "x86_64")]
use x86::{avx2_outer, avx2_panel, avx2_tile, avx512_outer, avx512_panel, avx512_tile};

#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::{
        float32x4_t, vaddq_f32, vdupq_n_f32, vfmaq_f32, vfmaq_laneq_f32, vld1q_dup_f32, vld1q_f32,
        vst1q_f32,
    };

    use super::{OuterInput, PanelInput, TileInput, Vector, load_all, outer, panel, tile};

    /// Weights of a vector.
    const QUAD: usize = 4;

    #[target_feature(enable = "neon")]
    pub(super) unsafe fn neon_tile<const OC: usize, const VECTORS: usize>(
        input: &TileInput<'_>,
        out: *mut f32,
    ) {
        // SAFETY: the caller's promise.
        unsafe { tile::<float32x4_t, OC, VECTORS>(input, out) }
    }

    #[target_feature(enable = "neon")]
    pub(super) unsafe fn neon_panel<const OC: usize, const VECTORS: usize, const TAPS: usize>(
        input: &PanelInput,
        out: *mut f32,
    ) {
        // SAFETY: the caller's promise.
        unsafe { panel::<float32x4_t, OC, VECTORS, TAPS>(input, out) }
    }

    #[target_feature(enable = "neon")]
    pub(super) unsafe fn neon_outer<const OC: usize, const VECTORS: usize>(
        input: &OuterInput,
        out: *mut f32,
    ) {
        // SAFETY: the caller's promise.
        unsafe { outer::<float32x4_t, OC, VECTORS>(input, out) }
    }

    impl Vector for float32x4_t {
        const LANES: usize = 4;

        #[inline(always)]
        fn zero() -> Self {
            // SAFETY: only inlined into the tiles above, whose callers have the instructions.
            unsafe { vdupq_n_f32(0.0) }
        }

        #[inline(always)]
        unsafe fn splat(from: *const f32) -> Self {
            // SAFETY: the caller's promise, and as for `zero`.
            unsafe { vld1q_dup_f32(from) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's promise, and as for `zero`.
            unsafe { vld1q_f32(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's promise, and as for `zero`.
            unsafe { vst1q_f32(to, self) }
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            // SAFETY: as for `zero`.
            unsafe { vaddq_f32(self, other) }
        }

        #[inline(always)]
        fn multiply_add(self, a: Self, b: Self) -> Self {
            // SAFETY: as for `zero`.
            unsafe { vfmaq_f32(self, a, b) }
        }

        /// A load brings four weights, and each multiply-add takes its own out of a lane.
        #[inline(always)]
        unsafe fn step_beside<const OC: usize, const VECTORS: usize>(
            sums: &mut [[Self; VECTORS]; OC],
            x: *const f32,
            offsets: &[usize; VECTORS],
            w: *const f32,
        ) {
            // SAFETY: the caller's promise, and as for `zero`; a vector of weights is read for four rows only.
            unsafe {
                let positions = load_all(x, offsets);
                let (quads, rest) = sums.as_chunks_mut::<QUAD>();
                let after = w.add(quads.len() * QUAD);
                for (index, [a, b, c, d]) in quads.iter_mut().enumerate() {
                    let weights = vld1q_f32(w.add(index * QUAD));
                    for v in 0..VECTORS {
                        a[v] = vfmaq_laneq_f32::<0>(a[v], positions[v], weights);
                        b[v] = vfmaq_laneq_f32::<1>(b[v], positions[v], weights);
                        c[v] = vfmaq_laneq_f32::<2>(c[v], positions[v], weights);
                        d[v] = vfmaq_laneq_f32::<3>(d[v], positions[v], weights);
                    }
                }
                for (index, sums) in rest.iter_mut().enumerate() {
                    let weight = Self::splat(after.add(index));
                    for (sum, position) in sums.iter_mut().zip(&positions) {
                        *sum = sum.multiply_add(weight, *position);
                    }
                }
            }
        }
    }
}
#[cfg(target_arch = "aarch64")]
use neon::{neon_outer, neon_panel, neon_tile};

#[cfg(all(test, not(miri)))]
mod tests {
    use testkit::seeded;

    use super::{
        InstructionSet, MAX_VECTORS, Microkernels, OuterInput, PanelInput, ROW_TAPS, TapOffset,
        TileInput,
    };
    use crate::simd::Width;

    /// Input channels, or positions of a row.
    const DEPTH: usize = 5;
    /// Room behind the last position or row that belongs to a tile.
    const BEHIND: usize = 7;

    /// Calls `check` with every set, its name and whether its multiply-adds are fused.
    fn with_each_set(check: impl Fn(&str, Microkernels, bool)) {
        for set in InstructionSet::available() {
            let name = format!("{:?}", set.width());
            check(&name, Microkernels::of(set), set.width() != Width::Portable);
        }
    }

    /// The sum of products from the first on, as a lane has it.
    fn sum(fused: bool, products: impl Iterator<Item = (f32, f32)>) -> f32 {
        products.fold(0.0, |sum, (a, b)| {
            if fused {
                a.mul_add(b, sum)
            } else {
                sum + a * b
            }
        })
    }

    #[test]
    fn every_tile_has_the_sums_of_single_elements() {
        with_each_set(|name, kernels, fused| {
            let x_ic = kernels.vectors * kernels.lanes + BEHIND;
            // Weights apart, as in a kernel that is large, and side by side.
            for w_oc in [DEPTH as isize * 2 + 3, 1] {
                let w_ic = if w_oc == 1 {
                    kernels.oc as isize * 2
                } else {
                    2
                };
                let taps = [(3, 1), (0, 0)].map(|(x, tap)| TapOffset {
                    x,
                    w: if w_oc == 1 {
                        tap * kernels.oc as isize
                    } else {
                        tap
                    },
                });
                let x = seeded("x", DEPTH * x_ic, 1.0);
                let weights = (DEPTH as isize * w_ic + kernels.oc as isize * w_oc) as usize;
                let w = seeded("w", weights, 1.0);
                let input = TileInput {
                    x: x.as_ptr(),
                    x_ic,
                    w: w.as_ptr(),
                    w_oc,
                    w_ic,
                    ic: DEPTH,
                    taps: &taps,
                };
                for oc in 1..=kernels.oc {
                    for vectors in 1..=kernels.vectors {
                        let width = vectors * kernels.lanes;
                        let mut out = vec![f32::NAN; oc * width];
                        // SAFETY: `x` has the positions and three more in each channel, `w` the weights, `out` the tile, and the set is available.
                        unsafe { kernels.tile(oc, vectors)(&input, out.as_mut_ptr()) };
                        for (index, found) in out.iter().enumerate() {
                            let (o, position) = ((index / width) as isize, index % width);
                            let products = (0..DEPTH).flat_map(|i| {
                                let (x, w) = (&x, &w);
                                taps.iter().map(move |tap| {
                                    let weight = o * w_oc + i as isize * w_ic + tap.w;
                                    (x[i * x_ic + tap.x + position], w[weight as usize])
                                })
                            });
                            let expected = sum(fused, products);
                            assert_eq!(*found, expected, "{name}: {oc} x {vectors}, {w_oc}");
                        }
                    }
                }
            }
        });
    }

    #[test]
    fn every_panel_has_the_sums_of_single_elements() {
        with_each_set(|name, kernels, fused| {
            let x_ic = kernels.vectors * kernels.lanes + BEHIND;
            let x = seeded("x", DEPTH * x_ic, 1.0);
            let w = seeded("w", DEPTH * ROW_TAPS * kernels.oc, 1.0);
            for (taps, vectors) in [1, ROW_TAPS]
                .into_iter()
                .flat_map(|taps| (1..=kernels.vectors).map(move |vectors| (taps, vectors)))
            {
                let panel = if taps == 1 {
                    kernels.product(vectors)
                } else {
                    kernels.rows(vectors)
                };
                let width = vectors * kernels.lanes;
                let mut out = vec![f32::NAN; kernels.oc * width];
                // In two parts, the second of which goes on from the sums of the first.
                for (first, ic) in [(0, 2), (2, DEPTH - 2)] {
                    let input = PanelInput {
                        x: x[first * x_ic..].as_ptr(),
                        x_ic,
                        w: w[first * taps * kernels.oc..].as_ptr(),
                        ic,
                        adds: first > 0,
                    };
                    // SAFETY: `x` has the positions and those behind them in each channel, `w` the weights, `out` the tile, and the set is available.
                    unsafe { panel(&input, out.as_mut_ptr()) };
                }
                for (index, found) in out.iter().enumerate() {
                    let (o, position) = (index / width, index % width);
                    let products = (0..DEPTH * taps).map(|product| {
                        let (i, tap) = (product / taps, product % taps);
                        (x[i * x_ic + tap + position], w[product * kernels.oc + o])
                    });
                    let expected = sum(fused, products);
                    assert_eq!(*found, expected, "{name}: {taps} taps, {vectors} vectors");
                }
            }
        });
    }

    #[test]
    fn every_outer_product_has_the_sums_of_single_elements() {
        const ROWS: usize = 3;
        const OH: usize = 2;
        with_each_set(|name, kernels, fused| {
            let lanes = kernels.lanes;
            // Two rows of an image and the first of the next, with a gap between rows and one between images.
            let pitch = (DEPTH + 1) * lanes;
            let image_skip = 3 * lanes;
            let row_at = |row: usize| row * pitch + row / OH * image_skip;
            let mut offsets = [0; MAX_VECTORS];
            for (v, offset) in offsets.iter_mut().enumerate() {
                *offset = v * 2 * lanes;
            }
            let reach = offsets[MAX_VECTORS - 1] + row_at(ROWS - 1) + DEPTH * lanes;
            let x = seeded("x", reach, 1.0);
            let gradient = seeded("gradient", ROWS * DEPTH * kernels.oc, 1.0);
            let input = OuterInput {
                x: x.as_ptr(),
                offsets,
                pitch,
                image_skip: image_skip as isize,
                gradient: gradient.as_ptr(),
                gradient_position: kernels.oc,
                ow: DEPTH,
                rows: ROWS,
                first_row: 0,
                oh: OH,
            };
            for oc in 1..=kernels.oc {
                for vectors in 1..=kernels.vectors {
                    let before = seeded("sums", oc * vectors * lanes, 1.0);
                    let mut out = before.clone();
                    // SAFETY: `x` reaches to the last position of the last vector, `gradient` has all positions, `out` the tile, and the set is available.
                    unsafe { kernels.outer(oc, vectors)(&input, out.as_mut_ptr()) };
                    for (index, (found, before)) in out.iter().zip(before).enumerate() {
                        let (o, v) = (index / lanes / vectors, index / lanes % vectors);
                        let products = (0..ROWS * DEPTH).map(|position| {
                            let at = row_at(position / DEPTH) + position % DEPTH * lanes;
                            (
                                x[offsets[v] + at + index % lanes],
                                gradient[position * kernels.oc + o],
                            )
                        });
                        let expected = before + sum(fused, products);
                        assert_eq!(*found, expected, "{name}: {oc} x {vectors}");
                    }
                }
            }
        });
    }
}
