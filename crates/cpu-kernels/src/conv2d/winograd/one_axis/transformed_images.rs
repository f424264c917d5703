use crate::scratch::Scratch;

/// Transformed images in the order in which tiles read them: `[group, block of positions, point, channel, position]`.
///
/// In the planes of an image the positions of a tile would lie a page apart from channel to channel. Here a tile reads
/// one piece of memory from front to back, and what a point has of some channels stays in the first-level cache for the
/// next output channels.
pub(super) struct Panels {
    pub values: Scratch,
    pub layout: Layout,
}

/// Sizes of [`Panels`].
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub blocks: usize,
    pub points: usize,
    pub ic: usize,
    /// Elements of one channel: the positions of a block, and what tiles read behind them.
    pub line: usize,
}

impl Layout {
    /// Elements from one point to the next.
    pub fn of_point(self) -> usize {
        self.ic * self.line
    }

    /// Elements from one block to the next.
    pub fn of_block(self) -> usize {
        self.points * self.of_point()
    }

    /// Elements of one group.
    pub fn of_group(self) -> usize {
        self.blocks * self.of_block()
    }
}

impl Panels {
    /// The lines of all channels, of one point in a block of positions.
    pub fn lines(&self, group: usize, block: usize, point: usize) -> &[f32] {
        let Layout { ic, line, .. } = self.layout;
        let first = group * self.layout.of_group()
            + block * self.layout.of_block()
            + point * self.layout.of_point();
        &self.values[first..][..ic * line]
    }
}
