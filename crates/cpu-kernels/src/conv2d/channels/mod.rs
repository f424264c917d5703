//! Correlations with all products and with the channels of an image side by side in vectors.
//!
//! Vectors along rows are filled badly where rows are short, and have to be spread over the output where a transposed
//! convolution writes every other position. Here a vector holds what some output channels have at one position, and a
//! tile has a few positions of a row. Operands and outputs are transposed for it. Sums are taken in the order of the
//! other correlations, so that this form may be chosen by the number of images.

mod products;
#[cfg(all(test, not(miri)))]
mod tests;
mod weights;

use std::mem::MaybeUninit;

use super::interleaved::{Interleaved, scale_lanes};
use super::microkernel::Microkernels;
use super::operands::Operands;
use super::plan::Plan;
use super::winograd::LANES;
use crate::scratch::Scratch;
use crate::threads::{self, Shared};
use products::Products;
use weights::Weights;

/// Elements of what an image takes and gives beyond which no copies are made: they are 52 MiB.
const MOST_ELEMENTS: usize = 13 << 20;

/// Fewer positions do not pay for the weights, which are moved for each call.
const LEAST_POSITIONS: usize = 512;

/// Shorter rows of a pass leave tiles of few positions, which wait for their own sums.
const LEAST_COLUMNS: usize = 16;

/// Most input channels for each position of a tile: tiles of fewer positions read the weights more often, and wait for
/// them where they do not stay in the first-level cache.
const MOST_CHANNELS: usize = 32;

/// A correlation with channels side by side.
pub(super) struct Channels;

impl Channels {
    /// For a correlation whose outputs are spread, and that is faster so. Others have no gain.
    pub fn worthwhile(kernels: Microkernels, plan: &Plan, operands: &Operands<'_>) -> Option<Self> {
        let Operands {
            n,
            ic,
            oc,
            geometry,
            ..
        } = *operands;
        // In a browser what it adds to the program is fetched before the first picture, and it was not measured there.
        if cfg!(target_family = "wasm") || ic.min(oc) < LANES || ic > MOST_CHANNELS * kernels.oc {
            return None;
        }
        let [ih, iw] = geometry.input;
        let [oh, ow] = geometry.output;
        let elements = operands.groups * (ic * ih * iw + oc * oh * ow);
        let each = plan.passes.iter().all(|pass| {
            let [rows, columns] = pass.grid;
            pass.step[1] > 1 && columns >= LEAST_COLUMNS && n * rows * columns >= LEAST_POSITIONS
        });
        (each && elements <= MOST_ELEMENTS).then_some(Self)
    }

    /// Writes all of `out`.
    pub fn correlate(
        &self,
        kernels: Microkernels,
        plan: &Plan,
        operands: &Operands<'_>,
        out: &mut [MaybeUninit<f32>],
    ) {
        let Operands { n, groups, .. } = *operands;
        let weights = Weights::new(plan, operands);
        let out = Shared::new(out);
        let out_image = operands.outputs() / n;
        let threads = threads::threads_of_whole_tasks(n);
        threads::run(threads, n, |image| {
            let operands = operands.image(image);
            let layout = Interleaved {
                lanes: LANES,
                channels: operands.ic,
                groups,
                n: 1,
                plane: plan.packing.plane(),
            };
            let mut x = Scratch::new(layout.elements());
            let size = operands.geometry.input;
            let packing = (!plan.packing.is_identity(size)).then_some((&plan.packing, size));
            layout.fill(operands.x, packing, &mut x);
            if let Some(scale) = operands.input_scale {
                let blocks = x.chunks_exact_mut(layout.plane * LANES).enumerate();
                for (index, values) in blocks {
                    let (group, block) = (index / layout.blocks(), index % layout.blocks());
                    let first = block * LANES;
                    let count = LANES.min(layout.channels - first);
                    scale_lanes(values, &scale[group * layout.channels + first..][..count]);
                }
            }
            for group in 0..groups {
                let of_group = x.len() / groups;
                Products {
                    kernels,
                    plan,
                    operands: &operands,
                    group,
                    x: &x[group * of_group..][..of_group],
                    weights: &weights,
                    // SAFETY: the image lies inside the output and belongs to one task.
                    out: unsafe { out.offset(image * out_image) },
                }
                .run();
            }
        });
    }
}
