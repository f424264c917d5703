//! Moments, Gaussian, principal components and their files: closed forms, invariants, damaged files, golden values.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has to say so by panicking"
)]

mod closed_form;
mod files;
mod golden;
mod invariants;
