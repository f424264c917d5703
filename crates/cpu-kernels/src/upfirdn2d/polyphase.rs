//! Which input pixels and taps make each output pixel, so that inserted zeros are never multiplied and skipped outputs
//! never computed.

/// One axis of an `upfirdn2d`: output `o` is the sum over taps `k` of `taps[k] * upsampled[o * down + k - before]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) up: usize,
    pub(super) down: usize,
    pub(super) before: isize,
    pub(super) taps: usize,
    pub(super) input: usize,
    pub(super) output: usize,
}

/// A tap and the input that it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meeting {
    pub(super) tap: usize,
    pub(super) input: isize,
}

impl Axis {
    /// Taps that meet a pixel, not an inserted zero, at output `o`, in ascending order; inputs may lie in the padding.
    pub(super) fn meetings(self, o: usize) -> impl Iterator<Item = Meeting> {
        let first = (o * self.down) as isize - self.before;
        let up = self.up as isize;
        let skipped = (-first).rem_euclid(up) as usize;
        (skipped..self.taps)
            .step_by(self.up)
            .map(move |tap| Meeting {
                tap,
                input: (first + tap as isize) / up,
            })
    }

    /// As [`Self::meetings`], without those in the padding.
    pub(super) fn meetings_inside(self, o: usize) -> impl Iterator<Item = Meeting> {
        self.meetings(o)
            .filter(move |m| m.input >= 0 && (m.input as usize) < self.input)
    }
}

/// A row of pixels dealt out over `down` lanes, pixel `i` to lane `(i + shift) % down`, with zeros where the padding
/// is. Every output phase is then a plain filter of contiguous lanes, whatever the factors are.
#[derive(Debug)]
pub(super) struct Lanes {
    count: usize,
    length: usize,
    fills: Vec<Fill>,
    phases: Vec<Phase>,
}

/// Where a lane is filled: from `start`, with input pixels `first`, `first + down`, ...
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fill {
    pub(super) start: usize,
    pub(super) first: usize,
    pub(super) count: usize,
}

/// Outputs `p`, `p + up`, ... of one residue `p`: the sum over `terms` of a tap times the lanes' values from the term's
/// offset on.
#[derive(Debug)]
pub(super) struct Phase {
    pub(super) outputs: usize,
    pub(super) terms: Vec<Term>,
}

/// A tap and the place in the lanes where its values for the phase's outputs begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    pub(super) tap: usize,
    pub(super) offset: usize,
}

impl Lanes {
    pub(super) fn new(axis: Axis) -> Self {
        let down = axis.down as isize;
        let phase_meetings: Vec<Vec<Meeting>> =
            (0..axis.up).map(|p| axis.meetings(p).collect()).collect();
        let lowest = phase_meetings.iter().flatten().map(|m| m.input).min();
        // The lanes begin at the first pixel that any output meets, be it in the padding or beyond a cropped edge.
        let shift = -lowest.unwrap_or(0);
        let outputs = |p: usize| axis.output.saturating_sub(p).div_ceil(axis.up);
        let place = |m: &Meeting| {
            let position = m.input + shift;
            ((position % down) as usize, (position / down) as usize)
        };
        let length = phase_meetings
            .iter()
            .enumerate()
            .flat_map(|(p, meetings)| meetings.iter().map(move |m| place(m).1 + outputs(p)))
            .max()
            // A row without a pixel that any output meets still has room, so that rows can be counted.
            .map_or(1, |length| length.max(1));
        let fills = (0..down)
            .map(|lane| {
                // Slot t of the lane holds pixel t * down + lane - shift.
                let start = (shift - lane + down - 1).div_euclid(down).max(0);
                let end = (axis.input as isize + shift - lane + down - 1).div_euclid(down);
                let count = end.min(length as isize) - start;
                match usize::try_from(count) {
                    Ok(count @ 1..) => Fill {
                        start: start as usize,
                        first: (start * down + lane - shift) as usize,
                        count,
                    },
                    _ => Fill::default(),
                }
            })
            .collect();
        let phases = phase_meetings
            .iter()
            .enumerate()
            .map(|(p, meetings)| Phase {
                outputs: outputs(p),
                terms: meetings
                    .iter()
                    .map(|m| {
                        let (lane, slot) = place(m);
                        Term {
                            tap: m.tap,
                            offset: lane * length + slot,
                        }
                    })
                    .collect(),
            })
            .collect();
        Self {
            count: axis.down,
            length,
            fills,
            phases,
        }
    }

    /// Number of values that [`Self::deal`] fills.
    pub(super) fn size(&self) -> usize {
        self.count * self.length
    }

    /// What fills the lane where there is only one, which neighbors of a row enter as neighbors.
    pub(super) fn single(&self) -> Option<Fill> {
        match self.fills[..] {
            [fill] => Some(fill),
            _ => None,
        }
    }

    /// One phase for each residue of the upsampling factor.
    pub(super) fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// Deals a row out. Slots in the padding are left as they are: zero since the buffer was made.
    #[inline(always)]
    pub(super) fn deal(&self, row: &[f32], lanes: &mut [f32]) {
        for (lane, fill) in self.fills.iter().enumerate() {
            let slots = &mut lanes[lane * self.length + fill.start..][..fill.count];
            match self.count {
                1 => slots.copy_from_slice(&row[fill.first..][..fill.count]),
                // A constant step lets the compiler shuffle vectors.
                2 => {
                    for (slot, pair) in slots.iter_mut().zip(row[fill.first..].chunks(2)) {
                        *slot = pair[0];
                    }
                }
                count => {
                    for (slot, pixel) in slots
                        .iter_mut()
                        .zip(row[fill.first..].iter().step_by(count))
                    {
                        *slot = *pixel;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(
        up: usize,
        down: usize,
        before: isize,
        taps: usize,
        input: usize,
        after: isize,
    ) -> Axis {
        let padded = (input * up) as isize + before + after;
        Axis {
            up,
            down,
            before,
            taps,
            input,
            output: (padded as usize - taps) / down + 1,
        }
    }

    #[test]
    fn upsampling_by_two_meets_every_other_tap() {
        let axis = axis(2, 1, 2, 4, 5, 1);
        let met = |o: usize| -> Vec<(usize, isize)> {
            axis.meetings(o).map(|m| (m.tap, m.input)).collect()
        };
        assert_eq!(met(0), [(0, -1), (2, 0)]);
        assert_eq!(met(1), [(1, 0), (3, 1)]);
        assert_eq!(axis.meetings_inside(0).count(), 1);
    }

    #[test]
    fn lanes_hold_what_the_definition_reads() {
        for up in 1..4 {
            for down in 1..4 {
                for before in -3..4 {
                    for after in -2..3 {
                        let axis = axis(up, down, before, 4, 9, after);
                        let lanes = Lanes::new(axis);
                        let row: Vec<f32> = (1..=9).map(|v| v as f32).collect();
                        let mut buffer = vec![0.0; lanes.size()];
                        lanes.deal(&row, &mut buffer);
                        for o in 0..axis.output {
                            let phase = &lanes.phases()[o % up];
                            assert_eq!(phase.terms.len(), axis.meetings(o).count());
                            for (term, meeting) in phase.terms.iter().zip(axis.meetings(o)) {
                                let expected = usize::try_from(meeting.input)
                                    .ok()
                                    .and_then(|i| row.get(i))
                                    .copied()
                                    .unwrap_or(0.0);
                                assert_eq!(term.tap, meeting.tap);
                                assert_eq!(buffer[term.offset + o / up], expected);
                            }
                        }
                    }
                }
            }
        }
    }
}
