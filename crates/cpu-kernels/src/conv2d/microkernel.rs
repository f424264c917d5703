//! Register tiles: a few output channels times a few vectors of positions, accumulated over all input channels and
//! taps.

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
    /// Elements from one output channel's sums to the next.
    pub out_oc: usize,
}

/// Computes a tile and stores it row after row.
///
/// # Safety
/// For a tile of `oc` and `vectors` of `lanes` elements: every offset that the input describes, with `vectors * lanes`
/// positions, is readable, `out` has room for `oc` rows of `vectors * lanes` elements, and the processor has the
/// instruction set.
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
    /// Elements from one position to the next.
    pub x_position: usize,
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
    /// Whether the sums are added to those that the tile holds.
    pub adds: bool,
}

/// Sums over positions, of output channel times input channel, row after row.
///
/// # Safety
/// As for [`Tile`], with the positions that the input describes, `lanes` elements each in `x` and `oc` in `gradient`; the
/// tile is readable where sums are added to it.
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

    /// 24 of 32 registers accumulate, three hold positions. A multiply-add may take its weight from a lane, so that
    /// eight weights that lie side by side take two registers.
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
    /// From `x`, a vector at each of `offsets` is readable, and from `w` one element for each row, `w_oc` elements
    /// apart.
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
            unsafe { sum.store(out.add(o * input.out_oc + v * V::LANES)) };
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
    // Added to the tile's at the end: short sums of sums are more exact than a long sum.
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
            at = at.wrapping_add(input.x_position);
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
                let sum = if input.adds {
                    V::load(to).add(*sum)
                } else {
                    *sum
                };
                sum.store(to);
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
mod x86;
#[cfg(target_arch = "x86_64")]
use x86::{avx2_outer, avx2_panel, avx2_tile, avx512_outer, avx512_panel, avx512_tile};

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
use neon::{neon_outer, neon_panel, neon_tile};

#[cfg(all(test, not(miri)))]
mod tests;
