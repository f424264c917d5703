//! What the forms cost, in vector multiply-adds for a group of an image: they choose between each other by it.

use super::lanes::LANES;
use super::matrices::{POINTS, TAPS};
use crate::conv2d::microkernel::Microkernels;
use crate::conv2d::operands::Operands;
use crate::conv2d::weight_gradient::WeightGradient;

/// Cost of a vector of one point of a plane along one axis, in vectors of products, for its transform and for its way
/// through the caches.
const VECTOR_ALONG_ONE: usize = 10;
/// The same along two axes.
const VECTOR_ALONG_TWO: usize = 30;

/// Cost of a filter that is transformed along one axis, in multiply-adds: mostly that of the memory which it takes.
const FILTER_ALONG_ONE: usize = 480;
/// The same along two axes.
const FILTER_ALONG_TWO: usize = 800;

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

/// Along two axes, with so many vectors of squares.
pub(super) fn along_two_axes(
    kernels: Microkernels,
    vectors: usize,
    operands: &Operands<'_>,
) -> usize {
    let Operands { ic, oc, .. } = *operands;
    let products = POINTS * POINTS * vectors * (ic * oc + VECTOR_ALONG_TWO * (ic + oc));
    products + FILTER_ALONG_TWO / kernels.lanes * ic * oc
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
