use super::super::correlate::Operands;
use super::super::microkernel::{Microkernels, TapOffset};
use super::super::plan::{Packing, Plan, Tap};

/// Outputs that sum the same taps of neighbouring inputs.
#[derive(Debug)]
pub(super) struct Run {
    /// Element of the first output in its plane.
    pub first: usize,
    /// Elements from one output to the next.
    pub step: usize,
    /// Outputs, and so many inputs of each tap.
    pub positions: usize,
    /// Taps that do not read padding, in the order of the plan.
    pub taps: Vec<TapOffset>,
}

impl Run {
    /// Vectors multiplied and added for each input and output channel.
    pub fn products(&self) -> usize {
        self.positions * self.taps.len()
    }

    /// Whether `taps` are those of the next position.
    fn is_continued_by(&self, taps: &[TapOffset], lanes: usize) -> bool {
        let shift = self.positions * lanes;
        self.taps.len() == taps.len()
            && self
                .taps
                .iter()
                .zip(taps)
                .all(|(first, next)| first.w == next.w && first.x + shift == next.x)
    }
}

/// The runs that make up all outputs of a plane.
pub(super) fn of(kernels: Microkernels, plan: &Plan, operands: &Operands<'_>) -> Vec<Run> {
    let width = operands.extent.output[1];
    let kernel = operands.weight.kernel;
    let mut runs = Vec::new();
    for pass in &plan.passes {
        for row in 0..pass.grid[0] {
            let mut last: Option<Run> = None;
            for column in 0..pass.grid[1] {
                let output =
                    [0, 1].map(|axis| pass.first[axis] + [row, column][axis] * pass.step[axis]);
                let taps = pass.taps.iter().filter_map(|tap| {
                    let input = input(&plan.packing, operands.extent.input, tap, [row, column])?;
                    Some(TapOffset {
                        x: input * kernels.lanes,
                        w: tap.kernel[0] as isize * kernel[0] + tap.kernel[1] as isize * kernel[1],
                    })
                });
                let taps: Vec<TapOffset> = taps.collect();
                match &mut last {
                    Some(run) if run.is_continued_by(&taps, kernels.lanes) => run.positions += 1,
                    _ => {
                        runs.extend(last.replace(Run {
                            first: output[0] * width + output[1],
                            step: pass.step[1],
                            positions: 1,
                            taps,
                        }));
                    }
                }
            }
            runs.extend(last);
        }
    }
    runs
}

/// The element of an input plane that a tap reads at a position of the grid; none where it reads padding.
fn input(
    packing: &Packing,
    [height, width]: [usize; 2],
    tap: &Tap,
    [row, column]: [usize; 2],
) -> Option<usize> {
    let (phase, offset) = (tap.offset / packing.phase(), tap.offset % packing.phase());
    // Behind the end of a row lies the padding of the next one.
    let element = offset + row * packing.pitch + column;
    let at = [element / packing.pitch, element % packing.pitch];
    let phase = [phase / packing.phases[1], phase % packing.phases[1]];
    let [y, x] = [0, 1].map(|axis| {
        (at[axis] * packing.stride[axis] + phase[axis]).checked_sub(packing.before[axis])
    });
    let (y, x) = (y?, x?);
    (y < height && x < width).then_some(y * width + x)
}
