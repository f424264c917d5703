//! Upsampling, FIR filtering and downsampling: rows are filtered as sums of shifted contiguous slices.
//!
//! A ring keeps the input rows that the current output row needs. A filter of rank one is applied along a row when it enters the ring
//! and along the columns when it leaves; for any other filter rows enter as they are, dealt out over the lanes of `polyphase`.

mod plan;
mod polyphase;

use std::mem::MaybeUninit;

use crate::initialised::written_by;
use crate::simd::{self, Kernel, multiply_add};
use crate::threads::{self, Shared};
use plan::{CACHE_LINE, PhaseFilter, Plan, Weighted};

/// Below this many output pixels the calling thread is done before others would have woken up.
const PARALLEL_PIXELS: usize = 1 << 16;

/// Pieces of work for each thread: more even out threads of unequal speed, fewer refill the ring less often.
const PIECES_PER_THREAD: usize = 4;

/// What [`upfirdn2d`] does with each plane, along `[y, x]`: output `o` of an axis is the sum over taps `k` of `taps[k]` times the upsampled input at
/// `o down + k - before`, and zero outside it.
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
    let plan = Plan::new(resampling);
    let planes = x.len() / (input[0] * input[1]);
    // SAFETY: `write` covers all slots.
    unsafe {
        written_by(planes * output[0] * output[1], |slots| {
            write(&plan, x, slots)
        })
    }
}

/// Writes all of `slots`, the rows of all planes.
fn write(plan: &Plan, pixels: &[f32], slots: &mut [MaybeUninit<f32>]) {
    let (count, width) = (slots.len(), plan.x.output);
    let threads = rayon::current_num_threads();
    if count < PARALLEL_PIXELS || threads == 1 {
        return simd::run(Rows {
            plan,
            pixels,
            slots,
            first_row: 0,
        });
    }
    let rows = count / width;
    let rows_each = rows.div_ceil(threads * PIECES_PER_THREAD);
    let shared = Shared::new(slots);
    threads::run(threads, rows.div_ceil(rows_each), |piece| {
        let first_row = piece * rows_each;
        let length = rows_each.min(rows - first_row) * width;
        simd::run(Rows {
            plan,
            pixels,
            // SAFETY: each row belongs to one task and lies inside the slots.
            slots: unsafe { shared.slice(first_row * width, length) },
            first_row,
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
        let (height, width) = (plan.y.input, plan.x.input);
        let mut ring = vec![0.0; plan.ring_size() + CACHE_LINE];
        let aligned = ring.as_ptr().align_offset(CACHE_LINE * size_of::<f32>());
        let ring = &mut ring[aligned.min(CACHE_LINE)..];
        let mut scratch = Scratch {
            lanes: vec![0.0; plan.lanes.size()],
            phases: vec![0.0; phase_length(plan) * plan.x.up],
        };
        let mut plane = self.first_row / plan.y.output;
        let mut y = self.first_row % plan.y.output;
        let mut next = 0;
        for out in self.slots.chunks_exact_mut(plan.x.output) {
            let needs = plan.needs(y);
            next = next.max(needs.start);
            while next < needs.end {
                let pixels = &self.pixels[(plane * height + next) * width..][..width];
                let entering = &mut ring[plan.ring_offset(next)..][..plan.stride];
                match &plan.row_filter {
                    Some(phases) => {
                        let entering = &mut entering[..plan.x.output];
                        filter_row::<FUSED>(plan, phases, pixels, entering, &mut scratch);
                    }
                    None => plan.lanes.deal(pixels, entering),
                }
                next += 1;
            }
            match &plan.row_filter {
                Some(_) => weighted_sum::<FUSED, _>(out, ring, plan.sum(y, 0)),
                None => sum_phases::<FUSED>(plan, y, ring, out, &mut scratch.phases),
            }
            y += 1;
            if y == plan.y.output {
                (plane, y, next) = (plane + 1, 0, 0);
            }
        }
    }
}

/// Room for rows on their way.
struct Scratch {
    lanes: Vec<f32>,
    phases: Vec<f32>,
}

/// Most outputs of a phase.
fn phase_length(plan: &Plan) -> usize {
    plan.x.output.div_ceil(plan.x.up)
}

/// Filters a row of pixels along the row.
#[inline(always)]
fn filter_row<const FUSED: bool>(
    plan: &Plan,
    phases: &[PhaseFilter],
    pixels: &[f32],
    out: &mut [f32],
    scratch: &mut Scratch,
) {
    if plan.x.down > 1 {
        plan.lanes.deal(pixels, &mut scratch.lanes);
    }
    let length = phase_length(plan);
    for (p, phase) in phases.iter().enumerate() {
        let part = match plan.x.up {
            1 => &mut *out,
            _ => &mut scratch.phases[p * length..][..phase.outputs],
        };
        if plan.x.down > 1 {
            weighted_sum::<FUSED, f32>(part, &scratch.lanes, &phase.in_lanes);
        } else {
            // Straight from the pixels: a copy with padding would be read before it has left the store buffer.
            let shift = plan.lanes.shift();
            for (index, slot) in part[..phase.inside.start].iter_mut().enumerate() {
                *slot = phase.at_edge(index, shift, pixels);
            }
            for (index, slot) in part.iter_mut().enumerate().skip(phase.inside.end) {
                *slot = phase.at_edge(index, shift, pixels);
            }
            weighted_sum::<FUSED, f32>(&mut part[phase.inside.clone()], pixels, &phase.in_row);
        }
    }
    if plan.x.up > 1 {
        interleave(&scratch.phases, length, out);
    }
}

/// Makes an output row from the lanes in the ring.
#[inline(always)]
fn sum_phases<const FUSED: bool>(
    plan: &Plan,
    y: usize,
    ring: &[f32],
    out: &mut [MaybeUninit<f32>],
    phases: &mut [f32],
) {
    if plan.x.up == 1 {
        return weighted_sum::<FUSED, _>(out, ring, plan.sum(y, 0));
    }
    let length = phase_length(plan);
    for (p, phase) in plan.lanes.phases().iter().enumerate() {
        let part = &mut phases[p * length..][..phase.outputs];
        weighted_sum::<FUSED, f32>(part, ring, plan.sum(y, p));
    }
    interleave(phases, length, out);
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
    // The widest block that fits; the last one overlaps the one before it, so that no remainder goes one by one.
    match out.len() {
        32.. => weighted_blocks::<FUSED, S, 32>(out, source, terms),
        16.. => weighted_blocks::<FUSED, S, 16>(out, source, terms),
        8.. => weighted_blocks::<FUSED, S, 8>(out, source, terms),
        4.. => weighted_blocks::<FUSED, S, 4>(out, source, terms),
        1.. => weighted_blocks::<FUSED, S, 1>(out, source, terms),
        0 => {}
    }
}

#[inline(always)]
fn weighted_blocks<const FUSED: bool, S: Slot, const N: usize>(
    out: &mut [S],
    source: &[f32],
    terms: &[Weighted],
) {
    let last = out.len() - N;
    let mut start = 0;
    loop {
        let mut sum = [0.0; N];
        for term in terms {
            let values = &source[term.offset + start..][..N];
            for i in 0..N {
                sum[i] = multiply_add::<FUSED>(values[i], term.weight, sum[i]);
            }
        }
        for (slot, sum) in out[start..][..N].iter_mut().zip(sum) {
            slot.put(sum);
        }
        if start == last {
            return;
        }
        start = (start + N).min(last);
    }
}
