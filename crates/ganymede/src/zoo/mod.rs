//! Measures how good the models of a zoo are, and says how far their training is.

mod measure;
mod status;

pub use measure::{Measured, Options, Outcome, run};
pub use status::status;
