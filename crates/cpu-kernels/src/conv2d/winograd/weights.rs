use super::super::operands::Operands;
use super::{POINTS, TAPS};
use crate::scratch::Scratch;
use crate::simd::{self, Kernel};
use crate::threads::{self, Shared};

/// `G w` of every kernel column, `[point, group, block of OC, IC, column, OC]`, zeros for channels that fill the last block.
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
    let work = groups * oc * ic * super::FILTER_COST;
    threads::run(threads::threads_for(work), groups * oc_blocks, |index| {
        let (group, oc_block) = (index / oc_blocks, index % oc_blocks);
        // SAFETY: each block belongs to one task and lies inside the part of its point.
        let to = std::array::from_fn(|point| unsafe {
            shared.slice(point * of_point + index * of_block, of_block)
        });
        let first = oc_block * block;
        match block {
            8 => simd::run(OcBlock::<8> {
                operands,
                kernel,
                group,
                first,
                to,
            }),
            4 => simd::run(OcBlock::<4> {
                operands,
                kernel,
                group,
                first,
                to,
            }),
            other => unreachable!("no instruction set has tiles of {other} rows"),
        }
    });
    to
}

/// The filters of `OC` output channels and all input channels of a group.
struct OcBlock<'a, const OC: usize> {
    operands: &'a Operands<'a>,
    kernel: &'a [[[usize; 2]; TAPS]; TAPS],
    group: usize,
    first: usize,
    /// What belongs to the block for each point.
    to: [&'a mut [f32]; POINTS],
}

impl<const OC: usize> Kernel for OcBlock<'_, OC> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Self {
            operands,
            kernel,
            group,
            first,
            mut to,
        } = self;
        let weight = operands.weight;
        let oc = OC.min(operands.oc - first);
        let begin =
            weight.offset as isize + group as isize * weight.group + first as isize * weight.oc;
        for i in 0..operands.ic {
            let begin = begin + i as isize * weight.ic;
            for column in 0..TAPS {
                let mut w = [[0.0_f32; OC]; TAPS];
                for (taps, w) in kernel.iter().zip(&mut w) {
                    let [y, x] = taps[column];
                    let begin =
                        begin + y as isize * weight.kernel[0] + x as isize * weight.kernel[1];
                    for (o, w) in w[..oc].iter_mut().enumerate() {
                        *w = weight.values[(begin + o as isize * weight.oc) as usize];
                    }
                }
                let at = (i * TAPS + column) * OC;
                let points = filters(&w);
                for (to, point) in to.iter_mut().zip(&points) {
                    to[at..][..OC].copy_from_slice(point);
                }
            }
        }
    }
}

/// `G w` of one kernel column of each filter.
#[inline(always)]
fn filters<const OC: usize>([a, b, c]: &[[f32; OC]; TAPS]) -> [[f32; OC]; POINTS] {
    let mut points = [[0.0; OC]; POINTS];
    for o in 0..OC {
        let (a, b, c) = (a[o], b[o], c[o]);
        let even = (a + c) * (1.0 / 6.0);
        let outer = a * (1.0 / 24.0) + c * (1.0 / 6.0);
        let (sixth, twelfth) = (b * (1.0 / 6.0), b * (1.0 / 12.0));
        points[0][o] = a * 0.25;
        points[1][o] = -even - sixth;
        points[2][o] = sixth - even;
        points[3][o] = outer + twelfth;
        points[4][o] = outer - twelfth;
        points[5][o] = c;
    }
    points
}
