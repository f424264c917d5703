//! Sizes for tiles that read positions and weights in the order of their loop.

use super::winograd::LANES;

/// Output channels whose tiles share a part of a panel while it is in the first-level cache.
pub(super) const SHARED_OC: usize = 32;

/// Output channels of a panel of weights that has them side by side: those of the largest tile with AVX-512.
pub(super) const OC_PANEL: usize = 3 * LANES;

/// Blocks of positions that share a part of the weights while it is in the second-level cache: tiles that read weights
/// from the third reach seven tenths of the speed.
pub(super) const SHARED_BLOCKS: usize = 4;

/// Elements of a panel that stay in a first-level cache of 32 KiB beside the weights and sums that pass through it.
pub(super) const RESIDENT_PANEL: usize = 4 * 1024;

/// Elements of the panels that a task makes at a time: half of a 1 MiB second-level cache.
pub(super) const RESIDENT_PANELS: usize = 128 * 1024;
