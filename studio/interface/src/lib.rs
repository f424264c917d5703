//! What the Studio's page asks and is answered. A server carries it over HTTP, and a worker in the browser over
//! messages; both hold a [`Studio`].
//!
//! `docs/studio.md` describes the interface.

mod animation;
mod failure;
mod inversion;
mod models;
mod pictures;
mod reporter;
mod scratch;
mod search;
mod shelf;
mod studio;
mod uploads;

pub use animation::{Animation, Format};
pub use failure::{Failure, Reason};
pub use inversion::Inversion;
pub use pictures::Wanted;
pub use reporter::Listener;
pub use search::{Scored, Search};
pub use studio::{Status, Studio};
pub use uploads::{IMAGE_BYTES, TUNED_BYTES};
