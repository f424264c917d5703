//! Upsampling, FIR filtering and downsampling: rows are filtered as sums of shifted contiguous slices.
//!
//! On x86-64 the networks' filters have a form of their own, `sliding`. For all others output rows are made in bands
//! that stay in the nearest cache. A filter of rank one is applied along the columns first, straight from the pixels,
//! and then along the rows of the whole band: a row that is read right after it was written, at another offset, would
//! wait for the store buffer. For any other filter rows enter the band as they are, dealt out over the lanes of
//! `polyphase`.

mod plan;
mod polyphase;
#[cfg(target_arch = "x86_64")]
mod sliding;

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::initialized::written_by;
#[cfg(target_arch = "x86_64")]
use crate::simd::InstructionSet;
use crate::simd::{self, Kernel, multiply_add};
use crate::threads::{self, Shared};
use plan::{PhaseFilter, Plan, Weighted};
use polyphase::Fill;
#[cfg(target_arch = "x86_64")]
use sliding::Sliding;

/// Below this many output pixels the calling thread is done before others would have woken up.
const PARALLEL_PIXELS: usize = 1 << 16;

/// Pieces of work for each thread: more even out threads of unequal speed, fewer begin fewer bands.
const PIECES_PER_THREAD: usize = 4;

/// What [`upfirdn2d`] does with each plane, along `[y, x]`: output `o` of an axis is the sum over taps `k` of `taps[k]`
/// times the upsampled input at `o down + k - before`, and zero outside it.
#[derive(Clone, Copy, Debug)]
pub struct Resampling<'a> {
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
    /// Upsampling factors: zeros are inserted between pixels.
    pub up: [usize; 2],
    /// Downsampling factors.
    pub down: [usize; 2],
    /// Zeros above and left of the upsampled input; negative crops.
    pub before: [isize; 2],
    /// The filter, in the order in which its taps meet the pixels.
    pub taps: Taps<'a>,
}

/// A two-dimensional filter.
#[derive(Clone, Copy, Debug)]
pub enum Taps<'a> {
    /// The outer product of two vectors.
    Separable {
        /// The vertical factor.
        column: &'a [f32],
        /// The horizontal factor.
        row: &'a [f32],
    },
    /// Of any rank.
    Dense {
        /// Number of columns.
        width: usize,
        /// All taps, row after row.
        taps: &'a [f32],
    },
}

impl Taps<'_> {
    /// Height and width.
    fn size(&self) -> [usize; 2] {
        match *self {
            Self::Separable { column, row } => [column.len(), row.len()],
            Self::Dense { width, taps } => [taps.len() / width.max(1), width],
        }
    }
}

/// Resamples planes `[planes, height, width]`, one after the other.
///
/// # Panics
/// When a factor or a size is zero, the filter has no taps, or `x` is no number of planes.
pub fn upfirdn2d(x: &[f32], resampling: &Resampling<'_>) -> Vec<f32> {
    let Resampling {
        input,
        output,
        up,
        down,
        taps,
        ..
    } = *resampling;
    let sizes = [input, output, up, down, taps.size()];
    assert!(
        sizes.iter().all(|sizes| !sizes.contains(&0))
            && x.len().is_multiple_of(input[0] * input[1]),
        "planes and a filter, found {} pixels for {resampling:?}",
        x.len()
    );
    let form = Form::of(resampling);
    let planes = x.len() / (input[0] * input[1]);
    // SAFETY: `write` covers all slots.
    unsafe {
        written_by(planes * output[0] * output[1], |slots| {
            write(&form, output[1], x, slots)
        })
    }
}

/// How the planes are filtered.
enum Form {
    #[cfg(target_arch = "x86_64")]
    Sliding(Sliding),
    Bands(Plan),
}

impl Form {
    fn of(resampling: &Resampling<'_>) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(sliding) = Sliding::of(resampling, InstructionSet::detect()) {
            return Self::Sliding(sliding);
        }
        Self::Bands(Plan::new(resampling))
    }

    /// Writes a run of output rows, counted through all planes, to all of `slots`.
    fn write(&self, pixels: &[f32], first_row: usize, slots: &mut [MaybeUninit<f32>]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Sliding(sliding) => sliding.write(pixels, first_row, slots),
            Self::Bands(plan) => simd::run(Rows {
                plan,
                pixels,
                slots,
                first_row,
            }),
        }
    }
}

/// Writes all of `slots`, the rows of all planes.
fn write(form: &Form, width: usize, pixels: &[f32], slots: &mut [MaybeUninit<f32>]) {
    let count = slots.len();
    let threads = rayon::current_num_threads();
    if count < PARALLEL_PIXELS || threads == 1 {
        return form.write(pixels, 0, slots);
    }
    let rows = count / width;
    let rows_each = rows.div_ceil(threads * PIECES_PER_THREAD);
    let shared = Shared::new(slots);
    threads::run(threads, rows.div_ceil(rows_each), |piece| {
        let first_row = piece * rows_each;
        let length = rows_each.min(rows - first_row) * width;
        // SAFETY: each row belongs to one task and lies inside the slots.
        form.write(pixels, first_row, unsafe {
            shared.slice(first_row * width, length)
        });
    });
}

