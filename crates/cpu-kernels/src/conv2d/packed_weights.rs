use std::ops::Range;

use super::columns::{flat_positions, is_gathered};
use super::kernels_beside::KernelsBeside;
use super::microkernel::{MAX_LANES, Microkernels};
use super::operands::Operands;
use super::plan::{Packing, Pass, Plan};
use crate::scratch::Scratch;
use crate::threads::{self, Shared};

/// Fewer output channels do not pay for the copies of what they read.
const LEAST_OC: usize = 16;

/// What a pass must have for panels to pay.
struct Least {
    /// Products for each output.
    depth: usize,
    /// Blocks of positions of all images, each of which reads all weights once.
    blocks: usize,
    /// Blocks of positions of an image.
    blocks_of_image: usize,
}

impl Least {
    /// Tiles that the compiler keeps in the widest registers lose less where operands lie apart than those of other
    /// sets.
    fn of(kernels: Microkernels) -> Self {
        if kernels.lanes == MAX_LANES {
            Self {
                depth: 256,
                blocks: 16,
                blocks_of_image: 16,
            }
        } else {
            Self {
                depth: 32,
                blocks: 8,
                blocks_of_image: 1,
            }
        }
    }
}

/// Input channels whose kernels are brought side by side at a time.
const CHANNELS: usize = 32;

/// Cost of moving a weight, in vector multiply-adds.
const WEIGHT_COST: usize = 1;

/// Weights of the passes of a plan in the order in which tiles of panels read them:
/// `[pass, group, block of OC, IC, tap, OC]`, with zeros for channels that fill the last block.
pub(super) struct PackedWeights {
    values: Scratch,
    /// Those of each pass; none where it is not worth it.
    passes: Vec<Option<Range<usize>>>,
}

impl PackedWeights {
    /// Moves the weights of those passes that are faster so.
    pub fn new(kernels: Microkernels, plan: &Plan, operands: &Operands<'_>) -> Self {
        Self::of(kernels, plan, operands, |pass| {
            worthwhile(kernels, &plan.packing, pass, operands)
        })
    }

    /// Moves the weights of those passes that `moves` names.
    fn of(
        kernels: Microkernels,
        plan: &Plan,
        operands: &Operands<'_>,
        moves: impl Fn(&Pass) -> bool,
    ) -> Self {
        let Operands { groups, oc, ic, .. } = *operands;
        let oc_blocks = oc.div_ceil(kernels.oc);
        let mut count = 0;
        let ranges = plan.passes.iter().map(|pass| {
            // Without taps there is nothing to move.
            (!pass.taps.is_empty() && moves(pass)).then(|| {
                let first = count;
                count += groups * oc_blocks * ic * pass.taps.len() * kernels.oc;
                first..count
            })
        });
        let passes: Vec<_> = ranges.collect();
        let mut values = Scratch::new(count);
        if count > 0 {
            let shared = Shared::new(&mut values);
            let beside = KernelsBeside::new(operands, kernels.oc);
            let threads = threads::threads_for(count * WEIGHT_COST);
            threads::run(threads, groups * oc_blocks, |index| {
                let (group, oc_block) = (index / oc_blocks, index % oc_blocks);
                let first_oc = oc_block * kernels.oc;
                let mut places = Scratch::new(CHANNELS.min(ic) * beside.taps() * kernels.oc);
                for first in (0..ic).step_by(CHANNELS) {
                    let channels = first..ic.min(first + CHANNELS);
                    let kernel = beside.taps() * kernels.oc;
                    let places = &mut places[..channels.len() * kernel];
                    beside.fill(group, first_oc, channels.clone(), places);
                    for (pass, range) in plan.passes.iter().zip(&passes) {
                        let Some(range) = range else { continue };
                        let of_channel = pass.taps.len() * kernels.oc;
                        let start = range.start + (index * ic + first) * of_channel;
                        // SAFETY: the channels of a block belong to one task and lie inside the pass's weights.
                        let to = unsafe { shared.slice(start, channels.len() * of_channel) };
                        let taps = pass.taps.iter().map(|tap| beside.place(tap.kernel));
                        let taps: Vec<_> = taps.collect();
                        match kernels.oc {
                            8 => select::<8>(places, beside.taps(), &taps, to),
                            4 => select::<4>(places, beside.taps(), &taps, to),
                            other => unreachable!("no instruction set has tiles of {other} rows"),
                        }
                    }
                }
            });
        }
        Self { values, passes }
    }

