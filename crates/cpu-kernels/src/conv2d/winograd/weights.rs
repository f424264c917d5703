use super::super::operands::Operands;
use super::{POINTS, TAPS};
use crate::scratch::Scratch;
use crate::simd::{self, Kernel};
use crate::threads::{self, Shared};

/// `G w` of every kernel column, `[point, group, row block, channel, column, row]`, zeros for rows that fill the last block.
pub(super) fn transformed(
    block: usize,
    kernel: &[[[usize; 2]; TAPS]; TAPS],
    operands: &Operands<'_>,
) -> Scratch {
    let Operands {
        groups,
        rows,
        channels,
        ..
    } = *operands;
    let row_blocks = rows.div_ceil(block);
    let of_block = channels * TAPS * block;
    let of_point = groups * row_blocks * of_block;
    let mut to = Scratch::new(POINTS * of_point);
    let shared = Shared::new(&mut to);
    let work = groups * rows * channels * super::FILTER_COST;
    threads::run(threads::threads_for(work), groups * row_blocks, |index| {
        let (group, row_block) = (index / row_blocks, index % row_blocks);
        // SAFETY: each block belongs to one task and lies inside the part of its point.
        let to = std::array::from_fn(|point| unsafe {
            shared.slice(point * of_point + index * of_block, of_block)
        });
        let first = row_block * block;
        match block {
            8 => simd::run(RowBlock::<8> {
                operands,
                kernel,
                group,
                first,
                to,
            }),
            4 => simd::run(RowBlock::<4> {
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

/// The filters of `ROWS` output channels and all input channels of a group.
struct RowBlock<'a, const ROWS: usize> {
    operands: &'a Operands<'a>,
    kernel: &'a [[[usize; 2]; TAPS]; TAPS],
    group: usize,
    first: usize,
    /// What belongs to the block for each point.
    to: [&'a mut [f32]; POINTS],
}

impl<const ROWS: usize> Kernel for RowBlock<'_, ROWS> {
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
        let rows = ROWS.min(operands.rows - first);
        let begin =
            weight.offset as isize + group as isize * weight.group + first as isize * weight.row;
        for channel in 0..operands.channels {
            let begin = begin + channel as isize * weight.channel;
            for column in 0..TAPS {
                let mut w = [[0.0_f32; ROWS]; TAPS];
                for (taps, w) in kernel.iter().zip(&mut w) {
                    let [y, x] = taps[column];
                    let begin =
                        begin + y as isize * weight.kernel[0] + x as isize * weight.kernel[1];
                    for (row, w) in w[..rows].iter_mut().enumerate() {
                        *w = weight.values[(begin + row as isize * weight.row) as usize];
                    }
                }
                let at = (channel * TAPS + column) * ROWS;
                let points = filters(&w);
                for (to, point) in to.iter_mut().zip(&points) {
                    to[at..][..ROWS].copy_from_slice(point);
                }
            }
        }
    }
}

/// `G w` of one kernel column of each filter.
#[inline(always)]
fn filters<const ROWS: usize>([a, b, c]: &[[f32; ROWS]; TAPS]) -> [[f32; ROWS]; POINTS] {
    let mut points = [[0.0; ROWS]; POINTS];
    for row in 0..ROWS {
        let (a, b, c) = (a[row], b[row], c[row]);
        let even = (a + c) * (1.0 / 6.0);
        let outer = a * (1.0 / 24.0) + c * (1.0 / 6.0);
        let (sixth, twelfth) = (b * (1.0 / 6.0), b * (1.0 / 12.0));
        points[0][row] = a * 0.25;
        points[1][row] = -even - sixth;
        points[2][row] = sixth - even;
        points[3][row] = outer + twelfth;
        points[4][row] = outer - twelfth;
        points[5][row] = c;
    }
    points
}
