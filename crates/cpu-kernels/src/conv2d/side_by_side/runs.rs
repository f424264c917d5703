use super::super::microkernel::TapOffset;
use super::super::operands::Operands;
use super::super::plan::{Pass, Plan};

/// Outputs that sum the same taps of neighboring inputs.
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

/// [`Run::products`] of all runs together, before there are any.
pub(super) fn products(plan: &Plan, operands: &Operands<'_>) -> usize {
    let input = operands.geometry.input;
    let of_pass = |pass: &Pass| {
        let of_tap = pass.taps.iter().map(|tap| {
            let [rows, columns] = [0, 1].map(|axis: usize| {
                (0..pass.grid[axis])
                    .filter(|at| plan.packing.source(axis, tap, *at, input[axis]).is_some())
                    .count()
            });
            rows * columns
        });
        of_tap.sum::<usize>()
    };
    plan.passes.iter().map(of_pass).sum()
}

/// The runs that make up all outputs of a plane, for vectors of `lanes` images.
pub(super) fn of(lanes: usize, plan: &Plan, operands: &Operands<'_>) -> Vec<Run> {
    let [ih, iw] = operands.geometry.input;
    let ow = operands.geometry.output[1];
    let kernel = operands.weight.kernel;
    let mut runs = Vec::new();
    let mut taps = Vec::new();
    for pass in &plan.passes {
        for row in 0..pass.grid[0] {
            let first = (pass.first[0] + row * pass.step[0]) * ow + pass.first[1];
            let mut last: Option<Run> = None;
            for column in 0..pass.grid[1] {
                taps.clear();
                taps.extend(pass.taps.iter().filter_map(|tap| {
                    let y = plan.packing.source(0, tap, row, ih)?;
                    let x = plan.packing.source(1, tap, column, iw)?;
                    Some(TapOffset {
                        x: (y * iw + x) * lanes,
                        w: tap.kernel[0] as isize * kernel[0] + tap.kernel[1] as isize * kernel[1],
                    })
                }));
                match &mut last {
                    Some(run) if run.is_continued_by(&taps, lanes) => run.positions += 1,
                    _ => runs.extend(last.replace(Run {
                        first: first + column * pass.step[1],
                        step: pass.step[1],
                        positions: 1,
                        taps: taps.clone(),
                    })),
                }
            }
            runs.extend(last);
        }
    }
    runs
}
