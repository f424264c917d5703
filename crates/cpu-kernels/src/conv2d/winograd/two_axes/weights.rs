use std::ops::Range;

use super::super::filters::Filters;
use super::super::lanes::LANES;
use super::super::matrices::{POINTS as SIDE, TAPS, of_weights};
use super::{GAP, POINTS};
use crate::conv2d::kernels_beside::KernelsBeside;
use crate::conv2d::operands::Operands;
use crate::conv2d::panels::OC_PANEL;
use crate::scratch::Scratch;
use crate::simd::{self, Kernel};
use crate::threads::{self, Shared};

/// Input channels whose kernels are brought side by side at a time.
const CHANNELS: usize = 32;

/// Input channels of a task.
const CHANNELS_OF_TASK: usize = 128;

/// Cost of transforming a vector of filters, in vector multiply-adds.
const FILTER_COST: usize = 150;

/// `G w G^T` of some groups, in some panels of output channels: `[group, panel, point, IC, OC]`, and a gap behind each
/// point. Zeros are behind the last channels, so that both are whole vectors.
pub(super) struct Weights {
    values: Scratch,
    layout: Layout,
}

/// Where the points of a panel lie.
struct Layout {
    groups: Range<usize>,
    panels: Range<usize>,
    /// Input channels, to the end of the last vector.
    ic: usize,
    /// Output channels of a group, to the end of the last vector.
    oc: usize,
}

impl Layout {
    /// Output channels of a panel: whole vectors.
    fn width(&self, panel: usize) -> usize {
        OC_PANEL.min(self.oc - panel * OC_PANEL)
    }

    fn first(&self, group: usize, panel: usize, point: usize) -> usize {
        let before = (panel - self.panels.start) * POINTS * (self.ic * OC_PANEL + GAP);
        (group - self.groups.start) * self.of_group()
            + before
            + point * (self.ic * self.width(panel) + GAP)
    }

    fn of_group(&self) -> usize {
        let oc = (self.panels.end * OC_PANEL).min(self.oc) - self.panels.start * OC_PANEL;
        POINTS * (self.ic * oc + GAP * self.panels.len())
    }
}

impl Weights {
    pub fn new(
        kernel: &[[[usize; 2]; TAPS]; TAPS],
        operands: &Operands<'_>,
        groups: Range<usize>,
        panels: Range<usize>,
    ) -> Self {
        let [ic, oc] = [operands.ic, operands.oc].map(|channels| channels.next_multiple_of(LANES));
        let vectors =
            panels.start * (OC_PANEL / LANES)..(panels.end * (OC_PANEL / LANES)).min(oc / LANES);
        let count = groups.len() * vectors.len();
        let layout = Layout {
            groups,
            panels,
            ic,
            oc,
        };
        let mut values = Scratch::new(layout.groups.len() * layout.of_group());
        let shared = Shared::new(&mut values);
        let beside = KernelsBeside::new(operands, LANES);
        let threads = threads::threads_for(count * ic * FILTER_COST);
        let pieces = ic.div_ceil(CHANNELS_OF_TASK);
        threads::run(threads, count * pieces, |task| {
            let (index, piece) = (task / pieces, task % pieces);
            let group = layout.groups.start + index / vectors.len();
            let first = (vectors.start + index % vectors.len()) * LANES;
            let panel = first / OC_PANEL;
            let width = layout.width(panel);
            let at = layout.first(group, panel, 0) + first % OC_PANEL;
            simd::run(Vectors {
                filters: Filters {
                    beside: &beside,
                    kernel,
                    ic: operands.ic,
                    group,
                    first,
                },
                channels: piece * CHANNELS_OF_TASK..((piece + 1) * CHANNELS_OF_TASK).min(ic),
                width,
                of_point: ic * width + GAP,
                // SAFETY: inside the weights; a task writes its own channels only.
                to: unsafe { shared.offset(at) },
            });
        });
        Self { values, layout }
    }

    pub fn panels(&self) -> Range<usize> {
        self.layout.panels.clone()
    }

    /// Output channels of a panel: whole vectors.
    pub fn width(&self, panel: usize) -> usize {
        self.layout.width(panel)
    }

    /// Those of a point, `[IC, OC]`.
    pub fn of(&self, group: usize, panel: usize, point: usize) -> &[f32] {
        let first = self.layout.first(group, panel, point);
        &self.values[first..][..self.layout.ic * self.width(panel)]
    }
}

/// The filters of a vector of output channels and some input channels.
struct Vectors<'a> {
    filters: Filters<'a>,
    /// Input channels, those behind the last among them.
    channels: Range<usize>,
    /// Output channels of the panel.
    width: usize,
    of_point: usize,
    /// `[point, IC, OC]`, at the first of the output channels.
    to: Shared<f32>,
}

impl Vectors<'_> {
    #[inline(always)]
    fn store(&self, point: usize, channel: usize, values: &[f32; LANES]) {
        let first = point * self.of_point + channel * self.width;
        // SAFETY: a vector of the panel that belongs to this task.
        let to = unsafe { self.to.slice(first, LANES) };
        to.copy_from_slice(values);
    }
}

impl Kernel for Vectors<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let filters = self.filters;
        let (places, ic) = (filters.places(), filters.ic);
        let mut kernels = [[0.0_f32; LANES]; CHANNELS * TAPS * TAPS];
        let mut columns = [[[0.0; LANES]; SIDE]; TAPS];
        let end = self.channels.end.min(ic);
        for first_channel in (self.channels.start..end).step_by(CHANNELS) {
            let channels = first_channel..end.min(first_channel + CHANNELS);
            let kernels = filters.of(channels.clone(), &mut kernels);
            for (channel, kernel) in channels.zip(kernels) {
                for (x, column) in columns.iter_mut().enumerate() {
                    let [a, b, c] = places;
                    *column = of_weights(&kernel[a[x]], &kernel[b[x]], &kernel[c[x]]);
                }
                let [a, b, c] = &columns;
                for y in 0..SIDE {
                    for (x, point) in of_weights(&a[y], &b[y], &c[y]).iter().enumerate() {
                        self.store(y * SIDE + x, channel, point);
                    }
                }
            }
        }
        for channel in ic.max(self.channels.start)..self.channels.end {
            for point in 0..POINTS {
                self.store(point, channel, &[0.0; LANES]);
            }
        }
    }
}
