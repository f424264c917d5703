//! What the forms cost, in vector multiply-adds: they choose between each other by it. A correlation is counted for a
//! group of an image, a gradient for all of them.

use super::lanes::LANES;
use super::matrices::{POINTS, TAPS};
use crate::conv2d::columns::flat_positions;
use crate::conv2d::microkernel::Microkernels;
use crate::conv2d::operands::Operands;
use crate::conv2d::plan::Plan;
use crate::conv2d::weight_gradient::WeightGradient;

/// Cost of a vector of one point of a plane along one axis, in vectors of products, for its transform and for its way
/// through the caches.
const VECTOR_ALONG_ONE: usize = 10;
/// Cost of a vector of channels at one point along two axes, for its transform and for the way from a plane or to it.
const VECTOR_ALONG_TWO: usize = 26;

/// Cost of a filter that is transformed along one axis, in multiply-adds: mostly that of the memory which it takes.
const FILTER_ALONG_ONE: usize = 480;
/// Cost of a vector of filters that are transformed along two axes.
const FILTERS_ALONG_TWO: usize = 300;

/// Along one axis, with so many vectors of positions.
pub(super) fn along_one_axis(
    kernels: Microkernels,
    vectors: usize,
    operands: &Operands<'_>,
) -> usize {
    let Operands { ic, oc, .. } = *operands;
    let products = POINTS * TAPS * vectors * (ic * oc + VECTOR_ALONG_ONE * (ic + oc));
    products + FILTER_ALONG_ONE / kernels.lanes * ic * oc
}

/// Along two axes, with so many squares.
pub(super) fn along_two_axes(
    kernels: Microkernels,
    squares: usize,
    operands: &Operands<'_>,
) -> usize {
    let [ic, oc] = [operands.ic, operands.oc].map(|channels| channels.next_multiple_of(LANES));
    let vectors = (ic + oc) / kernels.lanes;
    let filters = ic * oc / kernels.lanes;
    let of_square = filters + VECTOR_ALONG_TWO * vectors;
    POINTS * POINTS * squares * of_square + FILTERS_ALONG_TWO * filters
}

/// With all products.
pub(super) fn with_all_products(
    kernels: Microkernels,
    plan: &Plan,
    operands: &Operands<'_>,
) -> usize {
    let passes = plan.passes.iter().map(|pass| {
        let vectors = flat_positions(&plan.packing, pass).div_ceil(kernels.lanes);
        vectors * pass.taps.len()
    });
    passes.sum::<usize>() * operands.ic * operands.oc
}

/// Cost of a vector of a point in a weight gradient, as for [`VECTOR_ALONG_ONE`].
const VECTOR_OF_GRADIENT: usize = 12;

/// Cost of the way from the points of a vector of weights to their taps, in vector multiply-adds.
const TAPS_OF_GRADIENT: usize = 200;

/// A weight gradient with all products.
pub(super) fn weight_gradient(kernels: Microkernels, input: &WeightGradient<'_>) -> usize {
    let [oh, ow] = input.geometry.output;
    let vectors = input.ic.div_ceil(kernels.lanes);
    input.groups * TAPS * TAPS * input.n * oh * ow * vectors * input.oc
}

/// A weight gradient in so many squares.
pub(super) fn weight_gradient_in_squares(
    kernels: Microkernels,
    input: &WeightGradient<'_>,
    squares: usize,
) -> usize {
    let vectors = input.ic.div_ceil(kernels.lanes) * input.oc;
    let blocks = input.ic.div_ceil(LANES) + input.oc.div_ceil(LANES);
    let of_point = vectors + VECTOR_OF_GRADIENT * blocks * LANES / kernels.lanes;
    input.groups * (POINTS * POINTS * squares * of_point + TAPS_OF_GRADIENT * vectors)
}
