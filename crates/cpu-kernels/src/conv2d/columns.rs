//! Column matrices for planes so small that the gaps between their rows would fill most of a vector.

use super::microkernel::{MAX_LANES, Microkernels, TapOffset};
use super::operands::Operands;
use super::pack::GATHER_COST;
use super::plan::{Packing, Pass};
use super::positions::{MAX_POSITIONS, Positions, Segment};
use crate::scratch::Scratch;
use crate::threads::{self, Shared};

/// A column matrix must save at least one vector in so many: it is as many times larger than the input as there are
/// taps.
const LEAST_SAVING: usize = 5;

/// Positions from the first to the last of a pass, gaps between rows included.
pub(super) fn flat_positions(packing: &Packing, pass: &Pass) -> usize {
    (pass.grid[0] - 1) * packing.pitch + pass.grid[1]
}

/// Cost of a pass over all images for each input channel, in vector multiply-adds, with that of its column matrix.
pub(super) fn cost(
    kernels: Microkernels,
    packing: &Packing,
    pass: &Pass,
    operands: &Operands<'_>,
) -> usize {
    let taps = pass.taps.len();
    if is_gathered(kernels, packing, pass, operands) {
        let dense = operands.n * pass.grid[0] * pass.grid[1];
        (operands.oc + GATHER_COST) * taps * dense.div_ceil(kernels.lanes)
    } else {
        let of_image = flat_positions(packing, pass).div_ceil(kernels.lanes);
        operands.oc * taps * operands.n * of_image
    }
}

/// Whether a pass reads a column matrix rather than the packed planes.
pub(super) fn is_gathered(
    kernels: Microkernels,
    packing: &Packing,
    pass: &Pass,
    operands: &Operands<'_>,
) -> bool {
    let flat_vectors = operands.n * flat_positions(packing, pass).div_ceil(kernels.lanes);
    let dense = pass.grid[0] * pass.grid[1];
    let dense_vectors = (operands.n * dense).div_ceil(kernels.lanes);
    let saved = flat_vectors - dense_vectors;
    !pass.taps.is_empty()
        && operands.oc * saved > GATHER_COST * dense_vectors
        && saved * LEAST_SAVING >= dense_vectors
}

/// The column matrix of a pass in panels of one tile's positions, `[panel, channel, tap, position]`.
///
/// Worth its cost where images are so small that the gaps between their rows would fill most of a vector. In panels a
/// tile reads one piece of memory from front to back; rows of all positions would lie a page apart.
pub(super) fn gather(
    source: &Positions,
    panel: usize,
    packed: &[f32],
    plane: usize,
    planes: usize,
    taps: &[TapOffset],
) -> Scratch {
    let panels = source.count.div_ceil(panel);
    let panel_elements = planes * taps.len() * panel;
    let mut columns = Scratch::new(panels * panel_elements);
    let threads = threads::threads_for(columns.len() / MAX_LANES * GATHER_COST);
    let shared = Shared::new(&mut columns);
    threads::run(threads, panels, |index| {
        // SAFETY: each panel belongs to one task and lies inside the matrix.
        let lines = unsafe { shared.slice(index * panel_elements, panel_elements) };
        let begin = index * panel;
        let end = (begin + panel).min(source.count);
        let mut buffer = [Segment::default(); MAX_POSITIONS];
        let segments = source.segments(begin..end, &mut buffer);
        for (line_index, line) in lines.chunks_exact_mut(panel).enumerate() {
            let (channel, tap) = (line_index / taps.len(), line_index % taps.len());
            let from = &packed[channel * plane + taps[tap].x..];
            for segment in segments {
                let to = &mut line[segment.position..][..segment.length];
                // A loop, because a call to copy a few elements costs more than they do.
                for (to, from) in to.iter_mut().zip(&from[segment.out..][..segment.length]) {
                    *to = *from;
                }
            }
            line[end - begin..].fill(0.0);
        }
    });
    columns
}
