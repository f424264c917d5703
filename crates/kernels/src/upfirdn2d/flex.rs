//! `upfirdn2d` on the processor: rows are filtered as sums of shifted contiguous slices.
//!
//! Input rows are dealt out over [`Lanes`]; a ring keeps those that the current output row needs. A filter of rank one is applied
//! along the rows when a row enters the ring and along the columns when it leaves; any other filter on leaving only.

use std::mem::MaybeUninit;

use burn::backend::flex::{Flex, FlexTensor};
use burn::tensor::TensorData;
use rayon::prelude::*;

use super::backend::UpFirDn2dOps;
use super::polyphase::{Axis, Lanes, Term};
use super::{UpFirDn2d, correlation_taps};
use crate::Filter;
use crate::simd::{self, Kernel, multiply_add};

/// Below this many output pixels the calling thread is done before others would have woken up.
const PARALLEL_PIXELS: usize = 1 << 16;

/// Pieces of work for each thread: more even out threads of unequal speed, fewer refill the ring less often.
const PIECES_PER_THREAD: usize = 4;

impl UpFirDn2dOps for Flex {
    fn upfirdn2d(x: FlexTensor, filter: Filter, parameters: UpFirDn2d) -> FlexTensor {
        let shape: [usize; 4] = x.layout().shape().dims();
        let out_shape = parameters.output_shape(shape, &filter);
        let x = if x.is_contiguous() {
            x
        } else {
            x.to_contiguous()
        };
        let pixels: &[f32] = x
            .as_slice()
            .unwrap_or_else(|| panic!("upfirdn2d: expected f32, found {:?}", x.dtype()));
        let plan = Plan::new(shape, out_shape, &filter, &parameters);

        let count = out_shape.iter().product();
        let mut out: Vec<f32> = Vec::with_capacity(count);
        let slots = &mut out.spare_capacity_mut()[..count];
        let rows = count / plan.x.output;
        let threads = rayon::current_num_threads();
        if count < PARALLEL_PIXELS || threads == 1 {
            simd::run(Rows::new(&plan, pixels, slots, 0));
        } else {
            let rows_each = rows.div_ceil(threads * PIECES_PER_THREAD);
            slots
                .par_chunks_mut(rows_each * plan.x.output)
                .enumerate()
                .for_each(|(piece, slots)| {
                    simd::run(Rows::new(&plan, pixels, slots, piece * rows_each));
                });
        }
        // SAFETY: the pieces cover all `count` slots, and `Rows` writes every slot of its piece.
        unsafe { out.set_len(count) };
        FlexTensor::from_data(TensorData::new(out, out_shape))
    }
}

/// What is the same for every plane.
#[derive(Debug)]
struct Plan {
    x: Axis,
    y: Axis,
    lanes: Lanes,
    taps: Taps,
    /// For each output row the input rows that it needs.
    needs: Vec<Vec<RowTap>>,
    /// Rows in the ring, a power of two.
    ring: usize,
    /// Floats from one row of the ring to the next.
    stride: usize,
}

/// A row of taps and the input row that it meets.
#[derive(Clone, Copy, Debug)]
struct RowTap {
    tap: usize,
    input: usize,
}

/// Taps in the order of correlation, with the gain.
#[derive(Debug)]
enum Taps {
    /// Outer product of a column and a row; the column carries the gain.
    RankOne { column: Vec<f32>, row: Vec<f32> },
    /// Row-major.
    Full(Vec<f32>),
}

impl Plan {
    fn new(
        [_, _, height, width]: [usize; 4],
        [_, _, out_height, out_width]: [usize; 4],
        filter: &Filter,
        parameters: &UpFirDn2d,
    ) -> Self {
        let [left, _, top, _] = parameters.padding;
        let x = Axis {
            up: parameters.up[1],
            down: parameters.down[1],
            before: left,
            taps: filter.width(),
            input: width,
            output: out_width,
        };
        let y = Axis {
            up: parameters.up[0],
            down: parameters.down[0],
            before: top,
            taps: filter.height(),
            input: height,
            output: out_height,
        };
        let lanes = Lanes::new(x);
        let taps = match filter.separable() {
            Some((column, row)) => Taps::RankOne {
                column: correlation_taps(column, parameters.flip_filter, parameters.gain),
                row: correlation_taps(row, parameters.flip_filter, 1.0),
            },
            None => Taps::Full(correlation_taps(
                filter.taps(),
                parameters.flip_filter,
                parameters.gain,
            )),
        };
        let stride = match taps {
            Taps::RankOne { .. } => out_width,
            Taps::Full(_) => lanes.size(),
        };
        let needs = (0..out_height)
            .map(|o| {
                y.meetings_inside(o)
                    .map(|m| RowTap {
                        tap: m.tap,
                        input: m.input as usize,
                    })
                    .collect()
            })
            .collect();
        Self {
            x,
            y,
            lanes,
            taps,
            needs,
            ring: y.most_meetings().next_power_of_two(),
            stride,
        }
    }
}

/// A run of output rows, counted through all planes.
struct Rows<'a> {
    plan: &'a Plan,
    pixels: &'a [f32],
    slots: &'a mut [MaybeUninit<f32>],
    first_row: usize,
}