/// A run of output rows, counted through all planes; `run` writes every slot.
struct Rows<'a> {
    plan: &'a Plan,
    pixels: &'a [f32],
    slots: &'a mut [MaybeUninit<f32>],
    first_row: usize,
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let plan = self.plan;
        let plane_size = plan.y.input * plan.x.input;
        let mut scratch = Scratch {
            band: vec![0.0; plan.band_rows() * plan.lanes.size()],
            row: vec![0.0; plan.x.input],
            phases: vec![0.0; phase_length(plan) * plan.x.up],
        };
        let mut row = self.first_row;
        let mut left = self.slots;
        while !left.is_empty() {
            let (plane, first) = (row / plan.y.output, row % plan.y.output);
            let last = (first + plan.band)
                .min(plan.y.output)
                .min(first + left.len() / plan.x.output);
            let (out, others) = left.split_at_mut((last - first) * plan.x.output);
            let pixels = &self.pixels[plane * plane_size..][..plane_size];
            let rows = first..last;
            match &plan.row_filter {
                Some(phases) => separable::<FUSED>(plan, phases, pixels, rows, out, &mut scratch),
                None => dense::<FUSED>(plan, pixels, rows, out, &mut scratch),
            }
            left = others;
            row += last - first;
        }
    }
}

/// Room for rows on their way.
struct Scratch {
    /// Rows dealt out over lanes, one after the other. The padding in them is zero and is never written.
    band: Vec<f32>,
    row: Vec<f32>,
    phases: Vec<f32>,
}

/// Most outputs of a phase.
fn phase_length(plan: &Plan) -> usize {
    plan.x.output.div_ceil(plan.x.up)
}

/// Makes a band of output rows, first along the columns and then along the rows.
#[inline(always)]
fn separable<const FUSED: bool>(
    plan: &Plan,
    phases: &[PhaseFilter],
    pixels: &[f32],
    rows: Range<usize>,
    out: &mut [MaybeUninit<f32>],
    scratch: &mut Scratch,
) {
    let size = plan.lanes.size();
    for (y, lanes) in rows.zip(scratch.band.chunks_exact_mut(size)) {
        let column = plan.sum(y, 0);
        match plan.lanes.single() {
            Some(Fill {
                start,
                first,
                count,
            }) => {
                let slots = &mut lanes[start..][..count];
                weighted_sum::<FUSED, _>(slots, &pixels[first..], column);
            }
            None => {
                weighted_sum::<FUSED, _>(&mut scratch.row, pixels, column);
                plan.lanes.deal(&scratch.row, lanes);
            }
        }
    }
    let length = phase_length(plan);
    let rows = out.chunks_exact_mut(plan.x.output);
    for (out, lanes) in rows.zip(scratch.band.chunks_exact(size)) {
        if let [phase] = phases {
            weighted_sum::<FUSED, _>(out, lanes, phase);
            continue;
        }
        for (p, phase) in phases.iter().enumerate() {
            let part = &mut scratch.phases[p * length..][..plan.lanes.phases()[p].outputs];
            weighted_sum::<FUSED, f32>(part, lanes, phase);
        }
        interleave(&scratch.phases, length, out);
    }
}

/// Makes a band of output rows from the lanes of all input rows that they need.
#[inline(always)]
fn dense<const FUSED: bool>(
    plan: &Plan,
    pixels: &[f32],
    rows: Range<usize>,
    out: &mut [MaybeUninit<f32>],
    scratch: &mut Scratch,
) {
    let size = plan.lanes.size();
    let needs = plan.needs(rows.clone());
    let entering = pixels[needs.start * plan.x.input..].chunks_exact(plan.x.input);
    let band = scratch.band.chunks_exact_mut(size).take(needs.len());
    for (lanes, pixels) in band.zip(entering) {
        plan.lanes.deal(pixels, lanes);
    }
    let length = phase_length(plan);
    // Sums count from the first input row.
    let skipped = needs.start * size;
    for (y, out) in rows.zip(out.chunks_exact_mut(plan.x.output)) {
        if plan.x.up == 1 {
            sum_from::<FUSED, _>(out, &scratch.band, plan.sum(y, 0), skipped);
            continue;
        }
        for (p, phase) in plan.lanes.phases().iter().enumerate() {
            let part = &mut scratch.phases[p * length..][..phase.outputs];
            sum_from::<FUSED, f32>(part, &scratch.band, plan.sum(y, p), skipped);
        }
        interleave(&scratch.phases, length, out);
    }
}

/// A place for a result, whether it held a value before or not.
trait Slot {
    fn put(&mut self, value: f32);
}

impl Slot for f32 {
    #[inline(always)]
    fn put(&mut self, value: f32) {
        *self = value;
    }
}

