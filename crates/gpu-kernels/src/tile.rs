use cubecl::client::Client;

/// Values that a unit loads at once: the length of the kernels' vectors, `Const<4>`.
pub(crate) const LANES: usize = 4;

/// Units of a cube.
pub(crate) const UNITS: usize = 256;

/// Cubes for each multiprocessor that keep it busy while some of them wait for memory.
const CUBES_PER_MULTIPROCESSOR: usize = 2;

/// Where the device does not say how many it has.
const MULTIPROCESSORS: usize = 16;

/// Terms of a part of a sum that make up for adding the parts.
const SHORTEST_PART: usize = 64;

/// Columns from which on a tile of few rows and many columns is worth having few of them.
const MANY_COLUMNS: usize = 2048;

/// The part of a product of matrices that one cube computes: `rows x columns` of the result in steps of `depth` along the reduction, where each
/// unit keeps `unit_rows x unit_columns` values in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tile {
    pub rows: usize,
    pub columns: usize,
    pub depth: usize,
    pub unit_rows: usize,
    pub unit_columns: usize,
}

impl Tile {
    /// Every tile.
    pub const ALL: [Self; 4] = [Self::FLAT, Self::SMALL, Self::WIDE, Self::LARGE];

    /// For few rows.
    pub const FLAT: Self = Self {
        rows: 32,
        columns: 256,
        depth: 4,
        unit_rows: 4,
        unit_columns: 8,
    };

    /// For few columns.
    const SMALL: Self = Self {
        rows: 64,
        columns: 64,
        depth: 16,
        unit_rows: 4,
        unit_columns: 4,
    };

    /// Between the two.
    const WIDE: Self = Self {
        rows: 64,
        columns: 256,
        depth: 4,
        unit_rows: 8,
        unit_columns: 8,
    };

    /// For many of both.
    const LARGE: Self = Self {
        rows: 128,
        columns: 128,
        depth: 8,
        unit_rows: 8,
        unit_columns: 8,
    };
}

/// Bytes of shared memory that a tile may need: WebGPU guarantees 16 KiB, adapters of the last ten years have 32 and more.
const MOST_SHARED: usize = 17 << 10;

// The kernels are launched unchecked and rely on this.
const _: () = {
    let mut index = 0;
    while index < Tile::ALL.len() {
        let tile = Tile::ALL[index];
        let units = tile.rows / tile.unit_rows * (tile.columns / tile.unit_columns);
        assert!(units == UNITS, "a tile for as many units as a cube has");
        assert!(
            tile.unit_rows.is_multiple_of(LANES) && tile.unit_columns.is_multiple_of(LANES),
            "whole vectors for each unit"
        );
        assert!(
            UNITS.is_multiple_of(tile.columns / LANES) && UNITS.is_multiple_of(tile.rows / LANES),
            "a unit loads the same columns in every step"
        );
        assert!(
            (tile.depth * tile.columns / LANES).is_multiple_of(UNITS),
            "every load of columns has its place"
        );
        // Both halves, with a vector more for each row of vectors.
        let shared = 2 * tile.depth * (tile.rows + tile.columns + 2 * LANES) * size_of::<f32>();
        assert!(shared <= MOST_SHARED, "room in shared memory");
        index += 1;
    }
};

/// Cubes that fill the device.
pub(crate) fn cubes_wanted(client: &Client) -> usize {
    let hardware = &client.properties().hardware;
    let multiprocessors = hardware.num_streaming_multiprocessors;
    multiprocessors.map_or(MULTIPROCESSORS, |count| count as usize) * CUBES_PER_MULTIPROCESSOR
}

/// How a product of matrices is distributed over cubes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Distribution {
    pub tile: Tile,
    /// Parts of the reduction that cubes of their own compute.
    pub splits: usize,
}

impl Distribution {
    /// The tile that the sizes waste least of. Where there are too few to fill the device, the sum is split.
    pub fn choose(
        client: &Client,
        rows: usize,
        columns: usize,
        products: usize,
        reduction: usize,
    ) -> Self {
        Self::fill(cubes_wanted(client), rows, columns, products, reduction)
    }

    fn fill(wanted: usize, rows: usize, columns: usize, products: usize, reduction: usize) -> Self {
        let tile = if columns <= Tile::SMALL.columns {
            Tile::SMALL
        } else if rows > Tile::WIDE.rows {
            Tile::LARGE
        } else if columns < MANY_COLUMNS {
            Tile::SMALL
        } else if rows > Tile::FLAT.rows {
            Tile::WIDE
        } else {
            Tile::FLAT
        };
        let cubes = rows.div_ceil(tile.rows) * columns.div_ceil(tile.columns) * products;
        let splits = (wanted / cubes.max(1)).min(reduction / SHORTEST_PART);
        Self {
            tile,
            splits: splits.max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_products_are_split_and_large_ones_are_not() {
        let small = Distribution::fill(264, 512, 16, 1, 512 * 9);
        assert_eq!(small.tile, Tile::SMALL);
        assert_eq!(small.splits, 33);
        let large = Distribution::fill(264, 128, 256 * 256, 1, 128 * 9);
        assert_eq!(large.tile, Tile::LARGE);
        assert_eq!(large.splits, 1);
        let short = Distribution::fill(264, 3, 16, 1, 8);
        assert_eq!((short.tile, short.splits), (Tile::SMALL, 1));
        let colours = Distribution::fill(264, 3, 1 << 16, 8, 64);
        assert_eq!((colours.tile, colours.splits), (Tile::FLAT, 1));
    }
}