impl<'a> Rows<'a> {
    fn new(
        plan: &'a Plan,
        pixels: &'a [f32],
        slots: &'a mut [MaybeUninit<f32>],
        first_row: usize,
    ) -> Self {
        Self {
            plan,
            pixels,
            slots,
            first_row,
        }
    }
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let plan = self.plan;
        match &plan.taps {
            Taps::RankOne { column, row } => self.run_rank_one::<FUSED>(column, row),
            Taps::Full(taps) => self.run_full::<FUSED>(taps),
        }
    }
}

impl Rows<'_> {
    #[inline(always)]
    fn run_rank_one<const FUSED: bool>(self, column: &[f32], row: &[f32]) {
        let plan = self.plan;
        let mut lanes = vec![0.0; plan.lanes.size()];
        let mut ring = vec![0.0; plan.ring * plan.stride];
        let mut phases = vec![0.0; phase_buffer(plan)];
        let row_terms: Vec<Vec<Weighted>> = plan
            .lanes
            .phases()
            .iter()
            .map(|phase| {
                let weigh = |t: &Term| Weighted {
                    weight: row[t.tap],
                    offset: t.offset,
                };
                phase.terms.iter().map(weigh).collect()
            })
            .collect();
        let mut terms: Vec<Weighted> = Vec::with_capacity(plan.y.most_meetings());
        self.for_each_row(
            &mut ring,
            |pixels, entering| {
                plan.lanes.deal(pixels, &mut lanes);
                filter_phases::<FUSED, f32>(plan, entering, &lanes, |p| &row_terms[p], &mut phases);
            },
            |needs, ring, out| {
                terms.clear();
                terms.extend(needs.iter().map(|need| Weighted {
                    weight: column[need.tap],
                    offset: ring_offset(plan, need.input),
                }));
                weighted_sum::<FUSED, _>(out, ring, &terms);
            },
        );
    }

    #[inline(always)]
    fn run_full<const FUSED: bool>(self, taps: &[f32]) {
        let plan = self.plan;
        let mut ring = vec![0.0; plan.ring * plan.stride];
        let mut phases = vec![0.0; phase_buffer(plan)];
        let mut terms: Vec<Vec<Weighted>> = vec![Vec::new(); plan.x.up];
        self.for_each_row(
            &mut ring,
            |pixels, entering| plan.lanes.deal(pixels, entering),
            |needs, ring, out| {
                for (terms, phase) in terms.iter_mut().zip(plan.lanes.phases()) {
                    terms.clear();
                    for need in needs {
                        let start = ring_offset(plan, need.input);
                        terms.extend(phase.terms.iter().map(|term| Weighted {
                            weight: taps[need.tap * plan.x.taps + term.tap],
                            offset: start + term.offset,
                        }));
                    }
                }
                filter_phases::<FUSED, _>(plan, out, ring, |p| &terms[p], &mut phases);
            },
        );
    }

    /// Calls `enter` with each input row that is needed and its place in the ring, and `leave` for each output row once the ring has
    /// what it needs.
    #[inline(always)]
    fn for_each_row(
        self,
        ring: &mut [f32],
        mut enter: impl FnMut(&[f32], &mut [f32]),
        mut leave: impl FnMut(&[RowTap], &[f32], &mut [MaybeUninit<f32>]),
    ) {
        let plan = self.plan;
        let (height, width) = (plan.y.input, plan.x.input);
        let mut next = 0;
        for (index, out) in self.slots.chunks_exact_mut(plan.x.output).enumerate() {
            let row = self.first_row + index;
            let (plane, y) = (row / plan.y.output, row % plan.y.output);
            if y == 0 {
                next = 0;
            }
            let needs = plan.needs[y].as_slice();
            if let (Some(first), Some(last)) = (needs.first(), needs.last()) {
                next = next.max(first.input);
                let image = &self.pixels[plane * height * width..][..height * width];
                while next <= last.input {
                    let start = ring_offset(plan, next);
                    enter(
                        &image[next * width..][..width],
                        &mut ring[start..][..plan.stride],
                    );
                    next += 1;
                }
            }
            leave(needs, ring, out);
        }
    }
}

fn ring_offset(plan: &Plan, input: usize) -> usize {
    (input & (plan.ring - 1)) * plan.stride
}

/// Floats that [`filter_phases`] needs beside its result.
fn phase_buffer(plan: &Plan) -> usize {
    match plan.x.up {
        1 => 0,
        up => up * plan.x.output.div_ceil(up),
    }
}

/// A weight, and where the values begin that it multiplies.
#[derive(Clone, Copy, Debug)]
struct Weighted {
    weight: f32,
    offset: usize,
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

/// Filters each phase of an output row and interleaves them.
#[inline(always)]
fn filter_phases<'t, const FUSED: bool, S: Slot>(
    plan: &Plan,
    out: &mut [S],
    source: &[f32],
    terms: impl Fn(usize) -> &'t Vec<Weighted>,
    phases: &mut [f32],
) {
    if plan.x.up == 1 {
        weighted_sum::<FUSED, S>(out, source, terms(0));
        return;
    }
    let length = plan.x.output.div_ceil(plan.x.up);
    for (p, phase) in plan.lanes.phases().iter().enumerate() {
        let part = &mut phases[p * length..][..phase.outputs];
        weighted_sum::<FUSED, f32>(part, source, terms(p));
    }
    if plan.x.up == 2 {
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
            for (slot, value) in out[p..].iter_mut().step_by(plan.x.up).zip(part) {
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
            for (sum, value) in sum.iter_mut().zip(values) {
                *sum = multiply_add::<FUSED>(*value, term.weight, *sum);
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
