//! What the kernels for graphics processors share.

mod join;
mod limits;
mod multiplication;
mod tile;

pub(crate) use join::join;
pub(crate) use limits::addressable;
pub(crate) use multiplication::multiply;
pub(crate) use tile::{Distribution, LANES, Tile, UNITS, cubes_wanted};
