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

/// N from which on a tile of small M and large N is worth having few of them.
const LARGE_N: usize = 2048;

/// The part of a product of matrices that one cube computes: `rows x columns` of the result in steps of `depth` along
/// the reduction, where each unit keeps `unit_m x unit_n` values in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tile {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub unit_m: usize,
    pub unit_n: usize,
}

impl Tile {
    /// Every tile.
    pub const ALL: [Self; 4] = [Self::FLAT, Self::SMALL, Self::WIDE, Self::LARGE];

    /// For small M.
    pub const FLAT: Self = Self {
        m: 32,
        n: 256,
        k: 4,
        unit_m: 4,
        unit_n: 8,
    };

    /// For small N.
    const SMALL: Self = Self {
        m: 64,
        n: 64,
        k: 16,
        unit_m: 4,
        unit_n: 4,
    };

    /// Between the two.
    const WIDE: Self = Self {
        m: 64,
        n: 256,
        k: 4,
        unit_m: 8,
        unit_n: 8,
    };

    /// For many of both.
    const LARGE: Self = Self {
        m: 128,
        n: 128,
        k: 8,
        unit_m: 8,
        unit_n: 8,
    };
}

/// Bytes of shared memory that a tile may need: WebGPU guarantees 16 KiB, adapters of the last ten years have 32 and
/// more.
const MOST_SHARED: usize = 17 << 10;

// The kernels are launched unchecked and rely on this.
const _: () = {
    let mut index = 0;
    while index < Tile::ALL.len() {
        let tile = Tile::ALL[index];
        let units = tile.m / tile.unit_m * (tile.n / tile.unit_n);
        assert!(units == UNITS, "a tile for as many units as a cube has");
        assert!(
            tile.unit_m.is_multiple_of(LANES) && tile.unit_n.is_multiple_of(LANES),
            "whole vectors for each unit"
        );
        assert!(
            UNITS.is_multiple_of(tile.n / LANES) && UNITS.is_multiple_of(tile.m / LANES),
            "a unit loads the same columns in every step"
        );
        assert!(
            (tile.k * tile.n / LANES).is_multiple_of(UNITS),
            "every load of columns has its place"
        );
        // Both halves, with a vector more for each row of vectors.
        let shared = 2 * tile.k * (tile.m + tile.n + 2 * LANES) * size_of::<f32>();
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
    /// The tile that `products` products of `[M, K]` and `[K, N]` waste least of. Where there are too few to fill the
    /// device, the sum is split.
    pub fn choose(client: &Client, m: usize, n: usize, products: usize, k: usize) -> Self {
        Self::fill(cubes_wanted(client), m, n, products, k)
    }

    fn fill(wanted: usize, m: usize, n: usize, products: usize, k: usize) -> Self {
        let tile = if n <= Tile::SMALL.n {
            Tile::SMALL
        } else if m > Tile::WIDE.m {
            Tile::LARGE
        } else if n < LARGE_N {
            Tile::SMALL
        } else if m > Tile::FLAT.m {
            Tile::WIDE
        } else {
            Tile::FLAT
        };
        let cubes = m.div_ceil(tile.m) * n.div_ceil(tile.n) * products;
        let splits = (wanted / cubes.max(1)).min(k / SHORTEST_PART);
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
        let colors = Distribution::fill(264, 3, 1 << 16, 8, 64);
        assert_eq!((colors.tile, colors.splits), (Tile::FLAT, 1));
    }
}
