//! The studies of the paper, on the zoo or on a folder of other models.

pub mod inversion;
pub mod transfer;
