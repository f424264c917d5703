//! What an `upfirdn2d` on the processor computes for every plane alike.

use std::ops::Range;

use super::polyphase::{Axis, Lanes, Term};
use super::{Resampling, Taps};

/// Floats of a band of rows: with the pixels that they come from, 32 KiB of nearest cache hold them.
const BAND: usize = 5 << 10;

/// Weighted sums that make output rows.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lanes: Lanes,
    /// For a filter of rank one its row, a sum of lanes for each output phase, while [`Self::sum`] is that along the
    /// columns.
    pub(super) row_filter: Option<Vec<PhaseFilter>>,
    /// Most output rows that are made at once.
    pub(super) band: usize,
    /// Input rows that each output row needs.
    needs: Vec<Range<usize>>,
    /// Sums that make an output row: one of pixels before a row filter, else one of lanes for each phase.
    sums_per_row: usize,
    /// Where the terms of each sum lie.
    sums: Vec<Range<usize>>,
    terms: Vec<Weighted>,
}

/// The terms of one output phase of the row filter: weights, and where their values for the first output begin in the
/// lanes.
pub(super) type PhaseFilter = Vec<Weighted>;

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
                let weighted = |term: &Term| Weighted {
                    weight: row[term.tap],
                    offset: term.offset,
                };
                let phases = lanes.phases().iter();
                Some(
                    phases
                        .map(|p| p.terms.iter().map(weighted).collect())
                        .collect(),
                )
            }
            Taps::Dense { .. } => None,
        };
        let mut plan = Self {
            x,
            y,
            sums_per_row: match row_filter {
                Some(_) => 1,
                None => x.up,
            },
            band: (BAND / lanes.size()).clamp(1, y.output),
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
                    offset: meeting.input as usize * self.x.input,
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
                    let row = meeting.input as usize * self.lanes.size();
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

    /// Rows of lanes that a band takes.
    pub(super) fn band_rows(&self) -> usize {
        let starts = (0..self.y.output).step_by(self.band);
        match self.row_filter {
            Some(_) => self.band,
            // A piece of work may begin with any row.
            None => starts
                .flat_map(|start| start..(start + self.band).min(self.y.output))
                .map(|start| {
                    self.needs(start..(start + self.band).min(self.y.output))
                        .len()
                })
                .max()
                .unwrap_or(0),
        }
    }

    /// Input rows that a range of output rows needs.
    pub(super) fn needs(&self, rows: Range<usize>) -> Range<usize> {
        let mut all = 0..0;
        for needs in &self.needs[rows] {
            if !needs.is_empty() {
                widen(&mut all, needs.start);
                widen(&mut all, needs.end - 1);
            }
        }
        all
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