impl Slot for MaybeUninit<f32> {
    #[inline(always)]
    fn put(&mut self, value: f32) {
        self.write(value);
    }
}

/// `out[i * up + p]` = value `i` of phase `p`, where `length` values lie from one phase to the next.
#[inline(always)]
fn interleave<S: Slot>(phases: &[f32], length: usize, out: &mut [S]) {
    let up = phases.len() / length;
    if up == 2 {
        // A constant step lets the compiler shuffle vectors.
        let (even, odd) = phases.split_at(length);
        let mut pairs = out.chunks_exact_mut(2);
        for ((pair, even), odd) in pairs.by_ref().zip(even).zip(odd) {
            pair[0].put(*even);
            pair[1].put(*odd);
        }
        if let [last] = pairs.into_remainder() {
            last.put(even[length - 1]);
        }
    } else {
        for (p, part) in phases.chunks_exact(length).enumerate() {
            let slots = out.iter_mut().skip(p).step_by(up);
            for (slot, value) in slots.zip(part) {
                slot.put(*value);
            }
        }
    }
}

/// `out[i]` = the sum over `terms` of `weight * source[offset + i]`.
#[inline(always)]
fn weighted_sum<const FUSED: bool, S: Slot>(out: &mut [S], source: &[f32], terms: &[Weighted]) {
    sum_from::<FUSED, S>(out, source, terms, 0);
}

/// As [`weighted_sum`], where `source` lacks its first `skipped` values.
#[inline(always)]
fn sum_from<const FUSED: bool, S: Slot>(
    out: &mut [S],
    source: &[f32],
    terms: &[Weighted],
    skipped: usize,
) {
    // Numbers of terms that are known let the compiler keep the weights in registers: that of the networks' filter, and
    // half of it where every other pixel is an inserted zero.
    match *terms {
        [a, b, c, d] => sum_of::<FUSED, S, 4>(out, source, [a, b, c, d], skipped),
        [a, b] => sum_of::<FUSED, S, 2>(out, source, [a, b], skipped),
        _ => match out.len() {
            32.. => any_blocks::<FUSED, S, 32>(out, source, terms, skipped),
            16.. => any_blocks::<FUSED, S, 16>(out, source, terms, skipped),
            8.. => any_blocks::<FUSED, S, 8>(out, source, terms, skipped),
            4.. => any_blocks::<FUSED, S, 4>(out, source, terms, skipped),
            1.. => any_blocks::<FUSED, S, 1>(out, source, terms, skipped),
            0 => {}
        },
    }
}

#[inline(always)]
fn sum_of<const FUSED: bool, S: Slot, const T: usize>(
    out: &mut [S],
    source: &[f32],
    terms: [Weighted; T],
    skipped: usize,
) {
    // The widest block that fits; the last one overlaps the one before it, so that no remainder goes one by one.
    match out.len() {
        32.. => blocks::<FUSED, S, T, 32>(out, source, terms, skipped),
        16.. => blocks::<FUSED, S, T, 16>(out, source, terms, skipped),
        8.. => blocks::<FUSED, S, T, 8>(out, source, terms, skipped),
        4.. => blocks::<FUSED, S, T, 4>(out, source, terms, skipped),
        1.. => blocks::<FUSED, S, T, 1>(out, source, terms, skipped),
        0 => {}
    }
}

#[inline(always)]
fn blocks<const FUSED: bool, S: Slot, const T: usize, const N: usize>(
    out: &mut [S],
    source: &[f32],
    terms: [Weighted; T],
    skipped: usize,
) {
    let mut values = [&source[..0]; T];
    for t in 0..T {
        values[t] = &source[terms[t].offset - skipped..][..out.len()];
    }
    let last = out.len() - N;
    let mut start = 0;
    loop {
        let mut sum = [0.0; N];
        for t in 0..T {
            let values = &values[t][start..][..N];
            for i in 0..N {
                sum[i] = multiply_add::<FUSED>(values[i], terms[t].weight, sum[i]);
            }
        }
        put::<S, N>(&mut out[start..], sum);
        if start == last {
            return;
        }
        start = (start + N).min(last);
    }
}

/// As [`blocks`], for any number of terms.
#[inline(always)]
fn any_blocks<const FUSED: bool, S: Slot, const N: usize>(
    out: &mut [S],
    source: &[f32],
    terms: &[Weighted],
    skipped: usize,
) {
    let last = out.len() - N;
    let mut start = 0;
    loop {
        let mut sum = [0.0; N];
        for term in terms {
            let values = &source[term.offset - skipped + start..][..N];
            for i in 0..N {
                sum[i] = multiply_add::<FUSED>(values[i], term.weight, sum[i]);
            }
        }
        put::<S, N>(&mut out[start..], sum);
        if start == last {
            return;
        }
        start = (start + N).min(last);
    }
}

#[inline(always)]
fn put<S: Slot, const N: usize>(out: &mut [S], sum: [f32; N]) {
    for (slot, sum) in out[..N].iter_mut().zip(sum) {
        slot.put(sum);
    }
}
