use std::ops::Range;

use super::super::filters::Filters;
use super::super::matrices::{POINTS as SIDE, TAPS, of_weights};
use super::{GAP, POINTS};
use crate::conv2d::kernels_beside::KernelsBeside;
use crate::conv2d::microkernel::Microkernels;
use crate::conv2d::operands::Operands;
use crate::scratch::Scratch;
use crate::simd::{self, Kernel};
use crate::threads::{self, Shared};

/// Input channels whose kernels are brought side by side at a time.
const CHANNELS: usize = 32;

/// Cost of transforming one filter, in vector multiply-adds.
const FILTER_COST: usize = 32;

/// `G w G^T` of some output channels' filters.
pub(super) struct Weights {
    /// `[group, block of OC, point, IC, OC]`, zeros for channels that fill the last block.
    values: Scratch,
    pub oc_blocks: Range<usize>,
    /// Elements of a point of a block, without the gap behind them.
    of_point: usize,
}

impl Weights {
    pub fn new(
        kernels: Microkernels,
        kernel: &[[[usize; 2]; TAPS]; TAPS],
        operands: &Operands<'_>,
        oc_blocks: Range<usize>,
    ) -> Self {
        let Operands { groups, ic, .. } = *operands;
        let block = kernels.oc;
        let of_point = ic * block;
        let of_block = POINTS * (of_point + GAP);
        let count = groups * oc_blocks.len();
        let mut values = Scratch::new(count * of_block);
        let shared = Shared::new(&mut values);
        let beside = KernelsBeside::new(operands, block);
        let threads = threads::threads_for(count * block * ic * FILTER_COST);
        threads::run(threads, count, |index| {
            let (group, oc_block) = (index / oc_blocks.len(), index % oc_blocks.len());
            // SAFETY: each block belongs to one task and lies inside the weights.
            let to = unsafe { shared.slice(index * of_block, of_block) };
            let filters = Filters {
                beside: &beside,
                kernel,
                ic,
                group,
                first: (oc_blocks.start + oc_block) * block,
            };
            match block {
                8 => simd::run(OcBlock::<8> { filters, to }),
                4 => simd::run(OcBlock::<4> { filters, to }),
                other => unreachable!("no instruction set has tiles of {other} rows"),
            }
        });
        Self {
            values,
            oc_blocks,
            of_point,
        }
    }

    /// Those of a point, `[IC, OC]`.
    pub fn of(&self, group: usize, oc_block: usize, point: usize) -> &[f32] {
        let block = group * self.oc_blocks.len() + oc_block - self.oc_blocks.start;
        &self.values[(block * POINTS + point) * (self.of_point + GAP)..][..self.of_point]
    }
}

/// The filters of `OC` output channels and all input channels of a group.
struct OcBlock<'a, const OC: usize> {
    filters: Filters<'a>,
    /// `[point, IC, OC]`.
    to: &'a mut [f32],
}

impl<const OC: usize> Kernel for OcBlock<'_, OC> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Self { filters, to } = self;
        let (places, ic) = (filters.places(), filters.ic);
        let mut kernels = [[0.0_f32; OC]; CHANNELS * TAPS * TAPS];
        let mut columns = [[[0.0; OC]; SIDE]; TAPS];
        for first_channel in (0..ic).step_by(CHANNELS) {
            let channels = first_channel..ic.min(first_channel + CHANNELS);
            let kernels = filters.of(channels.clone(), &mut kernels);
            for (channel, kernel) in channels.zip(kernels) {
                for (x, column) in columns.iter_mut().enumerate() {
                    let [a, b, c] = places;
                    *column = of_weights(&kernel[a[x]], &kernel[b[x]], &kernel[c[x]]);
                }
                let [a, b, c] = &columns;
                for y in 0..SIDE {
                    for (x, point) in of_weights(&a[y], &b[y], &c[y]).iter().enumerate() {
                        let first = (y * SIDE + x) * (ic * OC + GAP) + channel * OC;
                        to[first..][..OC].copy_from_slice(point);
                    }
                }
            }
        }
    }
}
