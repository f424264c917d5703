//! R1 and path length against the official loss, and the tangents that they are made of.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod gradients;
mod path_length;
mod r1;
mod tangents;
