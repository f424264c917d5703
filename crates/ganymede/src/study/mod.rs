//! The studies of the paper, on the zoo or on a folder of other models, and one of what goes beyond it.

pub mod inversion;
pub mod refinement;
mod start;
pub mod transfer;
mod verdict;