    /// All weights stay where they lie.
    #[cfg(all(test, not(miri)))]
    pub fn none(plan: &Plan) -> Self {
        Self {
            values: Scratch::new(0),
            passes: vec![None; plan.passes.len()],
        }
    }

    /// The weights of a pass, if they were moved.
    pub fn pass(&self, index: usize) -> Option<&[f32]> {
        let range = self.passes[index].clone()?;
        Some(&self.values[range])
    }
}

/// Copies the weights of some taps of each kernel, `OC` side by side.
fn select<const OC: usize>(from: &[f32], taps: usize, places: &[usize], to: &mut [f32]) {
    let kernels = from.as_chunks::<OC>().0.chunks_exact(taps);
    let selected = to.as_chunks_mut::<OC>().0.chunks_exact_mut(places.len());
    for (kernel, selected) in kernels.zip(selected) {
        for (to, place) in selected.iter_mut().zip(places) {
            *to = kernel[*place];
        }
    }
}

/// Whether a pass is faster from panels. The sums are the same, in the same order.
fn worthwhile(
    kernels: Microkernels,
    packing: &Packing,
    pass: &Pass,
    operands: &Operands<'_>,
) -> bool {
    let panel = kernels.vectors * kernels.lanes;
    let of_image = flat_positions(packing, pass).div_ceil(panel);
    let blocks = if is_gathered(kernels, packing, pass, operands) {
        (operands.n * pass.grid[0] * pass.grid[1]).div_ceil(panel)
    } else {
        operands.n * of_image
    };
    let least = Least::of(kernels);
    operands.oc >= LEAST_OC
        && operands.ic * pass.taps.len() >= least.depth
        && blocks >= least.blocks
        && of_image >= least.blocks_of_image
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::super::correlate::correlate_packed;
    use super::super::fixture::{Case, Window};
    use super::{Microkernels, PackedWeights};

    /// The same sums in the same order.
    fn assert_panels_change_nothing(what: &str, case: &Case) {
        for (name, set) in Microkernels::available() {
            let in_place = case.run(|plan, operands, out| {
                correlate_packed(set, plan, operands, &PackedWeights::none(plan), out);
            });
            let panels = case.run(|plan, operands, out| {
                let all = PackedWeights::of(set, plan, operands, |_| true);
                correlate_packed(set, plan, operands, &all, out);
            });
            assert!(panels == in_place, "{name}: {what}");
        }
    }

    #[test]
    fn panels_change_nothing() {
        // Blocks of channels and of positions that end early, a panel that is taken in parts, planes small enough for a
        // column matrix, more than one block that share a panel, and groups.
        for shape in [
            [1, 1, 1, 1, 5, 5],
            [2, 1, 5, 9, 12, 31],
            [5, 1, 70, 41, 7, 6],
            [1, 1, 300, 8, 9, 40],
            [2, 3, 4, 6, 11, 9],
        ] {
            for (kernel, stride) in [([1, 1], 1), ([3, 3], 1), ([3, 3], 2), ([5, 2], 3)] {
                let window = Window {
                    stride: [stride; 2],
                    padding: [1, 0],
                };
                let what = format!("{shape:?}, kernel {kernel:?}, stride {stride}");
                assert_panels_change_nothing(&what, &Case::convolution(shape, kernel, window));
                let adjoint = Case::adjoint(shape, kernel, window, [0, 0]);
                assert_panels_change_nothing(&format!("adjoint, {what}"), &adjoint);
            }
        }
    }

    #[test]
    fn nor_do_they_without_factors_and_in_place() {
        let window = Window::padded([0, 0]);
        let case = Case::convolution([2, 1, 40, 17, 20, 20], [1, 1], window).bare();
        assert_panels_change_nothing("1x1", &case);
    }

    #[test]
    fn large_layers_are_worth_it() {
        let window = Window {
            stride: [2, 2],
            padding: [0, 0],
        };
        let case = Case::adjoint([1, 1, 256, 32, 32, 32], [3, 3], window, [0, 0]);
        case.run(|plan, operands, _| {
            for (set, kernels) in Microkernels::available() {
                let weights = PackedWeights::new(kernels, plan, operands);
                let mut passes = 0..plan.passes.len();
                assert!(passes.all(|pass| weights.pass(pass).is_some()), "{set}");
            }
        });
    }
}
