use super::super::filters::Filters;
use super::super::matrices::{POINTS, TAPS, of_weights};
use crate::conv2d::kernels_beside::KernelsBeside;
use crate::conv2d::operands::Operands;
use crate::scratch::Scratch;
use crate::simd::{self, Kernel};
use crate::threads::{self, Shared};

/// Input channels whose kernels are brought side by side at a time.
const CHANNELS: usize = 16;

/// `G w` of every kernel column, `[point, group, block of OC, IC, column, OC]`, zeros for channels that fill the last
/// block.
pub(super) fn transformed(
    block: usize,
    kernel: &[[[usize; 2]; TAPS]; TAPS],
    operands: &Operands<'_>,
) -> Scratch {
    let Operands { groups, oc, ic, .. } = *operands;
    let oc_blocks = oc.div_ceil(block);
    let of_block = ic * TAPS * block;
    let of_point = groups * oc_blocks * of_block;
    let mut to = Scratch::new(POINTS * of_point);
    let shared = Shared::new(&mut to);
    let beside = KernelsBeside::new(operands, block);
    let work = groups * oc * ic * super::FILTER_COST;
    threads::run(threads::threads_for(work), groups * oc_blocks, |index| {
        let (group, oc_block) = (index / oc_blocks, index % oc_blocks);
        // SAFETY: each block belongs to one task and lies inside the part of its point.
        let to = std::array::from_fn(|point| unsafe {
            shared.slice(point * of_point + index * of_block, of_block)
        });
        let filters = Filters {
            beside: &beside,
            kernel,
            ic,
            group,
            first: oc_block * block,
        };
        match block {
            8 => simd::run(OcBlock::<8> { filters, to }),
            4 => simd::run(OcBlock::<4> { filters, to }),
            other => unreachable!("no instruction set has tiles of {other} rows"),
        }
    });
    to
}

/// The filters of `OC` output channels and all input channels of a group.
struct OcBlock<'a, const OC: usize> {
    filters: Filters<'a>,
    /// What belongs to the block for each point.
    to: [&'a mut [f32]; POINTS],
}

impl<const OC: usize> Kernel for OcBlock<'_, OC> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Self { filters, mut to } = self;
        let (places, ic) = (filters.places(), filters.ic);
        let mut kernels = [[0.0_f32; OC]; CHANNELS * TAPS * TAPS];
        for first_channel in (0..ic).step_by(CHANNELS) {
            let channels = first_channel..ic.min(first_channel + CHANNELS);
            let kernels = filters.of(channels.clone(), &mut kernels);
            for (i, kernel) in channels.zip(kernels) {
                for column in 0..TAPS {
                    let [a, b, c] = places;
                    let points =
                        of_weights(&kernel[a[column]], &kernel[b[column]], &kernel[c[column]]);
                    let at = (i * TAPS + column) * OC;
                    for (to, point) in to.iter_mut().zip(&points) {
                        to[at..][..OC].copy_from_slice(point);
                    }
                }
            }
        }
    }
}
