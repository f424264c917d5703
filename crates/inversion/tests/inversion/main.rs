//! Inversion of a small generator, against the reference trajectories and against itself.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod batch;
mod beyond_w_plus;
mod model;
mod refusals;
mod results;
mod stopping;
mod trajectories;
