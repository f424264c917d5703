//! Takes models into a zoo, measures how good they are, and says how far their training is.

mod add;
mod measure;
mod status;

pub use add::{AddOptions, Added, add};
pub use measure::{Measured, Options, Outcome, run};
pub use status::status;
