//! Copies models and parts of work between folders and object stores.
//!
//! Programs of Ganymede read and write folders. On machines that share no disk a unit of work is therefore three
//! commands: `place get` fetches its models, the program does the work, and `place put` stores the part that it wrote.
//! Parts are named after their content, so that units may run twice here too.
//!
//! An object is there whole or not at all, in every store that this program knows, and a file that is fetched gets its
//! name when it is whole.

mod copy;
mod error;
mod place;
mod shard;

pub use copy::{Copied, get, put};
pub use error::Error;
pub use place::Place;
pub use shard::Shard;
