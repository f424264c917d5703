use std::ops::Range;

use crate::conv2d::kernels_beside::KernelsBeside;
use crate::conv2d::microkernel::MAX_LANES;
use crate::conv2d::operands::Operands;
use crate::conv2d::panels::OC_PANEL;
use crate::conv2d::plan::Plan;
use crate::conv2d::winograd::LANES;
use crate::scratch::Scratch;
use crate::threads::{self, Shared};

/// Input channels whose kernels are brought side by side at a time.
const CHANNELS: usize = 16;

/// Weights in panels of a few vectors of output channels: `[group, panel, pass, IC, tap, OC]`. Zeros are behind the last
/// channels, so that both are whole vectors.
pub(super) struct Weights {
    values: Scratch,
    /// Taps of the passes before each pass, and of all.
    taps: Vec<usize>,
    /// Input channels, and output channels of a group, to the ends of the last vectors.
    ic: usize,
    oc: usize,
}

impl Weights {
    pub fn new(plan: &Plan, operands: &Operands<'_>) -> Self {
        let [ic, oc] = [operands.ic, operands.oc].map(|channels| channels.next_multiple_of(LANES));
        let mut taps = vec![0];
        for pass in &plan.passes {
            taps.push(taps[taps.len() - 1] + pass.taps.len());
        }
        let groups = operands.groups;
        let all = taps[plan.passes.len()];
        let mut weights = Self {
            values: Scratch::new(groups * ic * oc * all),
            taps,
            ic,
            oc,
        };
        let mut values = std::mem::replace(&mut weights.values, Scratch::new(0));
        let shared = Shared::new(&mut values);
        let beside = KernelsBeside::new(operands, LANES);
        let (blocks, pieces) = (oc / LANES, ic.div_ceil(CHANNELS));
        let threads = threads::threads_for(groups * ic * oc * all / MAX_LANES);
        threads::run(threads, groups * blocks * pieces, |task| {
            let (block, piece) = (task / pieces, task % pieces);
            let piece = Piece {
                group: block / blocks,
                first_oc: block % blocks * LANES,
                channels: piece * CHANNELS..ic.min((piece + 1) * CHANNELS),
            };
            // SAFETY: a vector of output channels and some input channels belong to one task.
            unsafe { weights.fill(plan, operands.ic, &beside, &piece, shared) };
        });
        weights.values = values;
        weights
    }

    /// # Safety
    /// `to` has room for all weights, and no other task touches these.
    unsafe fn fill(
        &self,
        plan: &Plan,
        ic: usize,
        beside: &KernelsBeside<'_>,
        piece: &Piece,
        to: Shared<f32>,
    ) {
        let Piece {
            group,
            first_oc,
            channels,
        } = piece;
        let panel = first_oc / OC_PANEL;
        let width = self.width(panel);
        let there = channels.start..channels.end.min(ic);
        let of_kernel = beside.taps() * LANES;
        let mut kernels = Scratch::new(there.len() * of_kernel);
        beside.fill(*group, *first_oc, there.clone(), &mut kernels);
        for (index, pass) in plan.passes.iter().enumerate() {
            let at = self.first(*group, panel, index) + first_oc % OC_PANEL;
            for channel in channels.clone() {
                for (tap_index, tap) in pass.taps.iter().enumerate() {
                    let at = at + (channel * pass.taps.len() + tap_index) * width;
                    // SAFETY: the caller's promise.
                    let to = unsafe { to.slice(at, LANES) };
                    if channel < there.end {
                        let from = (channel - there.start) * of_kernel;
                        let from = from + beside.place(tap.kernel) * LANES;
                        to.copy_from_slice(&kernels[from..][..LANES]);
                    } else {
                        to.fill(0.0);
                    }
                }
            }
        }
    }

    pub fn panels(&self) -> usize {
        self.oc.div_ceil(OC_PANEL)
    }

    /// Output channels of a panel: whole vectors.
    pub fn width(&self, panel: usize) -> usize {
        OC_PANEL.min(self.oc - panel * OC_PANEL)
    }

    /// Those of a pass, `[IC, tap, OC]`.
    pub fn of(&self, group: usize, panel: usize, pass: usize) -> &[f32] {
        let taps = self.taps[pass + 1] - self.taps[pass];
        &self.values[self.first(group, panel, pass)..][..self.ic * taps * self.width(panel)]
    }

    fn first(&self, group: usize, panel: usize, pass: usize) -> usize {
        let all = self.taps[self.taps.len() - 1];
        self.ic
            * (group * self.oc * all + panel * OC_PANEL * all + self.taps[pass] * self.width(panel))
    }
}

/// A vector of output channels and some input channels of a group, of which those behind the last are zeros.
struct Piece {
    group: usize,
    first_oc: usize,
    channels: Range<usize>,
}
