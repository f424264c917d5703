use std::ops::Range;

use super::Squares;
use crate::conv2d::microkernel::Microkernels;

/// Positions that are written at a time: lines of panels are whole numbers of so many.
pub(super) const PIECE: usize = if cfg!(target_arch = "aarch64") { 4 } else { 8 };

/// The squares of some rows of all images on one axis of positions. An image fills whole pieces, so that none lies in
/// two images or two blocks.
pub(super) struct Part {
    /// Rows of squares.
    pub rows: Range<usize>,
    /// Columns of squares.
    pub columns: usize,
    /// Positions of an image, gaps behind the last square included.
    pub image: usize,
    /// Positions of all images.
    positions: usize,
    /// Positions of the largest tile, or of all images if they are fewer.
    pub line: usize,
    /// First position of the last block.
    last: usize,
}

/// Neighboring squares of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// The first square's position, from the first of those asked for.
    pub position: usize,
    pub length: usize,
    pub image: usize,
    /// Row and column of the first square in the plane.
    pub row: usize,
    pub column: usize,
}

impl Part {
    pub fn new(
        kernels: Microkernels,
        squares: &Squares,
        rows: Range<usize>,
        images: usize,
    ) -> Self {
        let columns = squares.grid[1];
        let image = (rows.len() * columns).next_multiple_of(kernels.lanes.max(PIECE));
        let positions = images * image;
        let line = (kernels.vectors * kernels.lanes).min(positions);
        let mut last = (positions - 1) / line * line;
        // A tile of one vector waits for its own sums: two tiles of two take less time than one of three and one of
        // one.
        if kernels.vectors > 2 && last > 0 && positions - last == kernels.lanes {
            last -= kernels.lanes;
        }
        Self {
            rows,
            columns,
            image,
            positions,
            line,
            last,
        }
    }

    /// Squares of an image.
    fn squares(&self) -> usize {
        self.rows.len() * self.columns
    }

    /// Positions of all images.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// Blocks of positions, each of one tile.
    pub fn blocks(&self) -> usize {
        self.positions.div_ceil(self.line)
    }

    /// The positions of a block: whole vectors.
    pub fn block(&self, index: usize) -> Range<usize> {
        let last = self.blocks() - 1;
        if index == last {
            self.last..self.positions
        } else {
            let start = index * self.line;
            start..(start + self.line).min(self.last)
        }
    }

    /// The block of a position, and the position in it.
    #[inline(always)]
    pub fn place(&self, position: usize) -> (usize, usize) {
        if position < self.last {
            (position / self.line, position % self.line)
        } else {
            (self.blocks() - 1, position - self.last)
        }
    }

    /// The squares among some positions.
    pub fn runs(&self, Range { start, end }: Range<usize>) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut position = start;
        while position < end {
            let (image, square) = (position / self.image, position % self.image);
            if square >= self.squares() {
                position += self.image - square;
                continue;
            }
            let (row, column) = (square / self.columns, square % self.columns);
            let length = (self.columns - column).min(end - position);
            runs.push(Run {
                position: position - start,
                length,
                image,
                row: self.rows.start + row,
                column,
            });
            position += length;
        }
        runs
    }
}
