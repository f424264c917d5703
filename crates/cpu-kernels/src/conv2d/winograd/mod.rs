//! 3x3 correlations of stride 1 with fewer products: Winograd's F(4, 3), along one axis or along two.
//!
//! Four neighboring outputs read six inputs. Six sums of those, times six sums of the three weights, hold all that the
//! four outputs need, where the definition takes twelve products (Winograd 1980; Lavin and Gray, "Fast Algorithms for
//! Convolutional Neural Networks", CVPR 2016, section 4.3):
//!
//! ```text
//! y = A^T [(G w) * (B^T x)]
//! ```
//!
//! Along the vertical axis alone (`one_axis`) half of the products are left. Rows stay rows, tensors grow by 3/2 and
//! weights by 2. Along both (`two_axes`) a quarter is left, but images have to be transposed so that vectors hold their
//! channels, tensors grow by 9/4 and weights by 4. Layers of many channels and positions are worth that (`costs`).
//!
//! The largest rounding errors are up to 1.8 times those of the direct sum in both forms.

mod costs;
mod filters;
mod lanes;
mod matrices;
mod one_axis;
#[cfg(all(test, not(miri)))]
mod tests;
mod two_axes;

use super::plan::Plan;
pub(super) use lanes::LANES;
use matrices::TAPS;
pub(super) use one_axis::Bands;
pub(super) use two_axes::{SquareSums, Squares};

/// The kernel positions of a plan that is one 3x3 correlation of stride 1.
fn three_by_three(plan: &Plan) -> Option<[[[usize; 2]; TAPS]; TAPS]> {
    let [pass] = plan.passes.as_slice() else {
        return None;
    };
    let packing = &plan.packing;
    if packing.stride != [1, 1]
        || pass.step != [1, 1]
        || pass.first != [0, 0]
        || pass.taps.len() != TAPS * TAPS
    {
        return None;
    }
    let mut kernel = [[[0; 2]; TAPS]; TAPS];
    for tap in &pass.taps {
        // Nine different places in a square of nine fill it.
        *kernel.get_mut(tap.at[0])?.get_mut(tap.at[1])? = tap.kernel;
    }
    Some(kernel)
}
