//! 3x3 correlations of stride 1 with half of the products: Winograd's F(4, 3) along the vertical axis.
//!
//! Four neighboring outputs read six inputs. Six sums of those, times six sums of the three weights, hold all that the four outputs need, where
//! the definition takes twelve products (Winograd 1980; Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016,
//! section 4.3):
//!
//! ```text
//! y = A^T [(G w) * (B^T x)]
//! ```
//!
//! The horizontal axis stays a direct correlation with three taps (`one_axis`). In two dimensions a quarter of the products would be left, but
//! positions would have to be taken apart by fours and put together again, tensors would grow by 9/4 and weights by 4 rather than by 3/2
//! and 2. Here rows stay rows: the register tiles are those of every other correlation.

mod lanes;
mod matrices;
mod one_axis;
#[cfg(all(test, not(miri)))]
mod tests;

use super::plan::Plan;
use matrices::TAPS;
pub(super) use one_axis::Bands;

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
