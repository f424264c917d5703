use super::microkernel::{MAX_LANES, MAX_VECTORS};

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

/// Neighbouring positions of a tile whose outputs are evenly spaced.
#[derive(Clone, Copy, Default)]
pub(super) struct Segment {
    pub position: usize,
    pub length: usize,
    pub image: usize,
    pub out: usize,
}

impl Positions {
    /// Segments of `start..end`; the buffer has room for one for each position.
    pub fn segments<'a>(
        &self,
        start: usize,
        end: usize,
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
