use std::ops::Range;

use super::matrices::TAPS;
use crate::conv2d::kernels_beside::KernelsBeside;

/// Taps of a filter.
const ALL: usize = TAPS * TAPS;

/// The filters of a block of output channels and all input channels of a group.
#[derive(Clone, Copy)]
pub(super) struct Filters<'a> {
    pub beside: &'a KernelsBeside<'a>,
    /// Which weight the tap at a row and column has.
    pub kernel: &'a [[[usize; 2]; TAPS]; TAPS],
    pub ic: usize,
    pub group: usize,
    /// The first output channel.
    pub first: usize,
}

impl Filters<'_> {
    /// Where the tap at a row and column stands among those of a filter that [`Self::of`] gives.
    pub fn places(self) -> [[usize; TAPS]; TAPS] {
        self.kernel
            .map(|taps| taps.map(|tap| self.beside.place(tap)))
    }

    /// The filters of some input channels, whose taps are those of `OC` output channels side by side. `buffer` has room
    /// for them.
    #[inline(always)]
    pub fn of<const OC: usize>(
        self,
        channels: Range<usize>,
        buffer: &mut [[f32; OC]],
    ) -> &[[[f32; OC]; ALL]] {
        let kernels = &mut buffer[..channels.len() * ALL];
        self.beside
            .fill(self.group, self.first, channels, kernels.as_flattened_mut());
        kernels.as_chunks().0
    }
}
