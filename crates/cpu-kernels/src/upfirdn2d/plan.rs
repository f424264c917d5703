//! What an `upfirdn2d` on the processor computes for every plane alike.

use std::ops::Range;

use super::polyphase::{Axis, Lanes};
use super::{Resampling, Taps};

/// Floats in a cache line of the usual 64 bytes. Vectors that straddle two lines take twice as long to load.
pub(super) const CACHE_LINE: usize = 16;

/// Weighted sums that make each output row from a ring of recent input rows.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lanes: Lanes,
    /// For a filter of rank one its row, through which pixels go on their way into the ring; else they are only dealt out over the lanes.
    pub(super) row_filter: Option<Vec<PhaseFilter>>,
    /// Rows in the ring, a power of two.
    ring: usize,
    /// Floats from one row of the ring to the next.
    pub(super) stride: usize,
    /// Input rows that each output row needs.
    needs: Vec<Range<usize>>,
    /// Sums that make an output row: one after a row filter, else one for each phase.
    sums_per_row: usize,
    /// Where the terms of each sum lie.
    sums: Vec<Range<usize>>,
    terms: Vec<Weighted>,
}

/// One output phase of the row filter.
#[derive(Debug)]
pub(super) struct PhaseFilter {
    pub(super) outputs: usize,
    /// Weights, and where their values for the first output begin in the lanes.
    pub(super) in_lanes: Vec<Weighted>,
    /// Outputs whose taps all meet pixels of the row. Of use where there is one lane, the row with its padding.
    pub(super) inside: Range<usize>,
    /// Weights, and where their values for the first output in `inside` begin in the row.
    pub(super) in_row: Vec<Weighted>,
}

/// A weight, and where the values begin that it multiplies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weighted {
    pub(super) weight: f32,
    pub(super) offset: usize,
}

impl Plan {
    pub(super) fn new(resampling: &Resampling<'_>) -> Self {
        let size = resampling.taps.size();
        let [y, x] = [0, 1].map(|axis: usize| Axis {
            up: resampling.up[axis],
            down: resampling.down[axis],
            before: resampling.before[axis],
            taps: size[axis],
            input: resampling.input[axis],
            output: resampling.output[axis],
        });
        let lanes = Lanes::new(x);
        let row_filter = match resampling.taps {
            Taps::Separable { row, .. } => {
                let phases = (0..x.up).map(|p| PhaseFilter::new(&lanes, p, row, x.input));
                Some(phases.collect())
            }
            Taps::Dense { .. } => None,
        };
        let mut plan = Self {
            x,
            y,
            stride: match row_filter {
                Some(_) => x.output.next_multiple_of(CACHE_LINE),
                None => lanes.size(),
            },
            sums_per_row: match row_filter {
                Some(_) => 1,
                None => x.up,
            },
            ring: y.most_meetings().next_power_of_two(),
            needs: Vec::with_capacity(y.output),
            sums: Vec::new(),
            terms: Vec::new(),
            row_filter,
            lanes,
        };
        match resampling.taps {
            Taps::Separable { column, .. } => plan.add_sums_of_columns(column),
            Taps::Dense { taps, .. } => plan.add_sums_of_lanes(taps),
        }
        plan
    }

    fn add_sums_of_columns(&mut self, column: &[f32]) {
        for o in 0..self.y.output {
            let start = self.terms.len();
            let mut needs = 0..0;
            for meeting in self.y.meetings_inside(o) {
                widen(&mut needs, meeting.input as usize);
                self.terms.push(Weighted {
                    weight: column[meeting.tap],
                    offset: self.ring_offset(meeting.input as usize),
                });
            }
            self.needs.push(needs);
            self.sums.push(start..self.terms.len());
        }
    }

    fn add_sums_of_lanes(&mut self, taps: &[f32]) {
        for o in 0..self.y.output {
            let mut needs = 0..0;
            for phase in self.lanes.phases() {
                let start = self.terms.len();
                for meeting in self.y.meetings_inside(o) {
                    widen(&mut needs, meeting.input as usize);
                    let row = self.ring_offset(meeting.input as usize);
                    self.terms.extend(phase.terms.iter().map(|term| Weighted {
                        weight: taps[meeting.tap * self.x.taps + term.tap],
                        offset: row + term.offset,
                    }));
                }
                self.sums.push(start..self.terms.len());
            }
            self.needs.push(needs);
        }
    }

    /// Where input row `y` lies in the ring.
    pub(super) fn ring_offset(&self, y: usize) -> usize {
        (y & (self.ring - 1)) * self.stride
    }

    /// Floats in the ring.
    pub(super) fn ring_size(&self) -> usize {
        self.ring * self.stride
    }

    /// Input rows that output row `y` needs.
    pub(super) fn needs(&self, y: usize) -> Range<usize> {
        self.needs[y].clone()
    }

    /// Terms of the `index`-th sum of output row `y`.
    pub(super) fn sum(&self, y: usize, index: usize) -> &[Weighted] {
        &self.terms[self.sums[y * self.sums_per_row + index].clone()]
    }
}

/// Makes an ascending range reach up to `y`.
fn widen(range: &mut Range<usize>, y: usize) {
    if range.start >= range.end {
        range.start = y;
    }
    range.end = range.end.max(y + 1);
}

impl PhaseFilter {
    fn new(lanes: &Lanes, p: usize, row: &[f32], width: usize) -> Self {
        let phase = &lanes.phases()[p];
        let in_lanes: Vec<Weighted> = phase
            .terms
            .iter()
            .map(|term| Weighted {
                weight: row[term.tap],
                offset: term.offset,
            })
            .collect();
        // Taps meet pixels in ascending order.
        let first = in_lanes.first().map_or(0, |t| t.offset) as isize - lanes.shift();
        let last = in_lanes.last().map_or(0, |t| t.offset) as isize - lanes.shift();
        let start = (-first).max(0) as usize;
        let end = (width as isize - last).clamp(0, phase.outputs as isize) as usize;
        let inside = if start < end { start..end } else { 0..0 };
        let in_row = in_lanes
            .iter()
            .map(|t| Weighted {
                weight: t.weight,
                offset: (t.offset as isize - lanes.shift()).saturating_add_unsigned(inside.start)
                    as usize,
            })
            .collect();
        Self {
            outputs: phase.outputs,
            in_lanes,
            inside,
            in_row,
        }
    }

    /// Output `index` by the definition, for a row in one lane.
    #[inline(always)]
    pub(super) fn at_edge(&self, index: usize, shift: isize, pixels: &[f32]) -> f32 {
        let mut sum = 0.0;
        for term in &self.in_lanes {
            let position = (term.offset + index) as isize - shift;
            if position >= 0 && (position as usize) < pixels.len() {
                sum += term.weight * pixels[position as usize];
            }
        }
        sum
    }
}
