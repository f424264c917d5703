use std::ops::Range;

use super::microkernel::{MAX_LANES, MAX_VECTORS, Microkernels};

/// Positions of the largest tile.
pub(super) const MAX_POSITIONS: usize = MAX_LANES * MAX_VECTORS;

/// Where the positions of a pass lie on the flat axis, and where their sums go.
pub(super) struct Positions {
    /// Positions, gaps between rows included.
    pub count: usize,
    /// Positions of one image.
    pub image: usize,
    /// Positions from one row to the next.
    pub pitch: usize,
    /// Positions of a row that are outputs.
    pub columns: usize,
    /// Output elements from one image, row, column to the next.
    pub out_image: usize,
    pub out_row: usize,
    pub out_column: usize,
    /// Output element of the first position.
    pub out_first: usize,
}

/// Neighboring positions of a tile whose outputs are evenly spaced.
#[derive(Clone, Copy, Default)]
pub(super) struct Segment {
    pub position: usize,
    pub length: usize,
    pub image: usize,
    pub out: usize,
}

/// The positions of one register tile.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub positions: Range<usize>,
    pub vectors: usize,
    /// Elements of a row of the tile: whole vectors.
    pub width: usize,
}

impl Block {
    /// Where the tile starts if no vector of it is to reach behind the last of `count` positions: the last block moves
    /// back, and stores only what is new.
    pub fn moved_back(&self, count: usize) -> usize {
        self.positions.start.min(count.saturating_sub(self.width))
    }
}

impl Positions {
    /// One of the blocks that tiles of these kernels cut the positions into.
    pub fn block(&self, kernels: Microkernels, index: usize) -> Block {
        let most = kernels.vectors * kernels.lanes;
        let begin = index * most;
        let end = (begin + most).min(self.count);
        let vectors = (end - begin).div_ceil(kernels.lanes);
        Block {
            positions: begin..end,
            vectors,
            width: vectors * kernels.lanes,
        }
    }

    /// Segments of some positions; the buffer has room for one for each.
    pub fn segments<'a>(
        &self,
        Range { start, end }: Range<usize>,
        buffer: &'a mut [Segment; MAX_POSITIONS],
    ) -> &'a [Segment] {
        let mut count = 0;
        let mut position = start;
        while position < end {
            let (image, within) = (position / self.image, position % self.image);
            let (row, column) = (within / self.pitch, within % self.pitch);
            if column < self.columns {
                let length = (self.columns - column).min(end - position);
                buffer[count] = Segment {
                    position: position - start,
                    length,
                    image,
                    out: self.out_first
                        + image * self.out_image
                        + row * self.out_row
                        + column * self.out_column,
                };
                count += 1;
                position += length;
            } else {
                position += self.pitch - column;
            }
        }
        &buffer[..count]
    }
}
