//! Distances between sets of images: closed forms, invariants, golden values of the reference implementations, streams
//! and files.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has to say so by panicking"
)]

mod fid;
mod frechet;
mod golden;
mod measures;
mod npz;
#[path = "../../../backbones/tests/features/seeded.rs"]
mod seeded;
mod streams;
